"""Train a detector of objects of any classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import SettingsError
from vedette_train.settings import FitSettings, check_input, option

if TYPE_CHECKING:
    from vedette_train.job import Job

__all__ = ["HELP", "Settings", "export", "job"]

HELP = "a detector of objects of any classes"


@dataclass(frozen=True, kw_only=True)
class Settings(FitSettings):
    """Settings of the object detector.

    Attributes:
        classes: names of the classes, with commas between; all that the train split labels when empty.
        partial: origins whose pictures are not labelled wholly, ``people=person,streets=``: what else is in them does
            not count as background.
        backbone: what the body begins with, see `vedette_train.backbone.open_backbone`; a small body from nothing when
            not given.
        format: how the data is read, see `vedette_train.data.readers`; recognised when empty.
        size: side of the composed scenes in pixels, a multiple of 32.
        keep_leaks: learn from train pictures that are copies of other splits' too; figures are then too good.
        checked: val pictures that are looked at after each epoch.
        input: width and height of the exported model's input, multiples of 32.
        name: what the exported model is called.
    """

    classes: str = option("", "names with commas between; all of the train split if empty")
    partial: str = option("", "ORIGIN=CLASS+CLASS,... labelled wholly there; others are no background")
    backbone: Path | None = field(
        default=None, metadata={"help": "quantized MobileNet .tflite, run or .keras to begin with"}
    )
    format: str = option("", "of the data; recognised if empty")
    size: int = option(256, "side of the composed scenes in pixels")
    keep_leaks: bool = option(False, "learn from copies of val pictures too (yes or no)")
    checked: int = option(200, "val pictures looked at after each epoch")
    input: tuple[int, int] = option((224, 192), "input size of the exported model", export=True)
    name: str = option("objects", "what the exported model is called", export=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_input(self.input)
        if self.size < 64 or self.size % 32:
            raise SettingsError(f"size is {self.size}; give a multiple of 32 of at least 64.")
        if self.checked < 1:
            raise SettingsError(f"checked is {self.checked}; give 1 or more.")
        if self.backbone is not None and not self.backbone.exists():
            raise SettingsError(f"there is no backbone at {self.backbone}.")


def job(settings: Settings) -> Job:
    """Return the network, its loss, scenes composed on the fly, and AP on the val split.

    Raises:
        VedetteError: the data or the backbone cannot be read.
        SettingsError: `partial` names what is not in the data.
    """
    import keras
    import numpy as np

    from vedette_train.data.mosaic import ObjectScenes, targets
    from vedette_train.data.splits import split_of
    from vedette_train.data.targets import anchors
    from vedette_train.export_detect import figures, learned, normalized, read_set
    from vedette_train.job import Job
    from vedette_train.losses.detect import detect_loss
    from vedette_train.models.detect import STRIDES, body_and_network

    found = read_set(settings)
    labels, (photos, left_out), val = found.classes, learned(settings, found), split_of(found, "val")
    size_wh = (settings.size, settings.size)
    scenes = ObjectScenes(photos, size=settings.size, classes=len(labels))
    places = anchors(size_wh, STRIDES)
    body, network = body_and_network(size_wh, classes=len(labels), backbone=settings.backbone)

    def example(rng: np.random.Generator) -> tuple[Any, Any]:
        scene = scenes.make(rng)
        objects, known = targets(scene, places)
        return normalized(scene.image), {"objects": objects, "known": known}

    def loss(target: Any, outputs: Any) -> Any:
        return detect_loss(target, outputs, keras.ops.convert_to_tensor(places), STRIDES)

    def measure(trained: keras.Model) -> Mapping[str, float]:
        every = max(1, len(val) // settings.checked)
        return {
            k: v for k, v in figures(trained, size_wh, val[::every], labels).items() if isinstance(v, float)
        }

    return Job(
        network=network,
        loss=loss,
        example=example,
        body=body,
        measure=measure,
        watch="ap50",
        pictures=len(photos),
        left_out=left_out,
    )


def export(settings: Settings, run: Path) -> dict[str, Any]:
    """Write what `vedette convert` needs into `run` and return the contract."""
    from vedette_train.export_detect import export_detector

    return export_detector(settings, run)
