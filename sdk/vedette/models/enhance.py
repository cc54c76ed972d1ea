"""Enhance pictures of any size by a chain of models: in overlapping tiles where a network looks at every pixel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.contract import ModelFile
from vedette.errors import ModelError, VedetteError
from vedette.models.images import ImageToImage
from vedette.ops.depth import STEP, apart, refined, to_eight_bits, to_sixteen_bits, together
from vedette.ops.windows import Window, cut, plan
from vedette.tflite.reach import Reach, read_reach
from vedette.types import Closing, Image, ModelInfo

__all__ = ["MAX_PIXELS", "Enhancer", "Step", "TiledImage"]

MAX_PIXELS = 1 << 28
"""Of a result; what is larger could not be read again, see `vedette.sources.images`."""

CORE = 256
"""Side of what is kept of a tile, at most, where the model takes any size; more where its reach is long."""

LEAST_CORE = 8
FILL_RADIUS_PX = 3
"""How far around a place the filling looks, as in the training of `restore`."""

Depth = TypeVar("Depth", np.uint8, np.uint16)


Tell: TypeAlias = Callable[[float], object]
"""What is told how much is done, 0..1."""


def _nobody(_done: float) -> None: ...


def _within(tell: Tell, part: int, parts: int) -> Tell:
    """Return what hands on how much of a part is done as how much of the whole is."""
    return lambda done: tell((part + done) / parts)


class Step(Protocol):
    """What makes a picture of a picture: `TiledImage`, `CurveEnhancer`, or one's own."""

    scale: int
    info: ModelInfo

    def enhance(self, image: NDArray[Depth], *, tell: Tell = _nobody) -> NDArray[Depth]:
        """Return a picture `scale` times as large, of the same depth, of (H, W, 3) RGB; `tell` how much is done."""
        ...

    def close(self) -> None: ...


