"""The shipped fakes keep the protocols, and fail as they are asked to."""

import numpy as np
import pytest

from vedette.errors import EngineError, SinkError, SourceLost
from vedette.testing import FakeEngine, FakeSource, ListSink, fake_image, spec
from vedette.types import Engine, Results, Sink, Source


def test_protocols() -> None:
    assert isinstance(FakeSource(), Source)
    assert isinstance(FakeEngine([], []), Engine)
    assert isinstance(ListSink(), Sink)


@pytest.mark.parametrize("n", [0, 3])
def test_source(n: int) -> None:
    with FakeSource(n=n, fps=10) as source:
        frames = list(iter(source.read, None))
    assert [(f.index, f.time_ns, f.image[0, 0, 0]) for f in frames] == [(i, i * 10**8, i) for i in range(n)]
    assert source.closed == 1


def test_source_fails() -> None:
    source = FakeSource(n=3, fail_after=1)
    assert source.read() is not None
    with pytest.raises(SourceLost):
        source.read()


def test_engine_feeds_and_answers() -> None:
    engine = FakeEngine(
        [spec("x", (1, 0), "uint8")], [spec("y", (1, 0), "uint8")], lambda fed: [fed[0] + np.uint8(1)]
    )
    (tensor,) = engine.run(lambda buffers: buffers[0].fill(7))  # type: ignore[arg-type]
    assert tensor.data.tolist() == [[8]]
    assert engine.fed[0][0].tolist() == [[7]]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([np.zeros((1, 3), np.float32)], id="shape"),
        pytest.param([np.zeros((1, 2), np.uint8)], id="dtype"),
        pytest.param([np.zeros(2, np.float32)], id="rank"),
    ],
)
def test_engine_holds_the_answer_to_what_is_declared(answer: list[np.ndarray]) -> None:
    with pytest.raises(EngineError, match="declared is"):
        FakeEngine([], [spec("y", (1, 2))], answer).run(lambda _: None)


def test_engine_fails() -> None:
    with pytest.raises(EngineError, match="broken"):
        FakeEngine([], [], error="broken").run(lambda _: None)


def test_sink() -> None:
    frame = FakeSource(n=1).read()
    assert frame is not None
    with ListSink(fail_after=1) as sink:
        sink.write(Results(frame))
        with pytest.raises(SinkError):
            sink.write(Results(frame))
    assert len(sink.results) == 1


def test_fake_image() -> None:
    assert fake_image(257, (4, 2)).shape == (2, 4, 3)
    assert fake_image(257).max() == 1
