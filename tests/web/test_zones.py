"""Zones over HTTP: who may read and save them, and what is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from vedette import app
from vedette.errors import SettingsError
from vedette.stages.detect import Detect
from vedette.stages.zone_file import FileZones
from vedette.testing import FakeSource
from vedette.types import Detections, ModelInfo
from vedette.web import zones as module
from vedette.web.dashboard import Dashboard
from vedette.zone_settings import load_zones
from web.scene import TOKEN, get

TEXT = "[zone.porch]\npoints = [[0.1, 0.6], [0.5, 0.6], [0.5, 1.0]]\n"
MOVED = {"zone": {"porch": {"points": [[0, 0], [1, 0], [1, 1]]}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "zones.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def edited(dashboard: Dashboard, path: Path) -> Dashboard:
    dashboard.zones = FileZones(path, labels=["face"])
    return dashboard


def put(dashboard: Dashboard, body: object, **headers: str) -> httpx.Response:
    root = f"http://127.0.0.1:{dashboard.address[1]}"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Origin": root, **headers}
    return httpx.put(f"{root}/api/zones", content=content, headers=given, timeout=5, trust_env=False)


def wanted(dashboard: Dashboard, zones: Any = MOVED) -> dict[str, Any]:
    assert dashboard.zones is not None
    return {"version": dashboard.zones.describe()["version"], "zones": zones}


def test_zones_are_read_and_saved(edited: Dashboard, path: Path) -> None:
    told = get(edited, "/api/zones").json()
    assert told["zones"]["zone"]["porch"]["points"] == [[0.1, 0.6], [0.5, 0.6], [0.5, 1.0]]
    answer = put(edited, {"version": told["version"], "zones": MOVED})
    assert answer.status_code == 200
    assert answer.json()["zones"]["zone"]["porch"]["points"] == [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    assert answer.json()["version"] != told["version"]
    assert load_zones(path)[0].points == ((0, 0), (1, 0), (1, 1))
    again = put(edited, {"version": told["version"], "zones": MOVED})
    assert (again.status_code, "somebody else" in again.json()["error"]) == (422, True)


def test_a_run_without_zones_says_how_to_have_some(dashboard: Dashboard) -> None:
    for answer in (get(dashboard, "/api/zones"), put(dashboard, {"version": "", "zones": MOVED})):
        assert answer.status_code == 404
        assert "--stage zones=FILE.toml" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "no JSON", id="nothing"),
        pytest.param(b"{", "no JSON", id="half"),
        pytest.param(b"[" * 100_000, "no JSON", id="deep"),
        pytest.param(b"\xff\xfe", "no JSON", id="no text"),
        pytest.param([], "send {", id="a list"),
        pytest.param({"version": "x"}, "send {", id="no zones"),
        pytest.param({"zones": []}, "send {", id="zones no object"),
        pytest.param({"zones": {}}, "no zone and no line", id="no zone"),
        pytest.param({"zones": {"zone": {"a": {"points": 3}}}}, "needs 3 to 100 points", id="no points"),
        pytest.param({"zones": MOVED}, "somebody else", id="no version"),
        pytest.param(b" " * (module.MOST_BYTES + 1), "too much", id="too long"),
    ],
)
def test_nonsense_is_refused_and_nothing_written(
    edited: Dashboard, path: Path, body: object, message: str
) -> None:
    answer = put(edited, body)
    assert answer.status_code == 422
    assert message in answer.json()["error"]
    assert path.read_text() == TEXT


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Origin": "http://evil.example"}, 403, id="another page"),
        pytest.param({"Origin": "null"}, 403, id="a page without origin"),
        pytest.param({"Host": "evil.example", "Origin": "http://evil.example"}, 403, id="DNS rebinding"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="a page's own request"),
    ],
)
def test_other_web_pages_save_nothing(
    edited: Dashboard, path: Path, headers: dict[str, str], status: int
) -> None:
    assert put(edited, wanted(edited), **headers).status_code == status
    assert path.read_text() == TEXT


def test_without_an_origin_nothing_is_saved(edited: Dashboard, path: Path) -> None:
    url = f"http://127.0.0.1:{edited.address[1]}/api/zones"
    assert httpx.put(url, json=wanted(edited), timeout=5, trust_env=False).status_code == 403
    assert path.read_text() == TEXT


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="no token"),
        pytest.param({"Authorization": "Bearer not-the-right-token"}, 401, id="a wrong one"),
        pytest.param({"Authorization": f"Bearer {TOKEN}"}, 200, id="the token"),
    ],
)
def test_the_token_is_needed(path: Path, headers: dict[str, str], status: int) -> None:
    with Dashboard(port=0, token=TOKEN) as dashboard:
        dashboard.zones = FileZones(path)
        assert get(dashboard, "/api/zones", **headers).status_code == status
        assert put(dashboard, wanted(dashboard), **headers).status_code == status
    assert (path.read_text() == TEXT) is (status != 200)


def test_other_methods_are_refused(edited: Dashboard) -> None:
    root = f"http://127.0.0.1:{edited.address[1]}"
    answer = httpx.delete(f"{root}/api/zones", headers={"Origin": root}, timeout=5, trust_env=False)
    assert answer.status_code == 405


def test_a_file_that_cannot_be_written_is_said(edited: Dashboard, path: Path) -> None:
    (path.parent / "zones.part.toml").mkdir()
    answer = put(edited, wanted(edited))
    assert answer.status_code == 500
    assert "cannot write" in answer.json()["error"]
    assert path.read_text() == TEXT


class Sitter:
    """A detector that finds one face, always in the same place: its feet at 0.5, 0.75 of the picture."""

    info = ModelInfo("toy", "1", "0" * 64, "fake")

    def detect(self, _image: object) -> Detections:
        box = np.array([[24, 12, 40, 36]], np.float32)
        return Detections.of(box, np.ones(1, np.float32), np.zeros(1, np.int32), labels=("face",))

    def close(self) -> None: ...


def test_a_run_takes_over_what_is_saved_and_keeps_its_tracks(dashboard: Dashboard, path: Path) -> None:
    here = {"zone": {"porch": {"points": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]], "inertia_s": 0}}}
    stages = [Detect("mine", Sitter()), "track?confirm_s=0", f"zones={path}"]
    run = app.run(FakeSource(n=4, size_wh=(64, 48)), stages, [dashboard])
    first = next(run)
    assert put(dashboard, wanted(dashboard, here)).status_code == 200
    rest = list(run)
    assert [int(r.found["mine"].track_id[0]) for r in (first, *rest)] == [0] * 4
    assert first.zones[0].counts["inside"] == 0
    assert [(r.zones[0].counts["inside"], r.zones[0].counts["entered"]) for r in rest] == [(1, 1)] * 3
    assert [(e.kind, e.track_id) for r in rest for e in r.events] == [("enter", 0)]


def test_a_run_with_the_dashboard_begins_without_a_file(
    dashboard: Dashboard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "new.toml"
    here = {"zone": {"porch": {"points": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]], "inertia_s": 0}}}
    stages = [Detect("mine", Sitter()), "track?confirm_s=0", f"zones={path}"]
    run = app.run(FakeSource(n=3, size_wh=(64, 48)), stages, [dashboard])
    assert next(run).zones == ()
    assert f"{path} is not there yet: draw its first zone" in caplog.text
    assert put(dashboard, wanted(dashboard, here)).status_code == 200
    assert [r.zones[0].counts["entered"] for r in run] == [1, 1]
    assert load_zones(path)[0].name == "porch"


def test_a_run_without_the_dashboard_refuses_a_missing_file(tmp_path: Path) -> None:
    stages = [Detect("mine", Sitter()), "track", f"zones={tmp_path / 'new.toml'}"]
    with pytest.raises(SettingsError, match=r"cannot read the zones .*new\.toml"):
        list(app.run(FakeSource(n=1), stages))
