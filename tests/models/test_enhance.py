"""Pictures of any size through small networks that run: no seam, every depth, every shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vedette
from drawn_enhancers import curve_model, picture_model
from drawn_graphs import T, chain
from vedette.errors import ModelError, SettingsError, VedetteError
from vedette.models import enhance
from vedette.models.enhance import Enhancer, TiledImage

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
Load = Callable[..., Enhancer]


@pytest.fixture
def load(tmp_path: Path, request: pytest.FixtureRequest) -> Load:
    """Return what loads models given as bytes."""

    def from_bytes(*models: bytes) -> Enhancer:
        paths = []
        for i, data in enumerate(models):
            paths.append(tmp_path / f"model{i}.tflite")
            paths[-1].write_bytes(data)
        enhancer = vedette.load_enhancer(paths, threads=1)
        request.addfinalizer(enhancer.close)
        return enhancer

    return from_bytes


def photo(width: int, height: int, *, seed: int = 1) -> np.ndarray[Any, Any]:
    """Return noise of all frequencies, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.random((5, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = rng.random((height, width, 3))
    return np.clip(255 * (0.6 * coarse + 0.4 * fine), 0, 255).astype(np.uint8)


def tiled(enhancer: Enhancer, core: int, **changes: Any) -> TiledImage:
    """Return the only step of `enhancer` with other tiles."""
    (step,) = enhancer.steps
    assert isinstance(step, TiledImage)
    made = TiledImage(step.network, core=core)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(picture_model(1), id="x1"),
        pytest.param(picture_model(3), id="x3"),
        pytest.param(picture_model(1, stride=2), id="on a grid of 2"),
        pytest.param(picture_model(2, stride=4), id="x2 on a grid of 4"),
    ],
)
def test_tiles_fit_without_a_seam(load: Load, model: bytes) -> None:
    """Off by one grey level at most, as asked for; networks of floats round alike, so it is none here."""
    image = photo(131, 77)
    enhancer = load(model)
    whole = tiled(enhancer, 4096).enhance(image)
    parts = tiled(enhancer, 24).enhance(image)
    assert len(tiled(enhancer, 24).windows((131, 77))) >= 20
    assert np.abs(whole.astype(int) - parts).max() <= 1
    (step,) = enhancer.steps
    assert isinstance(step, TiledImage)
    even = image[:76, :128]  # whole cells of the coarser grids
    alone = step.network.enhance(even).astype(int)
    assert (
        np.abs(alone - tiled(enhancer, 24).enhance(even)).max() <= 1
    )  # and as the network has it, to the edge


def test_a_shorter_overlap_would_show(load: Load) -> None:
    enhancer = load(picture_model(1, stride=2))
    whole = tiled(enhancer, 4096).enhance(photo(131, 77))
    blind = load(picture_model(1, stride=2, reach_px=0, step_px=2))
    assert np.abs(whole.astype(int) - tiled(blind, 24).enhance(photo(131, 77))).max() > 3


def test_a_fixed_input_is_tiled_too(load: Load) -> None:
    image = photo(100, 41)
    free = load(picture_model(2)).enhance(image).astype(int)
    fixed = load(picture_model(2, size=24)).enhance(image)
    np.testing.assert_allclose(free, fixed, atol=1)
    small = load(picture_model(2, size=24)).enhance(
        image[:5, :9]
    )  # what is seen beyond is a mirror, not the edge
    np.testing.assert_allclose(small[:6, :14], load(picture_model(2)).enhance(image[:5, :9])[:6, :14], atol=1)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 3), (200, 3), (1, 50)])
@pytest.mark.parametrize("size", [0, 24])
def test_tiny_pictures(load: Load, width: int, height: int, size: int) -> None:
    plain = np.full((height, width, 3), (10, 120, 250), np.uint8)
    enhancer = load(picture_model(3, size=size))
    made = enhancer.enhance(plain)
    assert made.shape == (3 * height, 3 * width, 3)
    (step,) = enhancer.steps
    assert isinstance(step, TiledImage)
    if size == 0:
        np.testing.assert_array_equal(made, step.network.enhance(plain))


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_go_through_the_chain(load: Load, level: int) -> None:
    made = load(curve_model(), picture_model(2)).enhance(np.full((20, 30, 3), level, np.uint8))
    assert made.shape == (40, 60, 3)
    assert (made == 0).all() if level == 0 else made.min() > 60