class Enhancer(Closing):
    """Enhancing models, one after the other. Safe to call from several threads.

    Args:
        steps: at least one; closed with this.

    Attributes:
        names: of the models, in order.
        infos: which models they are.
        scale: how many times wider and higher the result is.
        invents: whether a model makes up detail that was never there; not for looking who somebody is.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        self.infos = tuple(step.info for step in steps)
        self.names = tuple(info.name for info in self.infos)
        self.scale = math.prod(step.scale for step in steps)
        self.invents = any(getattr(step, "invents", False) for step in steps)

    def enhance(self, image: NDArray[Depth], *, tell: Tell = _nobody) -> NDArray[Depth]:
        """Return `image`, (H, W, 3) RGB of uint8 or uint16, enhanced: `scale` times as large, same dtype.

        Of sixteen bits the networks see eight; what those lack is added to their answer.

        Args:
            image: of any size.
            tell: told how much is done, 0..1.

        Raises:
            VedetteError: it is no such picture, or the result would have more than `MAX_PIXELS`.
            EngineError: a model failed while running.
        """
        _check(image, self.scale)
        for i, step in enumerate(self.steps):
            image = step.enhance(image, tell=_within(tell, i, len(self.steps)))
        return image

    def enhance_any(self, picture: NDArray[Any], *, tell: Tell = _nobody) -> NDArray[Any]:
        """Return `picture` enhanced: grey stays grey, and transparency is kept, in the result's size.

        Args:
            picture: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8, uint16, or real values 0..1, which become
                uint16: what is not a number 0, what is outside clipped.
            tell: as in `enhance`.

        Raises:
            VedetteError, EngineError: as `enhance`.
        """
        if not (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (3, 4))):
            raise VedetteError(f"a picture must be (H, W), (H, W, 3) or (H, W, 4), not {picture.shape}.")
        if picture.dtype.kind == "f":
            picture, _ = to_sixteen_bits(picture)
        rgb, alpha = apart(picture)
        return together(self.enhance(rgb, tell=tell), alpha, grey=picture.ndim == 2)

    def inpaint(
        self, picture: NDArray[Any], mask: NDArray[np.bool_], *, tell: Tell = _nobody
    ) -> NDArray[Any]:
        """Return `picture` with the places of `mask` made up from what lies around them; all else is untouched.

        They are filled from their edges first (Telea, An image inpainting technique based on the fast marching method,
        2004), and then by the models, which are best made for restoring.

        Args:
            picture: as in `enhance_any`.
            mask: (H, W), True where something is missing.
            tell: as in `enhance`.

        Raises:
            VedetteError: the mask is of another size, or leaves nothing to go by; or a model enlarges.
            EngineError: a model failed while running.
        """
        if mask.shape != picture.shape[:2] or mask.all():
            raise VedetteError(
                f"the mask {mask.shape} must be as high and wide as the picture {picture.shape[:2]}, and leave "
                "some of it."
            )
        if self.scale != 1:
            raise VedetteError(
                f"{', '.join(self.names)} enlarges; a mask needs models of the same size, such as restore."
            )
        if picture.dtype.kind == "f":
            picture, _ = to_sixteen_bits(picture)
        rgb, alpha = apart(picture)
        _check(rgb, 1)
        filled = cv2.inpaint(to_eight_bits(rgb), mask.astype(np.uint8), FILL_RADIUS_PX, cv2.INPAINT_TELEA)
        made = self.enhance(np.asarray(filled, np.uint8), tell=tell)
        deep: NDArray[Any] = made if rgb.dtype == np.uint8 else made.astype(np.uint16) * STEP
        return together(np.where(mask[..., None], deep, rgb), alpha, grey=picture.ndim == 2)

    def enhance_at(self, image: Image, resolution: float) -> Image:
        """Return `image` enhanced by what the models change in a smaller picture of it: cheaper, less fine.

        Args:
            image: (H, W, 3) uint8 RGB.
            resolution: 0..1 of its width and height; 1 is `enhance`, 0 runs no model.

        Returns:
            as large as that of `enhance`, whatever the resolution.
        """
        if resolution >= 1:
            return self.enhance(image)
        _check(image, self.scale)
        width, height = image.shape[1] * self.scale, image.shape[0] * self.scale
        base = _resized(image, (width, height), cv2.INTER_CUBIC)
        if resolution <= 0:
            return base
        size_wh = (max(1, round(image.shape[1] * resolution)), max(1, round(image.shape[0] * resolution)))
        small = _resized(image, size_wh, cv2.INTER_AREA)
        made = self.enhance(small)
        plain = _resized(small, (made.shape[1], made.shape[0]), cv2.INTER_CUBIC)
        change = cv2.resize(cv2.subtract(made, plain, dtype=cv2.CV_16S), (width, height))
        return np.asarray(cv2.add(base, change, dtype=cv2.CV_8U), np.uint8)

    def begin(self) -> None:
        """Let models that remember forget what they saw: what comes next is another picture or video."""
        for step in self.steps:
            forget = getattr(step, "begin", None)
            if forget is not None:
                forget()

    def close(self) -> None:
        """Close the models."""
        with ExitStack() as stack:
            for step in self.steps:
                stack.callback(step.close)


class TiledImage(Closing):
    """A model of pictures that takes pictures of any size, in tiles that overlap by as far as the network looks.

    Args:
        network: closed with this.
        core: side of what is kept of each tile, at most, where the network takes any size.

    Raises:
        ModelError: how far the network looks is not known, or is more than its input has room for.
    """

    def __init__(self, network: ImageToImage, *, core: int | None = None) -> None:
        self.network, self.info, self.scale = network, network.info, network.scale
        self.reach = _reach(network.model)
        self.invents = bool(network.model.contract.head.get("invents", False))
        self._grey = network.model.contract.input.color == "gray"
        self._fixed = 0 not in network.model.contract.input.size_wh
        self._core_wh = self._fit_core(core)

    def _fit_core(self, core: int | None) -> tuple[int, int]:
        margin, step = self.reach.margin_px, self.reach.step_px
        if not self._fixed:
            side = max(1, math.ceil((core or max(CORE, 4 * margin)) / step)) * step
            return side, side
        width, height = self.network.model.contract.input.size_wh
        core_wh = (width - 2 * margin) // step * step, (height - 2 * margin) // step * step
        if min(core_wh) < LEAST_CORE or width % step or height % step:
            raise ModelError(
                f"{self.network.model.path} looks {margin} px around each place, in steps of {step} px; its input of "
                f"{width}x{height} has no room for that. Convert it with a larger input, or with one of any size."
            )
        return core_wh

    def enhance(self, image: NDArray[Depth], *, tell: Tell = _nobody) -> NDArray[Depth]:
        """Return a picture `scale` times as large, of the same depth, of (H, W, 3) RGB of uint8 or uint16.

        Args:
            image: of any size.
            tell: told how much is done, 0..1, after each tile.

        Raises:
            EngineError: the model failed while running.
        """
        height, width = image.shape[:2]
        made = np.empty((height * self.scale, width * self.scale, 3), image.dtype)
        windows = self.windows((width, height))
        for i, window in enumerate(windows, 1):
            self._place(image, window, made)
            tell(i / len(windows))
        return made

    def windows(self, size_wh: tuple[int, int]) -> list[Window]:
        """Return the tiles of a picture of `size_wh`."""
        return plan(
            size_wh,
            core_wh=self._core_wh,
            margin=self.reach.margin_px,
            step=self.reach.step_px,
            fixed=self._fixed,
        )

    def _place(self, image: NDArray[Depth], window: Window, made: NDArray[Depth]) -> None:
        """Run the network on a window of `image`, and write what is kept of it into `made`."""
        seen, times = np.ascontiguousarray(cut(image, window)), self.scale
        answer = self._run(to_eight_bits(seen))
        if seen.dtype == np.uint16:
            answer = refined(answer, seen)
        width, height = window.width * times, window.height * times
        left, top = window.left * times, window.top * times
        x, y = left - window.seen_left * times, top - window.seen_top * times
        made[top : top + height, left : left + width] = answer[y : y + height, x : x + width]

    def _run(self, seen: Image) -> Any:
        """Return the network's answer; of one that makes grey pictures with the colours that were there."""
        answer = self.network.enhance(seen)
        if not self._grey:
            return answer
        colors = cv2.cvtColor(
            _resized(seen, (answer.shape[1], answer.shape[0]), cv2.INTER_CUBIC), cv2.COLOR_RGB2YCrCb
        )
        colors[..., 0] = answer[..., 0]
        return cv2.cvtColor(colors, cv2.COLOR_YCrCb2RGB)

    def close(self) -> None:
        """Close the network."""
        self.network.close()


