"""The ways in which strangers' models want pictures, undone to parts of a pixel; colours; maps back to the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.ops.boxes import nms
from vedette.ops.images import letterbox, letterbox_geometry, map_to_picture
from vedette.ops.quant import fill_input, takes_pixels
from vedette.types import TensorSpec

RESIZES = ("letterbox", "letterbox-topleft", "stretch")
SHAPES = [(720, 1280), (100, 100), (333, 777), (48, 20)]


def blob(shape_hw: tuple[int, int], x: float, y: float, size: float) -> NDArray[np.uint8]:
    """Return a picture with a soft spot whose middle of mass is x, y, in pixels from the corner."""
    rows, columns = np.mgrid[: shape_hw[0], : shape_hw[1]] + 0.5
    grey = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * size**2))
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, -1)


def middle(grey: NDArray[Any]) -> NDArray[np.float32]:
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]] + 0.5
    weight = grey.astype(float)
    return np.float32([(columns * weight).sum(), (rows * weight).sum()]) / np.float32(weight.sum())


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("shape_hw", SHAPES, ids=str)
def test_a_place_comes_back_within_a_tenth_of_a_pixel(shape_hw: tuple[int, int], resize: str) -> None:
    """Twelve input pixels wide, the spot survives the resize; its middle is known to parts of a pixel."""
    x, y = shape_hw[1] * 0.43, shape_hw[0] * 0.57
    box = letterbox_geometry(shape_hw, (224, 224), resize)
    size = 6 / min(box.scale_xy) if resize != "stretch" else min(shape_hw) / 16
    fitted, _ = letterbox(blob(shape_hw, x, y, size), (224, 224), pad_value=0, resize=resize)
    back = box.to_picture(middle(fitted[..., 0])[None])[0]
    np.testing.assert_allclose(back, [x, y], atol=0.1 / min(*box.scale_xy, 1))


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("shape_hw", SHAPES, ids=str)
def test_corners_come_back_exactly(shape_hw: tuple[int, int], resize: str) -> None:
    box = letterbox_geometry(shape_hw, (320, 192), resize)
    corners = np.float32([[box.left, box.top], [box.left + box.width, box.top + box.height]])
    np.testing.assert_allclose(box.to_picture(corners), [[0, 0], shape_hw[::-1]], rtol=1e-5)
    assert (box.left, box.top) == (0, 0) or resize == "letterbox"
    assert (box.width, box.height) == (320, 192) or resize != "stretch"


def contract(color: str, resize: str = "stretch", *, size: int = 8, std: float = 1.0) -> InputContract:
    return InputContract("image", (size, size), color, resize, 7, (1.0, 2.0, 3.0), (std,) * 3)


def tensor(dtype: str, channels: int, *, scale: float = 0.0, zero_point: int = 0) -> TensorSpec:
    return TensorSpec("image", (1, 8, 8, channels), np.dtype(dtype), scale, zero_point)


GREY = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601


@pytest.mark.parametrize("fitted_ahead", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("color", ["rgb", "bgr", "gray"])
def test_colours_arrive_in_the_models_order(color: str, dtype: str, fitted_ahead: bool) -> None:
    image = np.random.default_rng(5).integers(0, 256, (8, 8, 3), np.uint8)
    before = image.copy()
    channels = 1 if color == "gray" else 3
    spec = tensor(
        dtype, channels, scale=0.0 if dtype == "float32" else 2.0, zero_point=0 if dtype != "int8" else -128
    )
    told = contract(color, std=0.5 if dtype != "float32" else 2.0)
    buffer = np.zeros((1, 8, 8, channels), dtype)
    fill_input(image, buffer, spec, told, fitted=image if fitted_ahead else None)
    wanted = {"rgb": image, "bgr": image[..., ::-1], "gray": image.astype(np.float32) @ GREY[:, None]}[color]
    real = (wanted - np.float32((1, 2, 3))[:channels]) / told.std[0]
    got = buffer[0].astype(np.float32)
    got = got if dtype == "float32" else (got - spec.zero_point) * spec.scale
    np.testing.assert_allclose(got, np.clip(real, *(0, 510) if dtype != "float32" else (-9, 999)), atol=1.01)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(("color", "std"), [("bgr", 1.0), ("gray", 1.0), ("bgr", 127.5)])
def test_bars_are_there_in_every_colour(color: str, std: float) -> None:
    told = InputContract("image", (8, 8), color, "letterbox-topleft", 114, (0.0,) * 3, (std,) * 3)
    spec = TensorSpec("image", (1, 8, 8, told.channels), np.dtype("float32"), 0.0, 0)
    buffer = np.zeros(spec.shape, np.float32)
    fill_input(np.full((8, 4, 3), 200, np.uint8), buffer, spec, told)
    np.testing.assert_allclose(buffer[0, :, :4], 200 / std, rtol=1e-5)
    np.testing.assert_allclose(buffer[0, :, 4:], 114 / std, rtol=1e-5)


def test_a_uint8_input_without_scale_takes_pixels() -> None:
    told = InputContract("image", (8, 8), "rgb", "stretch", 0, (0.0,) * 3, (1.0,) * 3)
    assert takes_pixels(tensor("uint8", 3), told)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("places", [(32, 32), (64, 64), (20, 28)], ids=str)
def test_a_map_comes_back_to_the_picture(places: tuple[int, int], resize: str) -> None:
    """A map that tells each place's own x of the picture gives each pixel its own x back."""
    shape_hw, size_wh = (50, 90), (64, 64)
    box = letterbox_geometry(shape_hw, size_wh, resize)
    x = (np.arange(places[1], dtype=np.float32) + 0.5) * size_wh[0] / places[1]
    points = np.stack([x, np.zeros_like(x)], -1)
    values = np.tile(box.to_picture(points)[:, 0], (places[0], 1)).astype(np.float32)
    back = map_to_picture(values, box, size_wh, shape_hw, smooth=True)
    inner = slice(3, -3)  # beyond the outermost places nothing is known
    np.testing.assert_allclose(back[:, inner], np.tile(np.arange(90) + 0.5, (50, 1))[:, inner], atol=0.1)


def test_the_nearest_place_answers_for_a_pixel() -> None:
    values = np.array([[1, 2], [3, 4]], np.uint8)
    box = letterbox_geometry((4, 4), (2, 2), "stretch")
    back = map_to_picture(values, box, (2, 2), (4, 4), smooth=False)
    assert back.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


@pytest.mark.parametrize(("class_id", "kept"), [([0, 0, 0], [1, 2]), ([0, 1, 1], [1, 0, 2]), (None, [1, 2])])
def test_suppression_within_classes_and_across(class_id: list[int] | None, kept: list[int]) -> None:
    xyxy = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]])
    classes = None if class_id is None else np.int32(class_id)
    assert nms(xyxy, np.float32([0.8, 0.9, 0.7]), iou=0.5, class_id=classes).tolist() == kept