def test_a_chain_runs_in_order(load: Load) -> None:
    image = photo(30, 20)
    light, large = load(curve_model()), load(picture_model(2))
    both = load(curve_model(), picture_model(2))
    np.testing.assert_array_equal(both.enhance(image), large.enhance(light.enhance(image)))
    assert (both.names, both.scale) == (("light", "blur-x2"), 2)


def test_sixteen_bits_stay_and_agree_with_eight(load: Load) -> None:
    image = np.minimum(photo(60, 40), 254)
    deep = image.astype(np.uint16) * 257 + 60
    enhancer = load(curve_model(), picture_model(2))
    made = enhancer.enhance(deep)
    assert made.dtype == np.uint16
    assert (
        np.abs(made / 257 - enhancer.enhance(image)).max() < 4
    )  # a quarter level in the dark, ten times brighter
    assert len(np.unique(made % 257)) > 50  # no mere multiples of eight bits


@pytest.mark.parametrize(
    ("shape", "dtype", "wanted"),
    [
        pytest.param((20, 30), "uint8", (40, 60), id="grey"),
        pytest.param((20, 30), "uint16", (40, 60), id="grey 16 bits"),
        pytest.param((20, 30, 4), "uint8", (40, 60, 4), id="transparency"),
        pytest.param((20, 30, 3), "float32", (40, 60, 3), id="real"),
    ],
)
def test_any_picture_keeps_its_kind(
    load: Load, shape: tuple[int, ...], dtype: str, wanted: tuple[int, ...]
) -> None:
    picture = np.random.default_rng(1).random(shape)
    if dtype == "float32":
        picture[0, 0] = np.nan
    else:
        picture = picture * np.iinfo(dtype).max
    made = load(picture_model(2)).enhance_any(picture.astype(dtype))
    assert (made.shape, made.dtype) == (wanted, np.dtype("uint8" if dtype == "uint8" else "uint16"))


def test_a_model_of_grey_pictures_keeps_the_colours(load: Load) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20], image[:, 20:] = (200, 40, 40), (40, 40, 200)
    made = load(picture_model(1, channels=1)).enhance(image)
    np.testing.assert_allclose(made[20, 4], (200, 40, 40), atol=4)
    np.testing.assert_allclose(made[20, 35], (40, 40, 200), atol=4)


def test_less_resolution_changes_less_finely_and_keeps_size_and_detail(load: Load) -> None:
    image = photo(80, 60)
    light = load(curve_model(bias=0.5))
    full = light.enhance(image).astype(int)
    half = light.enhance_at(image, 0.5).astype(int)
    assert half.shape == full.shape
    assert np.abs(half - full).mean() < 0.25 * np.abs(full - image).mean()
    assert light.enhance_at(image, 0) is image
    assert load(picture_model(3)).enhance_at(image, 0).shape == (180, 240, 3)
    assert load(picture_model(3)).enhance_at(image, 0.25).shape == (180, 240, 3)
    assert light.enhance_at(image[:1, :1], 0.25).shape == (1, 1, 3)


def test_curves_do_not_see_the_size(load: Load) -> None:
    """The network's work is the same for any picture: it is fed its own small input."""
    (step,) = load(curve_model(bias=0.2, slope=0.5)).steps
    assert isinstance(step, vedette.models.curves.CurveEnhancer)
    image = photo(64, 48)
    large = cv2.resize(image, (1920, 1440), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_allclose(step.curves(image), step.curves(large), atol=0.05)


def test_curves_of_a_model_that_sees_blue_first_come_back_red_first(load: Load) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 200  # the curves of a colour rise with it alone
    for color in ("rgb", "bgr"):
        (step,) = load(curve_model(bias=0.0, slope=1.0, color=color)).steps
        assert isinstance(step, vedette.models.curves.CurveEnhancer)
        curves = step.curves(image).reshape(8, 8, 4, 3)
        np.testing.assert_allclose(curves[..., 0], 200 / 255, atol=0.01)
        np.testing.assert_allclose(curves[..., 1:], 0, atol=0.01)


def test_how_much_is_done_is_told(load: Load) -> None:
    told: list[float] = []
    enhancer = Enhancer([tiled(load(picture_model(1)), 16), *load(curve_model()).steps])
    enhancer.enhance(photo(40, 16), tell=told.append)
    assert told == pytest.approx([1 / 6, 2 / 6, 3 / 6, 1])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(picture_model(1, size=8), "has no room", id="a small input"),
        pytest.param(picture_model(1, reach_px="far"), "no number", id="a wrong reach"),
    ],
)
def test_what_does_not_fit_tiles_is_refused(load: Load, model: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(model)


def test_a_network_that_looks_everywhere_is_refused(load: Load) -> None:
    anywhere = chain(T("image", (1, 32, 32, 3)), T("made", (1, 32, 32, 3)), "MEAN", "LOGISTIC")
    with pytest.raises(ModelError):
        load(anywhere)


def test_other_tasks_and_no_names_are_refused() -> None:
    with pytest.raises(ModelError, match="not for enhancing"):
        vedette.load_enhancer("face-detector")
    with pytest.raises(SettingsError, match="did you mean 'face-detector'"):
        vedette.load_enhancer("face-detectr")
    with pytest.raises(SettingsError, match="no model is named"):
        vedette.load_enhancer(",")


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((4, 4), np.uint8), id="grey"),
        pytest.param(np.zeros((4, 4, 3), np.float32), id="real"),
        pytest.param(np.zeros((0, 4, 3), np.uint8), id="empty"),
    ],
)
def test_what_is_no_picture_is_refused(load: Load, image: np.ndarray[Any, Any]) -> None:
    with pytest.raises(VedetteError, match="a picture must be"):
        load(picture_model(1)).enhance(image)


