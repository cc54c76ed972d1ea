"""Train the face detector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import SettingsError
from vedette_train.settings import FitSettings, check_input, option

if TYPE_CHECKING:
    from vedette_train.job import Job

__all__ = ["HELP", "Settings", "export", "job"]

HELP = "the face detector; DATA holds faces/, objects/ and photos/"


@dataclass(frozen=True, kw_only=True)
class Settings(FitSettings):
    """Settings of the face detector.

    Attributes:
        size: side of the composed scenes in pixels, a multiple of 32.
        input: width and height of the exported model's input, multiples of 32.
    """

    size: int = option(320, "side of the composed scenes in pixels")
    input: tuple[int, int] = option((512, 384), "input size of the exported model", export=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_input(self.input)
        if self.size < 64 or self.size % 32:
            raise SettingsError(f"size is {self.size}; give a multiple of 32 of at least 64.")


def job(settings: Settings) -> Job:
    """Return the network, its loss, and scenes composed on the fly.

    Raises:
        VedetteError: the data cannot be read.
    """
    import keras
    import numpy as np

    from vedette_train.data.faces import face_free_photos, read_faces
    from vedette_train.data.scenes import Scenes
    from vedette_train.data.targets import anchors, assign
    from vedette_train.job import Job
    from vedette_train.losses.face import face_loss
    from vedette_train.models.face import STRIDES, face_network

    photos, backgrounds = read_faces(settings.data, split="train"), face_free_photos(settings.data)
    scenes = Scenes(photos, backgrounds, settings.size)
    places = anchors((settings.size, settings.size), STRIDES)

    def example(rng: np.random.Generator) -> tuple[Any, Any]:
        scene = scenes.make(rng)
        return scene.image.astype(np.float32) / np.float32(255), assign(scene, places)

    def loss(target: Any, outputs: Any) -> Any:
        return face_loss(target, outputs, keras.ops.convert_to_tensor(places), STRIDES)

    network = face_network((settings.size, settings.size))
    return Job(network=network, loss=loss, example=example, pictures=len(photos) + len(backgrounds))


def export(settings: Settings, run: Path) -> dict[str, Any]:
    """Write what `vedette convert` needs into `run` and return the contract."""
    from vedette_train.export import export_faces

    return export_faces(settings, run)
