"""The engine: threads, views, errors; on the bundled model and whatever runtime is installed."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from vedette.engines import litert
from vedette.engines.litert import LiteRTEngine, free_cores, usable_cores
from vedette.errors import EngineError, MissingDependencyError, ModelError
from vedette.zoo import find

MODEL = find("face-detector").read_bytes()


@pytest.fixture(scope="module")
def engine() -> LiteRTEngine:
    return LiteRTEngine(MODEL, threads=1)


def noise(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def answer(engine: LiteRTEngine, picture: np.ndarray) -> list[np.ndarray]:
    return [t.data for t in engine.run(lambda buffers: np.copyto(buffers[0], picture))]


def test_outputs_carry_the_names_of_the_signature(engine: LiteRTEngine) -> None:
    assert {"score_8", "box_8", "points_8"} <= {spec.name for spec in engine.outputs}
    assert engine.inputs[0].name == "image"
    assert engine.inputs[0].dtype == np.uint8
    assert engine.inputs[0].scale == pytest.approx(1 / 255, rel=1e-4)


def test_outputs_are_copies(engine: LiteRTEngine) -> None:
    shape = engine.inputs[0].shape
    first = answer(engine, noise(1, shape))
    kept = [a.copy() for a in first]
    answer(engine, noise(2, shape))
    assert all((a == b).all() for a, b in zip(first, kept, strict=True))


def test_several_threads_get_their_own_answers(engine: LiteRTEngine) -> None:
    shape = engine.inputs[0].shape
    wanted = {seed: answer(engine, noise(seed, shape)) for seed in range(4)}
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for _ in range(5):
            got = answer(engine, noise(seed, shape))
            if not all((a == b).all() for a, b in zip(got, wanted[seed], strict=True)):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in wanted]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert not wrong
    assert len({wanted[seed][0].tobytes() for seed in wanted}) > 1  # or the test could not fail


def test_a_kept_buffer_is_an_error_that_says_so(engine: LiteRTEngine) -> None:
    kept: list[object] = []
    with pytest.raises(EngineError, match="kept"):
        engine.run(kept.extend)
    kept.clear()
    answer(engine, noise(0, engine.inputs[0].shape))


def test_a_closed_engine_says_so() -> None:
    engine = LiteRTEngine(MODEL, threads=1, label="toy")
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="toy: the engine is closed"):
        engine.run(lambda _: None)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x1c\0\0\0TFL3", id="nothing but the mark"),
        pytest.param(MODEL[:5000], id="cut short"),
    ],
)
@pytest.mark.skipif(
    "tflite" in litert._runtime(None)[1], reason="tflite-runtime crashes on these; hashes guard it"
)
def test_a_damaged_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="refuses the model"):
        LiteRTEngine(data, label="toy")


def test_threads_never_exceed_the_cores() -> None:
    assert 1 <= free_cores() <= usable_cores()
    assert LiteRTEngine(MODEL, threads=999).threads == usable_cores()
    with pytest.raises(EngineError, match="threads is 0"):
        LiteRTEngine(MODEL, threads=0)


def test_an_unknown_runtime_is_named() -> None:
    with pytest.raises(MissingDependencyError, match=r"'torch'.*litert"):
        LiteRTEngine(MODEL, runtime="torch")


def test_no_runtime_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert, "RUNTIMES", {"gone": ("vedette_no_such_module", "gone")})
    with pytest.raises(MissingDependencyError, match="pip install ai-edge-litert"):
        LiteRTEngine(MODEL)
