"""The stage `enhance`: later stages see the new picture, a budget is kept, light and noise switch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest

import vedette
from drawn_enhancers import curve_model, picture_model
from recognition import ToldFaces, toy_recognizer
from vedette.app import make_stage
from vedette.errors import SettingsError
from vedette.models.enhance import Enhancer
from vedette.ops.curves import apply_curves
from vedette.pipeline import process
from vedette.settings import EnhanceSettings
from vedette.stages.detect import Detect
from vedette.stages.enhance import Enhance
from vedette.stages.order import check_order
from vedette.stages.recognize import Recognize
from vedette.stages.steady import FOLLOW_S, SteadyCurves
from vedette.stages.track import Track
from vedette.stats import Stats
from vedette.testing import FakeSource, ListSink
from vedette.types import Detections, Frame, ModelInfo, Results


class Clock:
    """A clock that the models move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Slow:
    """A model that takes as long as told for a picture of 64 x 48, and adds one grey level."""

    def __init__(self, clock: Clock, *, scale: int = 1, ms: float = 100.0) -> None:
        self.clock, self.scale, self.ms = clock, scale, ms
        self.info = ModelInfo("slow", "1", "0" * 64, "none")
        self.closed = 0

    def enhance(self, image: Any, *, tell: object = None) -> Any:
        self.clock.now_s += self.ms / 1e3 * image.shape[0] * image.shape[1] / (64 * 48)
        return np.repeat(np.repeat(image + 1, self.scale, 0), self.scale, 1)

    def close(self) -> None:
        self.closed += 1


class Finder:
    """A detector that finds one box around the whole picture that it is given."""

    info = ModelInfo("finder", "1", "0" * 64, "none")

    def detect(self, image: Any) -> Detections:
        height, width = image.shape[:2]
        box = np.float32([[0, 0, width, height]])
        return Detections.of(box, np.float32([1]), np.int32([int(image.max())]), labels=())

    def close(self) -> None: ...


def frame(k: int, level: Any = 100, *, fps: float = 30.0, size_wh: tuple[int, int] = (64, 48)) -> Frame:
    image = np.broadcast_to(np.asarray(level, np.uint8), (size_wh[1], size_wh[0], 3)).copy()
    return Frame(image, k, round(k * 1e9 / fps), 0, "drawn")


def go(
    stage: Enhance,
    clock: Clock,
    *,
    seconds: float,
    fps: float = 30.0,
    at: Callable[[int], Any] = lambda _k: 100,
) -> list[Results]:
    """Return the results of so many seconds; each frame comes at its time, or when the last is done."""
    made = []
    for k in range(round(seconds * fps)):
        clock.now_s = max(clock.now_s, k / fps)
        made.append(stage(Results(frame(k, at(k), fps=fps))))
    return made


def files(folder: Path, **models: bytes) -> str:
    for name, data in models.items():
        (folder / f"{name}.tflite").write_bytes(data)
    return ",".join(str(folder / f"{name}.tflite") for name in models)


def test_later_stages_and_sinks_see_the_new_picture() -> None:
    stage = Enhance(Enhancer([Slow(Clock(), scale=2)]), EnhanceSettings())
    given = frame(0)
    results = process(given, [stage, Detect("objects", Finder())])
    assert results.found["objects"].xyxy.tolist() == [[0, 0, 128, 96]]  # in the new picture's pixels
    assert results.found["objects"].class_id.tolist() == [101]
    assert results.frame.size_wh == (128, 96)
    assert results.frame.index == given.index
    told = results.enhanced["enhance"]
    assert (told.models, told.resolution, told.state, told.levels) == (("slow",), 1.0, "full", None)
    assert told.before is given.image
    assert (given.image == 100).all()
    assert results.models["enhance/slow"].name == "slow"


