"""Train a classifier: one class for the whole picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import SettingsError
from vedette_train.settings import FitSettings, check_input, option

if TYPE_CHECKING:
    from vedette_train.job import Job

__all__ = ["HELP", "Settings", "export", "job"]

HELP = "a classifier of whole pictures; DATA holds <class>/ or <split>/<class>/ with pictures"


@dataclass(frozen=True, kw_only=True)
class Settings(FitSettings):
    """Settings of the classifier.

    Attributes:
        backbone: a quantized MobileNet `.tflite`, another run or a `.keras` file whose weights the body begins with; a
            small body from nothing when not given.
        input: width and height of the network's input, multiples of 32, in training and afterwards.
        smoothing: share of each label that is given to all classes (Szegedy et al., Rethinking Inception, 2016).
        keep_leaks: learn from train pictures that are copies of other splits' too; figures are then too good.
        checked: val pictures that are looked at after each epoch.
        name: what the exported model is called.
    """

    epochs: int = option(12, "passes of STEPS batches each")
    steps: int = option(100, "batches an epoch")
    rate: float = option(1e-3, "peak learning rate")
    body_rate: float = option(0.3, "learning rate of the body over that of the rest")
    freeze: int = option(1, "epochs in which the pre-trained body keeps its weights")
    backbone: Path | None = field(
        default=None, metadata={"help": "MobileNet .tflite, run or .keras file to begin with"}
    )
    input: tuple[int, int] = option((160, 160), "input size of the network")
    smoothing: float = option(0.1, "label smoothing")
    keep_leaks: bool = option(False, "learn from copies of val pictures too (yes or no)")
    checked: int = option(1000, "val pictures looked at after each epoch")
    name: str = option("classifier", "what the exported model is called", export=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_input(self.input)
        if not 0 <= self.smoothing < 1:
            raise SettingsError(f"smoothing is {self.smoothing}; give 0 to below 1.")
        if self.checked < 1:
            raise SettingsError(f"checked is {self.checked}; give 1 or more.")
        if self.backbone is not None and not self.backbone.exists():
            raise SettingsError(f"there is no backbone at {self.backbone}.")


def job(settings: Settings) -> Job:
    """Return the network, its loss, photos as they are drawn, and the share of right answers on the val split.

    Raises:
        VedetteError: the data, the backbone or a teacher's outputs cannot be read.
    """
    from vedette_train.data.splits import open_classes
    from vedette_train.export_classify import Measure, examples, learned, smoothed_loss
    from vedette_train.job import Job
    from vedette_train.models.classify import classify_network

    found = open_classes(settings.data)
    labels, (train, left_out), val = found.classes, learned(settings, found), found.splits["val"]
    stored = settings.teacher is not None and settings.teacher.suffix == ".npz"
    body, network = classify_network(settings.input, classes=len(labels), backbone=settings.backbone)
    return Job(
        network=network,
        loss=smoothed_loss(settings.smoothing, len(labels)),
        example=examples(train, settings.input, settings.teacher if stored else None, len(labels)),
        body=body,
        measure=Measure(val[:: max(1, len(val) // settings.checked)], labels, settings.input),
        watch="top1",
        distance=_distance,
        stored=stored,
        pictures=len(train),
        left_out=left_out,
    )


def _distance(student: Any, teacher: Any) -> Any:
    from vedette_train.distill import softened

    return softened(student["logits"], teacher["logits"])


def export(settings: Settings, run: Path) -> dict[str, Any]:
    """Write what `vedette convert` needs into `run` and return the contract."""
    from vedette_train.export_classify import export_classifier

    return export_classifier(settings, run)
