"""Draw what the bundled enhancing models do, for the documentation: spoiled, enhanced, and as it was.

    python bench/enhance_sheet.py [OUT.jpg] [--model denoise=FILE.tflite ...]

The photographs are scikit-image's own, free of rights (see `skimage.data`), spoiled by the code that training spoils
photos with; each draw has a fixed seed. A model that is not bundled is told of, and its place in the sheet says so.
Figures beneath are the PSNR of the whole picture shown, all colours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.errors import SettingsError
from vedette.models.enhance import Enhancer
from vedette.sinks.files import write_atomic
from vedette.sources.demo_walls import find_photographs
from vedette_train.data.degrade import compressed, gaussian, scratches, shrunk
from vedette_train.data.face_views import faint
from vedette_train.evaluate_enhance import psnr

Image = NDArray[np.uint8]
OUT = Path("docs/images/enhance.jpg")
TILE_WH, CAPTION_PX, GAP_PX = (400, 260), 30, 6
GROUND, INK = 255, (40, 40, 40)
QUALITY = 80


@dataclass(frozen=True, slots=True)
class Row:
    """A photograph, how it is spoiled, which model mends it, and where to look.

    Attributes:
        model: name in the registry, or several with commas between them.
        photo: file of scikit-image.
        how: what was done, in words.
        spoil: does it.
        at_xy: left upper corner of what is shown, pixels of the photograph.
        mask: what is missing in the spoiled one and told to the model, white.
    """

    model: str
    photo: str
    how: str
    spoil: Callable[[Image], Image]
    at_xy: tuple[int, int]
    mask: Callable[[Image], Image] | None = None


def rng(seed: int = 1) -> np.random.Generator:
    """Return what draws the same at each build."""
    return np.random.default_rng(seed)


def scratched(image: Image) -> Image:
    """Return the mask of scratches and holes."""
    return scratches(image.shape[:2], rng(4))


ROWS = (
    Row("lowlight", "astronaut.png", "a tenth of the light", lambda x: faint(x, 0.1, rng()), (90, 0)),
    Row(
        "denoise,lowlight",
        "rocket.jpg",
        "a twentieth of the light",
        lambda x: faint(x, 0.05, rng()),
        (120, 160),
    ),
    Row("denoise", "coffee.png", "white noise of sigma 25", lambda x: gaussian(x, 25, rng()), (130, 60)),
    Row("sr-x2", "chelsea.png", "half the width and height", lambda x: shrunk(x, 2), (50, 30)),
    Row("restore", "coffee.png", "JPEG of quality 10", lambda x: compressed(x, 10), (130, 60)),
    Row(
        "restore",
        "astronaut.png",
        "scratches and holes",
        lambda x: np.maximum(x, scratched(x)[..., None]),
        (90, 0),
        scratched,
    ),
)


def cell(image: Image, caption: str, at_xy: tuple[int, int] = (0, 0)) -> Image:
    """Return the part of a picture that is shown, with a caption beneath."""
    (x, y), (width, height) = at_xy, TILE_WH
    made = np.full((height + CAPTION_PX, width, 3), GROUND, np.uint8)
    made[:height] = image[y : y + height, x : x + width]
    cv2.putText(made, caption, (2, height + 20), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    return made


def cells(row: Row, photo: Image, enhancer: Enhancer | None) -> Iterator[Image]:
    """Yield the three cells of a row: spoiled, enhanced, as it was. What is small is shown enlarged, bicubic."""
    given = row.spoil(photo)
    true, seen = photo, given
    if given.shape != photo.shape:
        height, width = given.shape[0] * 2, given.shape[1] * 2
        true = photo[:height, :width]
        seen = np.asarray(cv2.resize(given, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    yield cell(seen, f"{row.how}: {psnr(true, seen):.1f} dB", row.at_xy)
    if enhancer is None:
        grey = np.full((TILE_WH[1], TILE_WH[0], 3), 225, np.uint8)
        yield cell(grey, f"{row.model}: not bundled yet")
    else:
        mask = row.mask and row.mask(photo) > 0
        made = enhancer.enhance(given) if mask is None else enhancer.inpaint(given, mask)
        yield cell(made, f"{row.model} {enhancer.infos[0].version}: {psnr(true, made):.1f} dB", row.at_xy)
    yield cell(true, "as it was", row.at_xy)


def load(name: str, files: Mapping[str, str]) -> Enhancer | None:
    """Return the model called `name`, or None, and say so, where there is none of that name."""
    try:
        return vedette.load_enhancer(",".join(files.get(part, part) for part in name.split(",")))
    except SettingsError as error:
        print(f"{name} is missing, and its place in the sheet says so: {error}", file=sys.stderr)
        return None


def draw(files: Mapping[str, str]) -> Image:
    """Return the sheet."""
    folder = find_photographs()
    models = {name: load(name, files) for name in dict.fromkeys(row.model for row in ROWS)}
    lines = []
    for row in ROWS:
        three = list(cells(row, vedette.read_image(folder / row.photo), models[row.model]))
        gap = np.full((three[0].shape[0], GAP_PX, 3), GROUND, np.uint8)
        lines.append(np.hstack([three[0], gap, three[1], gap, three[2]]))
    for model in models.values():
        if model is not None:
            model.close()
    return np.vstack(lines)


def main() -> int:
    """Draw the sheet and write it; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", nargs="?", type=Path, default=OUT)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE", help="in its place")
    options = parser.parse_args()
    files = dict(text.split("=", 1) for text in options.model)
    sheet = cv2.cvtColor(draw(files), cv2.COLOR_RGB2BGR)
    write_atomic(options.out, cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
    print(f"{options.out}: {sheet.shape[1]}x{sheet.shape[0]} px, {options.out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
