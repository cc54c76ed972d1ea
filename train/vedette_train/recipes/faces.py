"""Train the face detector."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import SettingsError
from vedette_train.settings import FitSettings, check_input, option

if TYPE_CHECKING:
    from vedette_train.data.faces import FacePhoto
    from vedette_train.data.mistakes import Mistake
    from vedette_train.job import Job

__all__ = ["HELP", "Settings", "export", "job"]

SEARCHED = 6  # each so many-th photo with faces is searched for mistakes: they are many, and much alike
HELP = "the face detector; DATA holds faces/, objects/ and photos/"


@dataclass(frozen=True, kw_only=True)
class Settings(FitSettings):
    """Settings of the face detector.

    Attributes:
        more: photos with more labelled faces, WIDER FACE for instance, in any format of `vedette_train.data.readers`;
            their boxes teach, without landmarks.
        size: side of the composed scenes in pixels, a multiple of 32.
        input: width and height of the exported model's input, multiples of 32.
    """

    more: Path | None = field(
        default=None, metadata={"help": "data with more faces, boxes called 'face', such as WIDER FACE"}
    )
    size: int = option(320, "side of the composed scenes in pixels")
    input: tuple[int, int] = option((512, 384), "input size of the exported model", export=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_input(self.input)
        if self.more is not None and not self.more.is_dir():
            raise SettingsError(f"there is no folder {self.more} with more faces.")
        if self.size < 64 or self.size % 32:
            raise SettingsError(f"size is {self.size}; give a multiple of 32 of at least 64.")


def job(settings: Settings) -> Job:
    """Return the network, its loss, and scenes composed on the fly.

    With ``init`` the scenes show often what that run's network takes for faces in the training photos.

    Raises:
        VedetteError: the data cannot be read.
    """
    import keras
    import numpy as np

    from vedette_train.data.faces import face_free_photos, read_boxes, read_faces
    from vedette_train.data.scenes import Scenes
    from vedette_train.data.targets import anchors, assign
    from vedette_train.job import Job
    from vedette_train.losses.face import face_loss
    from vedette_train.models.face import STRIDES, face_network

    photos, backgrounds = read_faces(settings.data, split="train"), face_free_photos(settings.data)
    mistakes = _mistakes(settings.init, settings.input, photos, backgrounds) if settings.init else []
    photos += (
        read_boxes(settings.more) if settings.more else []
    )  # what is missed there may be faces not labelled
    scenes = Scenes(photos, backgrounds, settings.size, mistakes)
    places = anchors((settings.size, settings.size), STRIDES)

    def example(rng: np.random.Generator) -> tuple[Any, Any]:
        scene = scenes.make(rng)
        return scene.image.astype(np.float32) / np.float32(255), assign(scene, places)

    def loss(target: Any, outputs: Any) -> Any:
        return face_loss(target, outputs, keras.ops.convert_to_tensor(places), STRIDES)

    network = face_network((settings.size, settings.size))
    return Job(network=network, loss=loss, example=example, pictures=len(photos) + len(backgrounds))


def _mistakes(
    run: Path, size_wh: tuple[int, int], photos: list[FacePhoto], backgrounds: list[Path]
) -> list[Mistake]:
    """Return what the network of `run` takes for faces in photos without faces, and in some of the others."""
    from vedette_train.data.faces import no_faces
    from vedette_train.data.mistakes import LEAST_SCORE, find_mistakes
    from vedette_train.export import FloatDetector
    from vedette_train.folder import kept_network
    from vedette_train.models.face import face_network

    detector = FloatDetector(kept_network(face_network(size_wh), run), size_wh)
    searched = [no_faces(path) for path in backgrounds] + photos[::SEARCHED]
    return find_mistakes(lambda image: detector.detect(image, min_score=LEAST_SCORE), searched)


def export(settings: Settings, run: Path) -> dict[str, Any]:
    """Write what `vedette convert` needs into `run` and return the contract."""
    from vedette_train.export import export_faces

    return export_faces(settings, run)
