"""How near enhanced pictures are to the true ones, beside what needs no network.

    python bench/enhance.py MODEL.tflite --kind sr --data ../shared/data [--json]
    python bench/enhance.py --kind denoise --data ../shared/data            # the classical ones alone

- sr: Set5 and Set14, cut to multiples of the scale, made small by PIL's bicubic filter, which widens as MATLAB's does;
  PSNR and SSIM of Y (BT.601), PSNR without as many pixels of the edge as the scale. Beside it the bicubic filter.
- denoise: Set14 with white noise of sigma 15, 25 and 50, drawn by a seed, rounded and clipped; and PolyU's 50 pairs of
  real noise. Beside it OpenCV's bilateral filter and non-local means, and BM3D where `pip install bm3d` was done, all
  told the true sigma; on real noise sigma is estimated (scikit-image, which needs `pip install PyWavelets`). The
  network is told nothing.
- lowlight: Set14 in a fifth, a tenth and a twentieth of the light, with a sensor's noise. Beside it one gamma for all,
  to a mean of one half, and OpenCV's CLAHE of the luma.
- restore: Set14 as JPEG of quality 10, 20 and 40, and with scratches and missing parts, whose mask is told. Beside it,
  of the latter, OpenCV's inpainting (Telea); the network restores what that filled (`Enhancer.inpaint`).

With `--apart BACKBONE.tflite` also how far the results are from the true pictures in the features of a network that
names things (`vedette_train.perceptual`; **not LPIPS**). The backbone that a vivid model learned by favours it: ask
another.

A model of fixed size sees larger pictures in overlapping tiles. PSNR and SSIM are means over pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import vedette
from vedette_train.data.degrade import FILL_RADIUS_PX, compressed, gaussian, scratches, shrunk
from vedette_train.data.face_views import faint
from vedette_train.data.pairs import KINDS, Task
from vedette_train.evaluate_enhance import before, psnr, psnr_y, ssim

Image = NDArray[np.uint8]
Method = Callable[[Image, Any], Image]
Case = tuple[str, Image, Image, Any]
"""Its name, what is given, what is wanted, and what is told: sigma, or the mask of what is missing, or None."""


def pictures(folder: Path) -> Iterator[Image]:
    """Yield the pictures of a folder by name."""
    for path in sorted(folder.iterdir()):
        yield vedette.read_image(path)


def sr_cases(photos: Path, scale: int) -> Iterator[Case]:
    """Yield small and whole pictures."""
    for name in ("set5", "set14"):
        for image in pictures(photos / name):
            height, width = (n // scale * scale for n in image.shape[:2])
            yield name, shrunk(image, scale), image[:height, :width], 0.0


def denoise_cases(photos: Path, _scale: int) -> Iterator[Case]:
    """Yield noisy and clean pictures."""
    from skimage.restoration import estimate_sigma

    for sigma in (15.0, 25.0, 50.0):
        for i, image in enumerate(pictures(photos / "set14")):
            yield f"sigma {sigma:.0f}", gaussian(image, sigma, np.random.default_rng(i)), image, sigma
    for path in sorted((photos / "realnoise").glob("*_real.JPG")):
        noisy = vedette.read_image(path)
        clean = vedette.read_image(path.with_name(path.name.replace("_real", "_mean")))
        yield "real", noisy, clean, float(estimate_sigma(noisy, channel_axis=-1, average_sigmas=True))


def lowlight_cases(photos: Path, _scale: int) -> Iterator[Case]:
    """Yield dark and lit pictures."""
    for gain in (0.2, 0.1, 0.05):
        for i, image in enumerate(pictures(photos / "set14")):
            yield f"light {gain:g}", faint(image, gain, np.random.default_rng(i)), image, 0.0


def restore_cases(photos: Path, _scale: int) -> Iterator[Case]:
    """Yield spoiled and whole pictures, and the mask of what is missing."""
    for quality in (10, 20, 40):
        for image in pictures(photos / "set14"):
            yield f"jpeg {quality}", compressed(image, quality), image, None
    for i, image in enumerate(pictures(photos / "set14")):
        mask = scratches(image.shape[:2], np.random.default_rng(i))
        yield "damaged", np.maximum(image, mask[..., None]), image, mask > 0


CASES = {"sr": sr_cases, "denoise": denoise_cases, "lowlight": lowlight_cases, "restore": restore_cases}


def bilateral(image: Image, sigma: float) -> Image:
    """Filter with the spreads at which Set14 came out best at sigma 15 and 25: 30.76 and 27.76 dB, of 15 tried."""
    return np.asarray(cv2.bilateralFilter(image, 7, max(1.0, 4 * sigma), 2.0), np.uint8)


def nlmeans(image: Image, sigma: float) -> Image:
    """Filter with the strength that OpenCV's documentation proposes for the noise: h = sigma."""
    strength = max(1.0, sigma)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done = cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength, 7, 21)
    return np.asarray(cv2.cvtColor(done, cv2.COLOR_BGR2RGB), np.uint8)


