"""The walls of photographs that ``demo://`` looks at. The photographs are those inside the scikit-image package."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.errors import MissingDependencyError
from vedette.types import Image

__all__ = ["FACE_XYXY", "ORDER", "WALLS", "WALL_WH", "Print", "Scene", "Wall", "find_photographs", "hang_all"]

FACE_XYXY = (179.0, 70.0, 270.0, 181.0)
"""The face in astronaut.png: from the hairline to the chin and from cheek to cheek, pixels, measured by hand."""

WALL_WH = (1600, 900)


@dataclass(frozen=True, slots=True)
class Print:
    """A photograph on a wall: `left`, `top` and `height` in wall pixels; `flip` mirrors it."""

    photo: str
    left: int
    top: int
    height: int
    flip: bool = False


@dataclass(frozen=True, slots=True)
class Wall:
    """Prints before a backdrop.

    Attributes:
        backdrop: the photograph that fills the wall, blurred unless there are no prints.
        prints: do not overlap.
        look: where the camera may look: centre x and y in wall pixels.
        reach_px: how far from there, at most, its aim wanders.
        view_px: the narrowest and the widest view, wall pixels across.
        stops: mean exposure, stops.
    """

    backdrop: str
    prints: tuple[Print, ...] = ()
    look: tuple[int, int] = (800, 450)
    reach_px: int = 120
    view_px: tuple[int, int] = (800, 1500)
    stops: float = 0.0


_FACE = "astronaut.png"
_PORTRAIT = Print(_FACE, 350, 0, 900)
_PAIR = (
    Print(_FACE, 120, 180, 600),
    Print("chelsea.png", 760, 60, 300),
    Print(_FACE, 1000, 390, 480, flip=True),
)
_GROUP = (
    Print(_FACE, 60, 60, 360),
    Print(_FACE, 460, 40, 300, flip=True),
    Print("coffee.png", 800, 60, 260),
    Print(_FACE, 1230, 50, 330),
    Print("chelsea.png", 60, 470, 340),
    Print(_FACE, 620, 390, 440, flip=True),
    Print(_FACE, 1100, 440, 260),
    Print(_FACE, 1390, 470, 190, flip=True),
)
_CROWD = tuple(
    Print("chelsea.png", 40 + 225 * column, 40 + 215 * row, 130)
    if (row + column) % 5 == 3
    else Print(_FACE, 40 + 225 * column, 40 + 215 * row, 140 + 10 * row, flip=column % 2 == 1)
    for row in range(4)
    for column in range(7)
)

WALLS: Mapping[str, Wall] = MappingProxyType(
    {
        "portrait": Wall(_FACE, (_PORTRAIT,), look=(745, 250), reach_px=90, view_px=(560, 1300)),
        "pair": Wall("grass.png", _PAIR, look=(760, 460), reach_px=130, view_px=(900, 1450)),
        "group": Wall("brick.png", _GROUP, look=(800, 370), reach_px=150, view_px=(900, 1590)),
        "cat": Wall("chelsea.png", look=(800, 420), view_px=(1000, 1590)),
        "crowd": Wall("gravel.png", _CROWD, look=(800, 450), reach_px=250, view_px=(900, 1550)),
        "coffee": Wall("coffee.png", view_px=(700, 1300)),
        "dusk": Wall(
            "rocket.jpg", (Print(_FACE, 260, 130, 620), Print(_FACE, 980, 330, 400, flip=True)), stops=-1.3
        ),
        "garage": Wall("motorcycle_left.png", view_px=(800, 1500)),
    }
)
# Begins with walls of many faces and of large ones, for whoever looks for ten seconds only.
ORDER = ("group", "portrait", "cat", "crowd", "pair", "coffee", "dusk", "garage")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A painted wall.

    Attributes:
        wall: what it is painted from.
        image: (h, w, 3) uint8 RGB.
        scale: pixels of the image to one of the wall.
        faces: (k, 4) xyxy, pixels of the image.
    """

    wall: Wall
    image: Image
    scale: float
    faces: NDArray[np.float64]


def find_photographs() -> Path:
    """Return scikit-image's folder of pictures, without importing it: that takes longer than all else here."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "demo:// shows the photographs of scikit-image, which is not installed; run: pip install 'vedette[demo]'"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def hang_all(folder: Path, scale: float) -> tuple[Scene, ...]:
    """Return the walls in `ORDER`, painted at `scale` with the photographs in `folder`.

    Raises:
        MissingDependencyError: a photograph is not there.
    """
    photos = {name: _photo(folder / name) for name in _photos()}
    return tuple(_hang(WALLS[name], photos, scale) for name in ORDER)


def _photos() -> frozenset[str]:
    walls = [WALLS[name] for name in ORDER]
    return frozenset(w.backdrop for w in walls) | {p.photo for w in walls for p in w.prints}


def _photo(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise MissingDependencyError(
            f"demo:// needs the photograph {path}, which cannot be read; run: "
            "pip install --force-reinstall scikit-image"
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _hang(wall: Wall, photos: Mapping[str, Image], scale: float) -> Scene:
    size_wh = round(WALL_WH[0] * scale), round(WALL_WH[1] * scale)
    image = _fill(photos[wall.backdrop], size_wh)
    if wall.prints:
        cv2.convertScaleAbs(cv2.GaussianBlur(image, (0, 0), 24 * scale), dst=image, alpha=0.7)
    faces = []
    for hung in wall.prints:
        photo = photos[hung.photo]
        factor = hung.height * scale / photo.shape[0]
        shrunk = cv2.resize(
            photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        )
        height, width = shrunk.shape[:2]
        left, top = round(hung.left * scale), round(hung.top * scale)
        image[top : top + height, left : left + width] = shrunk[:, ::-1] if hung.flip else shrunk
        if hung.photo == _FACE:
            x1, y1, x2, y2 = (value * factor for value in FACE_XYXY)
            x1, x2 = (width - x2, width - x1) if hung.flip else (x1, x2)
            faces.append((left + x1, top + y1, left + x2, top + y2))
    return Scene(wall, np.asarray(image, np.uint8), scale, np.array(faces, np.float64).reshape(-1, 4))


def _fill(photo: Image, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the middle of `photo`, as much as has the shape of `size_wh`, at that size."""
    height, width = photo.shape[:2]
    factor = max(size_wh[0] / width, size_wh[1] / height)
    w, h = min(width, round(size_wh[0] / factor)), min(height, round(size_wh[1] / factor))
    top, left = (height - h) // 2, (width - w) // 2
    return np.asarray(
        cv2.resize(photo[top : top + h, left : left + w], size_wh, interpolation=cv2.INTER_CUBIC), np.uint8
    )