def test_through_a_whole_run(tmp_path: Path) -> None:
    sink = ListSink()
    chain = files(tmp_path, light=curve_model(), large=picture_model(2))
    source = FakeSource(n=3, size_wh=(40, 30))
    seen = list(vedette.run(source, [f"enhance={chain}?budget_ms=5000"], [sink]))
    assert [r.frame.size_wh for r in seen] == [(80, 60)] * 3
    assert [r.enhanced["enhance"].state for r in sink.results] == ["full"] * 3
    assert seen[2].frame.image.max() > 2


def test_the_budget_is_kept_and_told_and_it_comes_back() -> None:
    clock = Clock()
    model = Slow(clock, scale=2, ms=100)
    stage = Enhance(Enhancer([model]), EnhanceSettings(budget_ms=40), clock=clock)
    stats = Stats()
    busy = go(stage, clock, seconds=10)
    for results in busy:
        stats.update(results)
    states = [r.enhanced["enhance"].state for r in busy]
    assert states[0] == "full"
    assert states[60:].count("reduced") / len(states[60:]) > 0.6
    assert {r.frame.size_wh for r in busy} == {(128, 96)}
    assert dict(stats.snapshot().enhanced["enhance"]) == {s: states.count(s) for s in set(states)}
    model.ms = 400_000
    aside = go(stage, clock, seconds=3)[-1]
    assert (aside.enhanced["enhance"].state, aside.enhanced["enhance"].models) == ("aside", ())
    assert (aside.frame.image == 100).all()  # the picture as it came, at the same size
    assert aside.frame.size_wh == (128, 96)
    assert "enhance/slow" not in aside.models