def _reach(model: ModelFile) -> Reach:
    head = model.contract.head
    if "reach_px" in head:
        try:
            return Reach(max(0, int(head["reach_px"])), max(1, int(head.get("step_px", 1))))
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{model.path}: its head's reach_px or step_px is no number ({error})."
            ) from error
    reach = read_reach(model.data)
    if reach is None:
        raise ModelError(
            f"{model.path}: how far its network looks around a place cannot be told, so that tiles would not fit "
            "together. `vedette run` gives it whole pictures; `reach_px` in its head says it."
        )
    return reach


def _check(image: NDArray[Any], scale: int) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16) or 0 in image.shape:
        raise VedetteError(
            f"a picture must be (H, W, 3) RGB of uint8 or uint16 with a pixel at least, not {image.dtype} "
            f"{image.shape}. Read files with vedette.read_image(path)."
        )
    pixels = image.shape[0] * image.shape[1] * scale * scale
    if pixels > MAX_PIXELS:
        raise VedetteError(
            f"the result would have {pixels / 1e6:.0f} million pixels; the limit is {MAX_PIXELS / 1e6:.0f}. Make the "
            "picture smaller first, or take a smaller scale."
        )


def _resized(image: Image, size_wh: tuple[int, int], how: int) -> Image:
    if (image.shape[1], image.shape[0]) == size_wh:
        return image
    return np.asarray(cv2.resize(image, size_wh, interpolation=how), np.uint8)
