"""Train networks that make pictures better: larger, without noise, in more light, whole again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import SettingsError, unknown_name
from vedette_train.data.pairs import KINDS, Task
from vedette_train.settings import OPTIMIZERS, FitSettings, option

if TYPE_CHECKING:
    from vedette_train.job import Job

__all__ = ["HELP", "Settings", "export", "job"]

HELP = "super-resolution, denoising, low light or restoration; DATA holds photos"
GRID = 16  # px that all networks and losses divide into
SCALES = (2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class Settings(FitSettings):
    """Settings of enhancement.

    Attributes:
        kind: one of `vedette_train.data.pairs.KINDS`.
        scale: of "sr", how many times larger.
        input: width and height that the exported network takes; larger pictures are done in tiles.
        patch: side of what is learned from, input pixels.
        width: channels over what they are by themselves.
        iterations: of "lowlight", how often the curve is applied.
        exposure: of "lowlight", the mean level that dark regions are brought to, 0..1.
        vivid: of "sr", a file whose features tell what looks alike, such as a quantized MobileNet V2 `.tflite`:
            fine-tune `init` against a rival network, for pictures that please. They invent detail.
        rival_weight: of the rival's judgement in the loss.
        rounded: learn with the rounding of int8 (quantization-aware); begin with a run that did not, by `init`.
        name: what the exported model is called; by kind and scale when not given.
    """

    epochs: int = option(100, "passes of STEPS batches each")
    steps: int = option(200, "batches an epoch")
    batch: int = option(16, "examples a batch")
    optimizer: str = option("muon", f"one of {', '.join(OPTIMIZERS)}")
    rate: float = option(5e-3, "peak learning rate")
    weight_decay: float = option(0.1, "weight decay of the optimizer")
    ema: float = option(0.999, "momentum of the weights' moving average; 0 for none")
    kind: str = option("sr", f"one of {', '.join(KINDS)}")
    scale: int = option(2, "of sr: how many times larger, 2 to 4")
    input: tuple[int, int] = option((128, 128), "size that the exported network takes")
    patch: int = option(64, "side of what is learned from, input pixels")
    width: float = option(1.0, "channels over what they are by themselves")
    iterations: int = option(4, "of lowlight: how often the curve is applied")
    exposure: float = option(0.5, "of lowlight: mean level that dark regions are brought to")
    vivid: Path | None = field(
        default=None,
        metadata={"help": "of sr: backbone file; fine-tune INIT adversarially, which invents detail"},
    )
    rival_weight: float = option(0.005, "of vivid: weight of the rival network's judgement")
    rounded: bool = option(False, "learn with the rounding of int8; give --init too (yes or no)")
    name: str = option("", "what the exported model is called", export=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in KINDS:
            raise unknown_name("kind", self.kind, KINDS)
        if self.scale not in SCALES:
            raise SettingsError(f"scale is {self.scale}; give 2, 3 or 4.")
        if any(n < 2 * GRID or n % GRID for n in (*self.input, self.patch)):
            raise SettingsError(
                f"input is {self.input[0]}x{self.input[1]} and patch {self.patch}; give multiples of {GRID}, "
                f"{2 * GRID} or more."
            )
        if not 0.1 <= self.width <= 4:
            raise SettingsError(f"width is {self.width}; give 0.1 to 4.")
        if not 1 <= self.iterations <= 16:
            raise SettingsError(f"iterations is {self.iterations}; give 1 to 16.")
        if not 0 < self.exposure < 1:
            raise SettingsError(f"exposure is {self.exposure}; give a level between 0 and 1.")
        if self.vivid is not None:
            self._check_vivid(self.vivid)
        if self.prune:
            raise SettingsError("prune cannot cut these networks; give a smaller --width and train anew.")

    def _check_vivid(self, backbone: Path) -> None:
        if self.kind != "sr" or self.init is None:
            raise SettingsError(
                "vivid makes a faithful super-resolution vivid; give --kind sr and --init RUN too."
            )
        if not backbone.exists():
            raise SettingsError(f"there is no backbone at {backbone} for vivid.")
        if self.patch * self.scale % 32:
            raise SettingsError(
                f"patch is {self.patch}; vivid needs a multiple of {32 // math.gcd(32, self.scale)}."
            )
        if not self.rival_weight >= 0:
            raise SettingsError(f"rival_weight is {self.rival_weight}; give 0 or more.")

    @property
    def task(self) -> Task:
        """What the exported network is for."""
        return Task(self.kind, self.scale if self.kind == "sr" else 1, self.input)

    @property
    def model_name(self) -> str:
        """What the exported model is called."""
        vivid = "" if self.vivid is None else "-vivid"
        return self.name or (f"sr-x{self.scale}{vivid}" if self.kind == "sr" else self.kind)


def job(settings: Settings) -> Job:
    """Return the network, its loss, parts of photos spoiled anew, and figures on the photos of val.

    Raises:
        VedetteError: there are too few photos.
    """
    from vedette_train.data.photos import read_photos
    from vedette_train.export_enhance import Measure, examples, network_of
    from vedette_train.job import Job
    from vedette_train.losses.enhance import Light, charbonnier, light_loss, luma_first

    photos, light = read_photos(settings.data), Light(settings.exposure, settings.iterations)

    side = (settings.patch, settings.patch)
    faithful = luma_first if settings.kind == "sr" else charbonnier
    rival, near = (None, faithful) if settings.vivid is None else _vivid(settings, settings.vivid)

    def loss(target: Any, outputs: Any) -> Any:
        if settings.kind == "lowlight":
            return light_loss(target["given"], outputs["curves"], light)
        return near(target["wanted"], outputs["enhanced"])

    return Job(
        network=network_of(settings, side),
        loss=loss,
        example=examples(photos["train"], Task(settings.kind, settings.task.scale, side)),
        measure=Measure(photos["val"], settings),
        watch=None if settings.kind == "lowlight" or rival else "psnr",
        rival=rival,
        pictures=len(photos["train"]),
    )


def _vivid(settings: Settings, backbone: Path) -> tuple[Any, Any]:
    """Return the rival network, and the loss in which it has a say."""
    from vedette_train.losses.vivid import VividLoss
    from vedette_train.models.enhance import rival_network
    from vedette_train.perceptual import feature_network

    large = (settings.patch * settings.scale,) * 2
    rival = rival_network(large)
    return rival, VividLoss(rival, feature_network(large, backbone), settings.rival_weight)


def export(settings: Settings, run: Path) -> dict[str, Any]:
    """Write what `vedette convert` needs into `run` and return the contract."""
    from vedette_train.export_enhance import export_enhancer

    return export_enhancer(settings, run)