def test_a_result_beyond_all_bounds_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enhance, "MAX_PIXELS", 1000)
    with pytest.raises(VedetteError, match="million pixels"):
        load(picture_model(3)).enhance(photo(20, 10))


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data, which is not there")
def test_a_real_int8_network_has_no_seam() -> None:
    path = sorted((DATA / "photos" / "set14").iterdir())[1]
    image = vedette.read_image(path)[:150, :190]
    with vedette.load_enhancer([DATA / "models" / "abpn_x3_qat.tflite"], threads=1) as enhancer:
        whole = enhancer.steps[0].network.enhance(image).astype(int)  # type: ignore[attr-defined]
        assert np.abs(whole - tiled(enhancer, 48).enhance(image)).max() <= 1


def hole(width: int, height: int) -> np.ndarray[Any, Any]:
    """Return a mask with a small rectangle."""
    mask = np.zeros((height, width), bool)
    mask[20:26, 30:40] = True
    return mask


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda p: p, id="RGB"),
        pytest.param(lambda p: p[..., 1], id="grey"),
        pytest.param(lambda p: np.dstack((p, p[..., 0])), id="RGBA"),
        pytest.param(lambda p: p.astype(np.uint16) * 250, id="16 bits"),
    ],
)
def test_what_is_missing_is_made_up_and_nothing_else(load: Load, shape: Callable[[Any], Any]) -> None:
    whole = shape(np.full((48, 64, 3), (200, 120, 40), np.uint8))
    mask = hole(64, 48)
    spoiled = whole.copy()
    spoiled[mask] = 0
    made = load(picture_model(1)).inpaint(spoiled, mask)
    assert made.dtype == whole.dtype
    assert (made[~mask] == spoiled[~mask]).all()
    if made.ndim == 3:
        assert made.shape[2] == 3 or (made[mask][:, 3] == 0).all()  # transparency is none of its business
        made = made[..., :3]
    assert made[mask].min() > 0


def test_a_hole_in_a_flat_picture_is_filled_with_its_colour(load: Load) -> None:
    whole = np.full((48, 64, 3), 90, np.uint8)
    spoiled = whole.copy()
    spoiled[hole(64, 48)] = 255
    enhancer = load(picture_model(1))
    wanted = np.where(hole(64, 48)[..., None], enhancer.enhance(whole), whole)
    made = enhancer.inpaint(spoiled, hole(64, 48)).astype(int)
    assert np.abs(made - wanted).max() <= 2  # OpenCV rounds down


@pytest.mark.parametrize(
    ("mask", "scale", "words"),
    [
        pytest.param(np.zeros((48, 60), bool), 1, "as high and wide", id="another size"),
        pytest.param(np.ones((48, 64), bool), 1, "leave some", id="all of it"),
        pytest.param(hole(64, 48), 2, "same size", id="a model that enlarges"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(load: Load, mask: Any, scale: int, words: str) -> None:
    with pytest.raises(VedetteError, match=words):
        load(picture_model(scale)).inpaint(photo(64, 48), mask)
