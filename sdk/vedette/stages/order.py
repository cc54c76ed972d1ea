"""Which stages need which others before them, so that a run does not silently find, name or hide nothing."""

from __future__ import annotations

from collections.abc import Sequence

from vedette.errors import SettingsError
from vedette.stages.detect import Detect
from vedette.stages.enhance import Enhance
from vedette.stages.every import Every
from vedette.stages.privacy import Privacy
from vedette.stages.recognize import Recognize
from vedette.stages.zones import Zones
from vedette.types import Stage

__all__ = ["check_order"]


def check_order(stages: Sequence[Stage]) -> None:
    """Refuse an order in which a stage would have nothing to work on; stages of one's own are trusted.

    Raises:
        SettingsError: says what to put where.
    """
    for k, stage in enumerate(stages):
        before = stages[:k]
        if isinstance(stage, Zones) and _all_detect(before):
            raise SettingsError(
                "the stage zones needs what it counts to be tracked; put the stage track before it."
            )
        if isinstance(stage, Recognize) and _all_detect(before):
            raise SettingsError("the stage recognize names tracks; put the stages faces and track before it.")
        if isinstance(stage, Recognize):
            _refuse_invention(before)
        if isinstance(stage, Privacy):
            _check_privacy(stage, before)


def _refuse_invention(before: Sequence[Stage]) -> None:
    for stage in before:
        if isinstance(stage, Enhance) and stage.enhancer.invents:
            raise SettingsError(
                f"{', '.join(stage.enhancer.names)} invents detail, so that a face may become another's; it cannot "
                "come before recognize. Take a faithful model, such as sr-x2, or put the stage enhance after recognize."
            )


def _all_detect(stages: Sequence[Stage]) -> bool:
    return all(isinstance(stage, Detect | Enhance | Every) for stage in stages)


def _check_privacy(privacy: Privacy, before: Sequence[Stage]) -> None:
    if all(isinstance(stage, Enhance) for stage in before):
        raise SettingsError("the stage privacy blurs faces that were found; put the stage faces before it.")
    if any(isinstance(stage, Every) for stage in before):
        raise SettingsError(
            "the stage privacy needs every frame looked at; leave out ?every=, or lower the frame rate."
        )
    if privacy.settings.blur == "unknown" and not any(isinstance(stage, Recognize) for stage in before):
        raise SettingsError(
            "privacy?blur=unknown needs to know who is known; put the stages track and recognize before it, or say "
            "privacy?blur=all."
        )
