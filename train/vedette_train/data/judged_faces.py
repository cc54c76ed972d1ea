"""The pictures that a face detector is judged on: val photos, and as many scenes made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vedette.types import Image
from vedette_train.data.faces import FacePhoto, face_free_photos, read_faces
from vedette_train.data.pictures import MAX_BROKEN, leave_out_broken, readable
from vedette_train.data.scenes import Scene, Scenes

__all__ = ["LEAST_SCORE", "judged_faces"]

LEAST_SCORE = 0.1
PHOTOS = 400
SCENE_SIDE = 320


def judged_faces(data: Path, *, max_broken: float = MAX_BROKEN) -> Iterator[tuple[Image, FacePhoto | Scene]]:
    """Yield pictures, (H, W, 3) uint8 RGB, and their faces: the same ones each time; broken photos are passed over."""
    photos = read_faces(data, split="val")
    backgrounds = face_free_photos(data)
    scenes = Scenes(photos, backgrounds, SCENE_SIDE)
    many = len(photos) + len(backgrounds)
    draw = leave_out_broken(scenes.make, pictures=many, max_broken=max_broken)
    rng = np.random.default_rng(2)
    for photo, image in readable(photos[:: max(1, len(photos) // PHOTOS)]):
        scene = draw(rng)
        yield image, photo
        yield scene.image, scene