def test_light_and_noise_switch_models(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noisy = rng.normal(120, 15, (48, 64, 3)).astype(np.uint8)
    chain = files(tmp_path, clean=picture_model(1), light=curve_model())
    clock = Clock()
    with make_stage(f"enhance={chain}?auto=1") as stage:
        assert isinstance(stage, Enhance)
        made = go(stage, clock, seconds=9, at=lambda k: 100 if k < 60 else 20 if k < 150 else noisy)
    told = [r.enhanced["enhance"] for r in made]
    assert (told[30].state, told[30].models) == ("off", ())
    assert made[30].frame.image is told[30].before
    assert told[65].state == "off"  # dark for a sixth of a second: it is not sure yet
    assert told[120].models == ("light",)
    assert made[120].frame.image.mean() > 60
    assert told[-1].models == ("blur-x1",)
    assert told[120].levels is not None
    assert told[120].levels[0] == pytest.approx(20)
    assert told[-1].levels is not None
    assert told[-1].levels[1] == pytest.approx(15, rel=0.3)


def test_what_enlarges_is_never_switched(tmp_path: Path) -> None:
    with make_stage(f"enhance={files(tmp_path, large=picture_model(2))}?auto=1") as stage:
        assert stage(Results(frame(0))).enhanced["enhance"].state == "full"


def test_it_can_be_turned_off_while_it_runs() -> None:
    stage = Enhance(Enhancer([Slow(Clock(), scale=2)]), EnhanceSettings())
    stage.enabled = False
    results = stage(Results(frame(0)))
    assert (results.enhanced["enhance"].state, results.frame.size_wh) == ("off", (128, 96))
    assert (results.frame.image == 100).all()


def test_a_model_can_be_left_out_while_it_runs_and_what_enlarges_cannot(tmp_path: Path) -> None:
    chain = files(tmp_path, clean=picture_model(1), light=curve_model(), large=picture_model(2))
    with make_stage(f"enhance={chain}") as stage:
        assert isinstance(stage, Enhance)
        assert stage.skippable == {"blur-x1", "light"}
        ran = []
        for k, names in enumerate([(), ("light",), ("light", "blur-x1", "blur-x2"), ("gone",)]):
            stage.skipped = frozenset(names)
            results = stage(Results(frame(k)))
            ran.append(results.enhanced["enhance"].models)
            assert results.frame.size_wh == (128, 96)
    every = ("blur-x1", "light", "blur-x2")
    assert ran == [every, ("blur-x1", "blur-x2"), ("blur-x2",), every]


def test_where_all_models_are_left_out_nothing_is_done() -> None:
    stage = Enhance(Enhancer([Slow(Clock())]), EnhanceSettings(budget_ms=40))
    stage.skipped = frozenset({"slow"})
    results = stage(Results(frame(0)))
    assert (results.enhanced["enhance"].state, results.enhanced["enhance"].resolution) == ("off", 0)
    assert (results.frame.image == 100).all()


class Flickering:
    """A model of curves that sees the same picture now so, now so."""

    info = ModelInfo("flickering", "1", "0" * 64, "none")

    def __init__(self) -> None:
        self.count = 0

    def curves(self, image: Any) -> Any:
        self.count += 1
        return np.full((2, 2, 12), 0.8 if self.count % 2 else 0.2, np.float32)

    def close(self) -> None: ...


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_brightness_does_not_flicker(fps: float) -> None:
    """At most 1 - exp(-dt / 0.25 s) of the jump is seen from frame to frame, and a tenth more: curves are no lines."""
    steady, picture = SteadyCurves(cast(Any, Flickering())), frame(0, 60).image
    seen = []
    for k in range(round(3 * fps)):
        steady.time_ns = round(k * 1e9 / fps)
        seen.append(float(steady.enhance(picture).mean()))
    plain = [float(apply_curves(picture, np.full((2, 2, 12), a, np.float32)).mean()) for a in (0.2, 0.8)]
    bound = (1 - np.exp(-1 / fps / FOLLOW_S)) * (plain[1] - plain[0])
    assert plain[1] - plain[0] > 80
    assert np.abs(np.diff(seen[len(seen) // 2 :])).max() < 1.1 * bound


def test_a_change_that_stays_is_followed_within_a_second(tmp_path: Path) -> None:
    chain = files(tmp_path, light=curve_model(bias=1.0, slope=-2.5))
    with make_stage(f"enhance={chain}") as stage:
        assert isinstance(stage, Enhance)
        made = go(stage, Clock(), seconds=1.7, at=lambda k: 100 if k < 15 else 40)
    with vedette.load_enhancer(chain) as alone:
        wanted = alone.enhance(frame(0, 40).image).mean()
    seen = [float(r.frame.image.mean()) for r in made[15:]]
    assert seen[0] < 0.9 * wanted
    assert seen[30] == pytest.approx(wanted, rel=0.02)


def test_a_scene_is_not_touched_and_boxes_before_stay() -> None:
    stage = Enhance(Enhancer([Slow(Clock())]), EnhanceSettings())
    before = Results(frame(0), found=MappingProxyType({"objects": Detections.empty()}))
    after = stage(replace(before, drops=MappingProxyType({"late": 2})))
    assert set(after.found) == {"objects"}
    assert after.drops == {"late": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("enhance", "needs a model"),
        ("enhance=nothing", "unknown model 'nothing'"),
        ("enhance=face-detector?budget=3", "did you mean 'budget_ms'"),
        ("enhance=face-detector?budget_ms=0", "budget_ms is 0"),
        ("enhanse=x", "did you mean 'enhance'"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_stage(text)


def test_closing_closes_the_models() -> None:
    model = Slow(Clock())
    Enhance(Enhancer([model]), EnhanceSettings()).close()
    assert model.closed == 1


def test_nobody_is_named_by_invented_detail(tmp_path: Path) -> None:
    vivid = files(tmp_path, vivid=picture_model(2, invents=True))
    plain = files(tmp_path, plain=picture_model(2))
    with toy_recognizer(tmp_path) as recognizer:
        rest = [Detect("faces", ToldFaces()), Track(), Recognize(recognizer)]
        with make_stage(f"enhance={vivid}") as stage, pytest.raises(SettingsError, match="invents detail"):
            check_order([stage, *rest])
        with make_stage(f"enhance={vivid}") as stage:
            check_order([*rest, stage])
        with make_stage(f"enhance={plain}") as stage:
            check_order([stage, *rest])
