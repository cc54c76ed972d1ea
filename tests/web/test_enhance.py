"""Before and after, and the switches, over real sockets."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from vedette.pipeline import process
from vedette.types import Frame
from vedette.web.dashboard import Dashboard
from vedette.web.enhance import Switches
from web.dim import LIFT, Lifted, dim, lighting, running
from web.scene import STREAM, TOKEN, eventually, get, make_results, viewer
from web.test_dashboard import decode

BOTH = STREAM.replace(b".mjpg", b".mjpg?before=1")


def post(dashboard: Dashboard, body: object, **headers: str) -> httpx.Response:
    root = f"http://127.0.0.1:{dashboard.address[1]}"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Origin": root, **headers}
    return httpx.post(f"{root}/api/enhance", content=content, headers=given, timeout=5, trust_env=False)


def write(
    dashboard: Dashboard, index: int, stage: Any = None, *, size_wh: tuple[int, int] = (320, 180)
) -> None:
    frame = Frame(dim(index, size_wh), index, index * 10**8, 0, "dim")
    dashboard.write(process(frame, [stage or lighting()]))


def read_pairs(connection: Any, count: int) -> list[tuple[int, bytes, bytes]]:
    """Return index, picture and the picture before of the next `count` parts."""
    found = []
    with connection.makefile("rb") as lines:
        while len(found) < count:
            head = {}
            while not lines.readline().startswith(b"Content-Type: image/jpeg"):
                pass
            while line := lines.readline().strip():
                name, _, value = line.partition(b": ")
                head[name] = int(value)
            data = lines.read(head[b"Content-Length"])
            end = len(data) - head[b"X-Before-Length"]
            found.append((head[b"X-Frame-Index"], data[:end], data[end:]))
    return found


def test_before_and_after_are_of_one_frame_and_each_is_encoded_once(dashboard: Dashboard) -> None:
    write(dashboard, 1)
    with viewer(dashboard, BOTH) as one, viewer(dashboard, BOTH) as other, viewer(dashboard) as plain:
        for k in (2, 3):
            pairs = read_pairs(one, 1) + read_pairs(other, 1)
            assert dashboard.encoded == 2 * (k - 1)
            for index, after, before in pairs:
                assert decode(before).mean() == pytest.approx(dim(index).mean(), abs=2)
                assert decode(after).mean() == pytest.approx(dim(index).mean() + LIFT, abs=2)
            index, after, before = read_pairs(plain, 1)[0]
            assert (index, after, before) == (pairs[0][0], pairs[0][1], b"")
            write(dashboard, k)


def test_before_is_encoded_only_while_somebody_wants_it(dashboard: Dashboard) -> None:
    with viewer(dashboard):
        assert eventually(lambda: dashboard.viewers == 1)
        write(dashboard, 1)
        assert dashboard.encoded == 1
        with viewer(dashboard, BOTH):
            assert eventually(lambda: dashboard.viewers == 2 and dashboard.encoded == 2)
            write(dashboard, 2)
            assert dashboard.encoded == 4
        assert eventually(lambda: dashboard.viewers == 1)
        write(dashboard, 3)
        assert dashboard.encoded == 5


def test_before_has_its_own_size_and_no_more_than_the_stream_s(dashboard: Dashboard) -> None:
    write(dashboard, 1, lighting(Lifted(scale=2)), size_wh=(400, 200))
    with viewer(dashboard, BOTH) as both:
        _, after, before = read_pairs(both, 1)[0]
        assert (decode(after).shape, decode(before).shape) == ((400, 800, 3), (200, 400, 3))
        write(dashboard, 2, size_wh=(2560, 1000))
        _, after, before = read_pairs(both, 1)[0]
        assert decode(after).shape == decode(before).shape == (500, 1280, 3)


def test_of_two_stages_before_is_what_the_camera_gave(dashboard: Dashboard) -> None:
    first, second = lighting(Lifted(by=20)), lighting(Lifted(by=30))
    second.name = "again"
    dashboard.write(process(Frame(dim(0), 0, 0, 0, "dim"), [first, second]))
    with viewer(dashboard, BOTH) as both:
        _, after, before = read_pairs(both, 1)[0]
    assert decode(after).mean() - decode(before).mean() == pytest.approx(50, abs=2)


def test_a_run_that_enhances_nothing_has_no_before(dashboard: Dashboard) -> None:
    dashboard.write(make_results(1))
    with viewer(dashboard, BOTH) as both:
        assert read_pairs(both, 1)[0][2] == b""
    assert dashboard.encoded == 1
    assert get(dashboard, "/api/stats").json()["enhance"] == []
    refused = post(dashboard, {"stage": "enhance", "enabled": False})
    assert (refused.status_code, "--stage enhance=MODEL" in refused.json()["error"]) == (404, True)


def test_what_a_stage_does_is_told(dashboard: Dashboard) -> None:
    stage = lighting(Lifted("light"), Lifted("large", scale=2, by=0), budget_ms=40)
    dashboard.enhance = (stage,)
    told = get(dashboard, "/api/stats").json()["enhance"][0]
    assert (told["state"], told["ran"], told["ms"]) == (None, None, None)
    write(dashboard, 1, stage)
    told = get(dashboard, "/api/stats").json()["enhance"][0]
    assert told.pop("ms") >= 0
    assert told == {
        "stage": "enhance", "enabled": True, "auto": False, "budget_ms": 40, "state": "full",
        "ran": ["light", "large"], "resolution": 1.0, "luminance": None, "noise": None,
        "models": [{"name": "light", "enabled": True, "skippable": True},
                   {"name": "large", "enabled": True, "skippable": False}],
    }  # fmt: skip


def test_what_switches_by_the_scene_tells_what_it_measured() -> None:
    stage = lighting(auto=True)
    results = process(Frame(dim(1), 1, 0, 0, "dim"), [stage])
    told = Switches((stage,), results).describe()[0]
    assert (told["auto"], told["luminance"]) == (True, pytest.approx(22, abs=1))


def test_a_stage_and_a_model_are_switched_from_the_next_frame_on(dashboard: Dashboard) -> None:
    stage = lighting(Lifted("a", by=20), Lifted("b", by=30))
    dashboard.enhance = (stage,)

    def gain() -> int:
        return int(stage_results().frame.image.mean() - dim(0).mean())

    def stage_results() -> Any:
        return process(Frame(dim(0), 0, 0, 0, "dim"), [stage])

    assert gain() == 50
    answer = post(dashboard, {"stage": "enhance", "model": "b", "enabled": False})
    assert answer.status_code == 200
    assert [one["enabled"] for one in answer.json()["enhance"][0]["models"]] == [True, False]
    assert gain() == 20
    assert post(dashboard, {"stage": "enhance", "enabled": False}).json()["enhance"][0]["enabled"] is False
    assert gain() == 0
    post(dashboard, {"stage": "enhance", "enabled": True})
    post(dashboard, {"stage": "enhance", "model": "b", "enabled": True})
    assert gain() == 50


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "no JSON", id="nothing"),
        pytest.param([], "JSON object", id="a list"),
        pytest.param({}, "send {", id="empty"),
        pytest.param({"stage": "enhance"}, "send {", id="no state"),
        pytest.param({"stage": "enhance", "enabled": 1}, "send {", id="a number"),
        pytest.param({"stage": ["enhance"], "enabled": True}, "send {", id="a list of stages"),
        pytest.param({"stage": "enhance", "model": 3, "enabled": True}, "send {", id="a numbered model"),
        pytest.param({"stage": "enhanse", "enabled": True}, "did you mean 'enhance'", id="stage"),
        pytest.param({"stage": "enhance", "model": "lihgt", "enabled": False}, "did you mean 'light'", id="model"),
        pytest.param({"stage": "enhance", "model": "large", "enabled": False}, "enlarges", id="what enlarges"),
        pytest.param(b'"' + b"x" * 5000 + b'"', "too much", id="long"),
    ],
)  # fmt: skip
def test_what_cannot_be_switched_is_refused(dashboard: Dashboard, body: object, message: str) -> None:
    stage = lighting(Lifted("light"), Lifted("large", scale=2))
    dashboard.enhance = (stage,)
    answer = post(dashboard, body)
    assert (answer.status_code, message in answer.json()["error"]) == (422, True)
    assert (stage.enabled, stage.skipped) == (True, frozenset())


def test_only_the_dashboard_s_own_page_switches(dashboard: Dashboard) -> None:
    stage = lighting()
    dashboard.enhance = (stage,)
    off = {"stage": "enhance", "enabled": False}
    assert post(dashboard, off, Origin="http://evil.example").status_code == 403
    assert post(dashboard, off, Host="evil.example").status_code == 403
    assert stage.enabled
    with Dashboard("0.0.0.0", 0, token=TOKEN) as guarded:
        guarded.enhance = (stage,)
        assert post(guarded, off).status_code == 401
        assert stage.enabled
        assert post(guarded, off, Authorization=f"Bearer {TOKEN}").status_code == 200
    assert not stage.enabled


def test_a_run_offers_its_stages(dashboard: Dashboard) -> None:
    with running(dashboard, [lighting()], [dim(0)]):
        assert eventually(lambda: [one.name for one in dashboard.enhance] == ["enhance"])
        assert eventually(lambda: get(dashboard, "/api/stats").json()["enhance"][0]["state"] == "full")