def bm3d(image: Image, sigma: float) -> Image:
    """Filter by the authors' colour BM3D."""
    import bm3d as package

    done = package.bm3d_rgb(image.astype(np.float32) / 255, max(1.0, sigma) / 255)
    return np.clip(np.rint(done * 255), 0, 255).astype(np.uint8)


def telea(image: Image, mask: NDArray[np.bool_] | None) -> Image:
    """Fill what is missing from its edges; nothing else is done to a picture."""
    if mask is None:
        return image
    return np.asarray(cv2.inpaint(image, mask.astype(np.uint8), FILL_RADIUS_PX, cv2.INPAINT_TELEA), np.uint8)


def gamma(image: Image, _told: float) -> Image:
    """Raise all levels by the power that brings the mean to one half."""
    level = float(np.clip(image.mean() / 255, 1e-3, 0.999))
    codes = (np.arange(256) / 255.0) ** (np.log(0.5) / np.log(level)) * 255
    return np.asarray(cv2.LUT(image, np.rint(codes).astype(np.uint8)), np.uint8)


def clahe(image: Image, _told: float) -> Image:
    """Equalize the luma in 8x8 places, contrast limited."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(4.0, (8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def classical(kind: str, scale: int) -> dict[str, Method]:
    """Return what needs no network; what is not installed is left out."""
    task = Task(kind, scale, (1, 1))
    found: dict[str, Method] = {"bicubic" if kind == "sr" else "as it is": lambda x, _: before(x, task)}
    if kind == "denoise":
        found |= {"bilateral": bilateral, "nlmeans": nlmeans}
        try:
            import bm3d as _  # noqa: F401
        except ModuleNotFoundError:
            print("BM3D is left out: pip install bm3d", file=sys.stderr)
        else:
            found["bm3d"] = bm3d
    more = {"lowlight": {"gamma": gamma, "clahe": clahe}, "restore": {"inpaint": telea}}
    return found | more.get(kind, {})


def measure(
    cases: Iterator[Case], methods: Mapping[str, Method], *, border: int, backbone: Path | None = None
) -> dict[str, Any]:
    """Return for each group and method PSNR, SSIM and seconds a megapixel given, and the least gain of PSNR."""
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    if backbone is not None:
        from vedette_train.perceptual import picture_distance  # needs Keras, the rest does not

    for group, given, wanted, told in cases:
        first = None
        for name, method in methods.items():
            start = time.perf_counter()
            found = method(given, told)
            took = (time.perf_counter() - start) / (given.shape[0] * given.shape[1]) * 1e6
            near = psnr_y(wanted, found, border=border) if border else psnr(wanted, found)
            first = near if first is None else first
            row = (near, ssim(wanted, found), took, near - first)
            distance: tuple[float, ...] = (
                () if backbone is None else (picture_distance(wanted, found, backbone),)
            )
            rows.setdefault((group, name), []).append((*row, *distance))
    figures = {
        f"{group} {name}": {
            "psnr": round(float(np.mean([v[0] for v in values])), 3),
            "ssim": round(float(np.mean([v[1] for v in values])), 4),
            "s_per_mp": round(float(np.median([v[2] for v in values])), 4),
            "least_gain": round(min(v[3] for v in values), 3),
        }
        for (group, name), values in rows.items()
    }
    for (group, name), values in rows.items() if backbone is not None else ():
        figures[f"{group} {name}"]["apart"] = round(float(np.mean([v[4] for v in values])), 4)
    return figures


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", help="a .tflite file")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--scale", type=int, default=3, help="of sr, where no model is given")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--apart", type=Path, metavar="BACKBONE", help="a quantized MobileNet; needs Keras")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.data / "photos").is_dir():
        print(f"there is no photos/ in {options.data}; give --data", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        scale = options.scale if options.kind == "sr" else 1
        methods: dict[str, Method] = {}
        if options.model:
            model = stack.enter_context(vedette.load_enhancer([options.model], threads=1))
            scale = model.scale
            methods["model"] = lambda image, told: np.asarray(
                model.inpaint(image, told) if isinstance(told, np.ndarray) else model.enhance(image), np.uint8
            )
        methods = classical(options.kind, scale) | methods
        border = scale if options.kind == "sr" else 0
        told = measure(
            CASES[options.kind](options.data / "photos", scale),
            methods,
            border=border,
            backbone=options.apart,
        )
    if options.json:
        print(json.dumps(told))
        return 0
    print(
        f"{'':24s}{'PSNR':>9s}{'SSIM':>9s}{'s/MP':>9s}{'least gain':>12s}{'apart' if options.apart else '':>9s}"
    )
    for name, row in told.items():
        print(
            f"{name:24s}{row['psnr']:9.3f}{row['ssim']:9.4f}{row['s_per_mp']:9.3f}{row['least_gain']:12.3f}"
            f"{row.get('apart', ''):>9}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
