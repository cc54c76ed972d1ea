"""Train the face embedder: learn a teacher's descriptors, in a network a fifteenth of its size."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import SettingsError
from vedette_train.settings import FitSettings, option

if TYPE_CHECKING:
    from vedette_train.job import Job

__all__ = ["HELP", "Settings", "export", "job"]

HELP = "the face embedder; DATA holds faces/ with web.csv, people.csv and teacher/*.npz"


@dataclass(frozen=True, kw_only=True)
class Settings(FitSettings):
    """Settings of the face embedder.

    Attributes:
        backbone: what the body begins with, see `vedette_train.backbone.open_backbone`; a small body from nothing when
            not given.
        width: channels of the small body and of the last layers, over what they have by themselves.
        found: what ``vedette detect --json`` printed for the photos: landmarks to learn with beside the labelled.
        hardness: share of the examples that are made dark, small, blurred, noisy or half hidden, 0..1.
        together: how far each photo's wanted place is moved to the mean of its person's, 0..1.
        relation: weight of the cosines within a batch; the distance from the teacher counts 1.
        margin: weight of telling a face from all other identities.
        arc_margin, cos_margin: its margins: radians, and of the cosine.
        checked: people of the val split who are looked at after each epoch.
        name: what the exported model is called.
    """

    epochs: int = option(80, "passes of STEPS batches each")
    steps: int = option(150, "batches an epoch")
    batch: int = option(64, "examples a batch")
    rate: float = option(2e-3, "peak learning rate")
    body_rate: float = option(0.5, "learning rate of the body over that of the rest")
    freeze: int = option(1, "epochs in which the pre-trained body keeps its weights")
    backbone: Path | None = field(
        default=None, metadata={"help": "quantized MobileNet .tflite, run or .keras to begin with"}
    )
    width: float = option(1.0, "channels over what they are by themselves")
    found: Path | None = field(
        default=None, metadata={"help": "landmarks to learn with too: output of `vedette detect --json`"}
    )
    hardness: float = option(0.7, "share of examples that are made hard to recognise")
    together: float = option(0.3, "how far a photo's place is moved to its person's mean")
    relation: float = option(0.2, "weight of the cosines within a batch")
    margin: float = option(0.4, "weight of telling identities apart")
    arc_margin: float = option(0.1, "ArcFace's margin, radians")
    cos_margin: float = option(0.0, "CosFace's margin, of the cosine")
    checked: int = option(160, "people of val looked at after each epoch")
    name: str = option("face-embedder", "what the exported model is called", export=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("hardness", "together", "cos_margin"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; give 0 to 1.")
        for name in ("relation", "margin", "arc_margin"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; give 0 or more.")
        if not 0.1 <= self.width <= 4:
            raise SettingsError(f"width is {self.width}; give 0.1 to 4.")
        if self.checked < 2:
            raise SettingsError(f"checked is {self.checked}; give 2 or more.")
        for name in ("backbone", "found"):
            path = getattr(self, name)
            if path is not None and not path.exists():
                raise SettingsError(f"{name}: there is nothing at {path}.")


def job(settings: Settings) -> Job:
    """Return the network, its loss, faces seen anew, and how well it tells people of the val split apart.

    No epoch is chosen by those figures (`Job.watch`): val stays a fair test.

    Raises:
        VedetteError: the data or the backbone cannot be read.
    """
    from keras import ops

    from vedette_train.data.lessons import examples, read_lessons
    from vedette_train.export_embed import Measure
    from vedette_train.job import Job
    from vedette_train.losses.embed import Weights, embed_loss
    from vedette_train.models.embed import embed_network

    lessons = read_lessons(settings.data, found=settings.found, together=settings.together)
    space = lessons.space
    body, network = embed_network(
        size=len(space.mean), width=settings.width, backbone=settings.backbone, start=space.constant
    )
    weights = Weights(settings.relation, settings.margin, settings.arc_margin, settings.cos_margin)

    def loss(target: Any, outputs: Any) -> Any:
        return embed_loss(target, outputs, ops.convert_to_tensor(lessons.prototypes), weights)

    return Job(
        network=network,
        loss=loss,
        example=examples(lessons, hardness=settings.hardness),
        body=body,
        measure=Measure(settings.data, settings.checked),
    )


def export(settings: Settings, run: Path) -> dict[str, Any]:
    """Write what `vedette convert` needs into `run` and return the contract."""
    from vedette_train.export_embed import export_embedder

    return export_embedder(settings, run)
