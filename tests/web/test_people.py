"""People over HTTP: who is seen, enrolled, erased, and what the threshold means; who may ask, and what is refused."""

from __future__ import annotations

import io
import logging
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from recognition import enrolled, scene
from vedette.gallery.calibrate import ImpostorScores
from vedette.gallery.values import Sample
from vedette.models.recognize import IMPOSTORS
from vedette.settings import PrivacySettings
from vedette.stages.privacy import Privacy
from vedette.web import people as module
from vedette.web import people_routes as routes
from vedette.web.dashboard import Dashboard
from web.booth import SIZE_WH, Booth
from web.scene import TOKEN, get, viewer

ANN, BOB, EVE = 1, 2, 3


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an enrolment that is refused not wait for a better picture."""
    monkeypatch.setattr(module, "WAIT_S", 0.0)


@pytest.fixture
def booth(dashboard: Dashboard, tmp_path: Path) -> Iterator[Booth]:
    made = Booth(dashboard, tmp_path)
    yield made
    made.close()


@pytest.fixture
def private(dashboard: Dashboard, tmp_path: Path) -> Iterator[Booth]:
    made = Booth(dashboard, tmp_path, then=Privacy(PrivacySettings("all")))
    yield made
    made.close()


def test_who_is_enrolled_is_named_and_listed_until_erased(booth: Booth) -> None:
    done = booth.enrol("Ann", ANN).json()
    assert done["created"]
    assert done["flags"] == []
    booth.enrol("Ann", ANN)
    assert booth.names() == {"Ann": 2}
    (person,) = booth.ask().json()["people"]
    assert person["id"] == done["person"]
    assert {one["source"] for one in person["templates"]} == {"a booth"}
    assert person["templates"][0]["enrolled"].startswith("20")
    for _ in range(8):
        booth.show(BOB, ANN)
    first, second = booth.ask("/seen").json()["faces"]
    assert (first["identity"], first["name"]) == ("unknown", "")
    assert (second["identity"], second["name"]) == ("known", "Ann")
    assert second["certainty"] > 0.9
    assert second["similarity"] > 0.95
    assert booth.ask("/erase", {"person": person["id"]}).json() == {"templates": 2}
    assert booth.names() == {}
    booth.show(BOB, ANN, after_s=1.5)
    assert [one["name"] for one in booth.ask("/seen").json()["faces"]] == ["", ""]


def test_the_quality_is_told_without_enrolling(booth: Booth) -> None:
    booth.show(ANN)
    told = booth.ask("/seen").json()
    assert told["quality"] > 0.5
    assert told["refusals"] == []
    assert booth.names() == {}


@pytest.mark.parametrize(
    ("people", "how", "reasons"),
    [
        pytest.param((), {}, ["no_face"], id="nobody"),
        pytest.param((ANN, BOB), {}, ["several_faces"], id="two"),
        pytest.param((ANN,), {"blank": True}, ["contrast", "blur"], id="nothing to see"),
        pytest.param((ANN,), {"old_s": 9.0}, ["no_picture"], id="an old picture"),
    ],
)
def test_what_will_not_do_is_refused_with_advice(
    booth: Booth, people: tuple[int, ...], how: dict[str, float], reasons: list[str]
) -> None:
    booth.show(*people, **how)
    told = booth.ask("/seen").json()
    assert [one["reason"] for one in told["refusals"]] == reasons
    answer = booth.ask("/enrol", {"name": "Ann", "agreed": True})
    assert answer.status_code == 422
    assert answer.json()["reasons"] == reasons
    assert all(
        one["message"] in answer.json()["error"] for one in told["refusals"] if "px" not in one["message"]
    )
    assert booth.names() == {}


def test_before_the_first_picture_nobody_is_seen(booth: Booth) -> None:
    told = booth.ask("/seen").json()
    assert (told["quality"], told["faces"]) == (None, [])
    assert told["refusals"][0]["reason"] == "no_picture"


def test_an_enrolment_waits_for_a_face_that_will_do(
    dashboard: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 20.0)
    booth = Booth(dashboard, tmp_path)
    booth.show(ANN, BOB)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(booth.ask, "/enrol", {"name": "Ann", "agreed": True})
        time.sleep(0.3)
        assert not answer.done()
        booth.show(ANN)
        assert answer.result(10).status_code == 200
    booth.close()


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("/enrol", b"{", "no JSON", id="half"),
        pytest.param("/enrol", b"[]", "a JSON object", id="a list"),
        pytest.param("/enrol", b" " * (routes.MOST_BYTES + 1), "too much", id="too long"),
        pytest.param("/enrol", {"agreed": True}, 'send {"name"', id="no name"),
        pytest.param("/enrol", {"name": 3, "agreed": True}, 'send {"name"', id="a number"),
        pytest.param("/enrol", {"name": "Ann", "agreed": True, "keep_picture": 1}, "send", id="keep what"),
        pytest.param("/enrol", {"name": "Ann"}, "ask the person first", id="nobody agreed"),
        pytest.param("/enrol", {"name": " ", "agreed": True}, "the name is empty", id="empty name"),
        pytest.param(
            "/enrol", {"name": "Unknown", "agreed": True}, "cannot be a person's name", id="unknown"
        ),
        pytest.param("/erase", {}, "template must be given", id="erase nobody"),
        pytest.param("/erase", {"person": 1, "template": 1}, "does not exist", id="both"),
        pytest.param("/erase", {"person": True}, "whole number", id="a truth"),
        pytest.param("/erase", {"person": 2**60}, "whole number", id="too large"),
        pytest.param("/erase", {"person": 4711}, "not enrolled", id="a stranger"),
        pytest.param("/erase", {"template": 4711}, "does not exist", id="no template"),
        pytest.param("/calibrate", {"far": "0.01"}, 'send {"far"', id="a text for a rate"),
        pytest.param("/calibrate", b'{"far": NaN}', "no scores", id="NaN"),
    ],
)
def test_nonsense_is_refused_and_nothing_changed(booth: Booth, path: str, body: object, message: str) -> None:
    booth.show(ANN)
    answer = booth.ask(path, body)
    assert answer.status_code == 422
    assert message in answer.json()["error"]
    assert booth.names() == {}


@pytest.mark.parametrize("query", ["?offset=-1", "?offset=x", f"?offset={2**60}"])
def test_an_offset_is_a_whole_number(booth: Booth, query: str) -> None:
    assert "offset must be" in booth.ask(query).json()["error"]


def test_the_token_is_needed_on_this_machine_too(dashboard: Dashboard, tmp_path: Path) -> None:
    assert get(dashboard, "/").status_code == 200
    assert dashboard.token is None
    with viewer(dashboard) as watching:
        assert watching.recv(100).startswith(b"HTTP/1.1 200")
        booth = Booth(dashboard, tmp_path)
        watching.settimeout(60)
        while watching.recv(4096):  # who watched without it is sent home
            pass
    booth.show(ANN)
    assert dashboard.url.endswith(f"/?token={dashboard.token}")
    for path in ("/", "/people"):
        assert (get(dashboard, path).status_code, "login.js" in get(dashboard, path).text) == (401, True)
    for path in ("/api/people", "/api/people/seen", "/api/people/picture?template=1", "/snapshot.jpg",
                 "/stream.mjpg", "/api/stats", "/people.js"):  # fmt: skip
        assert get(dashboard, path).status_code == 401
        wrong = get(dashboard, path, Authorization="Bearer not-the-right-token")
        assert wrong.status_code in (401, 429)
    assert booth.ask("/enrol", {"name": "Ann", "agreed": True}, Authorization="").status_code == 401
    assert booth.ask("/seen", Authorization="").status_code == 401
    booth.close()


def test_a_token_of_ones_own_stays(tmp_path: Path) -> None:
    with Dashboard(port=0, token=TOKEN) as dashboard:
        booth = Booth(dashboard, tmp_path)
        assert dashboard.token == TOKEN
        assert TOKEN not in dashboard.url
        assert booth.ask().status_code == 200
        booth.close()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "http://evil.example"}, id="another page"),
        pytest.param({"Origin": "null"}, id="a page without origin"),
        pytest.param({"Host": "evil.example", "Origin": "http://evil.example"}, id="DNS rebinding"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="a page's own request"),
    ],
)
def test_other_web_pages_change_nothing(booth: Booth, headers: dict[str, str]) -> None:
    booth.enrol("Ann", ANN)
    (person,) = booth.ask().json()["people"]
    body = {"name": "Eve", "agreed": True, "person": person["id"]}
    for path in ("/enrol", "/erase", "/calibrate"):
        assert booth.ask(path, body, **headers).status_code == 403
    assert booth.names() == {"Ann": 1}


def test_without_an_origin_and_by_other_methods_nothing_is_changed(booth: Booth) -> None:
    url = f"http://127.0.0.1:{booth.dashboard.address[1]}/api/people/enrol"
    headers = {"Authorization": f"Bearer {booth.dashboard.token}"}
    body = {"name": "Ann", "agreed": True}
    assert httpx.post(url, json=body, headers=headers, trust_env=False).status_code == 403
    assert booth.ask("/enrol").status_code == 405
    assert booth.ask("", {}).status_code == 405


def test_a_run_that_names_nobody_says_how_to(dashboard: Dashboard) -> None:
    root = f"http://127.0.0.1:{dashboard.address[1]}"
    posted = httpx.post(f"{root}/api/people/enrol", json={}, headers={"Origin": root}, trust_env=False)
    for answer in (get(dashboard, "/api/people"), get(dashboard, "/api/people/seen"), posted):
        assert answer.status_code == 404
        assert "--stage recognize" in answer.json()["error"]
    assert get(dashboard, "/api/stats").json()["people"] is False
    assert get(dashboard, "/people").status_code == 200


def test_a_face_under_two_names_is_told_and_single_templates_go(booth: Booth) -> None:
    booth.enrol("Ann", ANN)
    assert "look like one person" in booth.enrol("Eve", ANN).json()["flags"][0]
    booth.enrol("Eve", EVE)
    told = booth.ask().json()
    assert {flag["kind"] for flag in told["flags"]} == {"agree", "disagree"}
    wrong, right = (one["id"] for one in told["people"][1]["templates"])
    assert booth.ask("/erase", {"template": wrong}).json() == {"templates": 1}
    assert booth.ask().json()["flags"] == []
    assert "without templates" in booth.ask("/erase", {"template": right}).json()["error"]
    assert booth.names() == {"Ann": 1, "Eve": 1}


def test_many_people_are_told_a_page_at_a_time(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.eye(48, dtype=np.float32)
    for k in range(5):
        booth.gallery.enrol(f"person {k}", [Sample(vectors[k], 0.9, "a file")])
    monkeypatch.setattr(module, "PAGE", 3)
    monkeypatch.setattr(module, "MOST_FLAGGED", 4)
    first, second = booth.ask().json(), booth.ask("?offset=3").json()
    assert [one["name"] for one in first["people"] + second["people"]] == [f"person {k}" for k in range(5)]
    assert (first["total"], first["templates"], first["flags"]) == (5, 5, None)
    assert booth.ask("?offset=99").json()["people"] == []


def with_scores(total: int) -> bytes:
    """Return a model file's archive with the scores of strangers: uniform from -0.5 to 0.5."""
    scores = ImpostorScores.of(np.linspace(-0.5, 0.5, total), people=50, model_sha256="")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(IMPOSTORS, scores.to_bytes())
    return made.getvalue()


def test_the_threshold_is_calibrated_and_goes_stale(dashboard: Dashboard, tmp_path: Path) -> None:
    booth = Booth(dashboard, tmp_path, data=with_scores(10_000))
    booth.enrol("Ann", ANN)
    told = booth.ask().json()
    assert told["can_calibrate"]
    assert (told["threshold"]["value"], told["threshold"]["calibrated"]) == (0.8, False)
    made = booth.ask("/calibrate", {"far": 0.01}).json()["threshold"]
    assert 0.485 < made["value"] < 0.5  # a little above the 99 % quantile, 0.49
    assert made["far_interval"][0] <= made["far_estimate"] <= made["far_interval"][1] <= 0.01
    assert "at most 1 in 100 searches among 1 person (1 template)" in made["meaning"][0]
    assert booth.stage.recognizer.gallery.threshold == pytest.approx(
        made["value"], abs=1e-3
    )  # the loop's too
    booth.enrol("Bob", BOB)  # more templates need a higher threshold for the same rate
    grown = booth.ask().json()["threshold"]
    assert (grown["stale"], grown["people"], grown["value"] > made["value"]) == (False, 2, True)
    enrolled(booth.stage.recognizer, Eve=EVE)  # by somebody else, such as the command line
    stale = booth.ask().json()["threshold"]
    assert stale["stale"]
    assert "calibrate anew" in stale["warnings"][0]
    assert not booth.ask("/calibrate", {}).json()["threshold"]["stale"]
    refused = booth.ask("/calibrate", {"far": 1e-6})
    assert (refused.status_code, "cannot promise" in refused.json()["error"]) == (422, True)
    booth.close()


def test_a_model_without_scores_of_strangers_cannot_be_calibrated(booth: Booth) -> None:
    assert booth.ask().json()["can_calibrate"] is False
    assert "no scores of strangers" in booth.ask("/calibrate", {"far": 0.01}).json()["error"]


def test_only_a_picture_that_was_kept_is_shown(booth: Booth) -> None:
    booth.enrol("Ann", ANN)
    booth.enrol("Bob", BOB, keep_picture=True)
    (ann,), (bob,) = (one["templates"] for one in booth.ask().json()["people"])
    assert (ann["picture"], bob["picture"]) == (False, True)
    assert booth.ask(f"/picture?template={ann['id']}").status_code == 404
    assert booth.ask("/picture?template=4711").status_code == 404
    assert booth.ask("/picture").status_code == 422
    answer = booth.ask(f"/picture?template={bob['id']}")
    assert answer.headers["content-type"] == "image/jpeg"
    shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert max(shown.shape) == 160


def test_where_faces_are_blurred_people_are_enrolled_and_no_clear_picture_leaves(private: Booth) -> None:
    assert private.enrol("Ann", ANN, keep_picture=True).status_code == 200
    (template,) = private.ask().json()["people"][0]["templates"]
    assert template["picture"] is False
    assert private.ask(f"/picture?template={template['id']}").status_code == 404
    assert private.gallery.picture(template["id"]) is not None  # kept all the same, for another model
    image, faces = scene(ANN, size_wh=SIZE_WH)
    (who,) = private.stage.recognizer.identify(image, faces)
    assert (who.name, who.decision.score > 0.99) == ("Ann", True)  # it was the clear face that was enrolled
    headers = {"Authorization": f"Bearer {private.dashboard.token}"}
    sent = get(private.dashboard, "/snapshot.jpg?boxes=0", **headers).content
    seen = cv2.imdecode(np.frombuffer(sent, np.uint8), cv2.IMREAD_GRAYSCALE)
    x1, y1, x2, y2 = faces.xyxy[0].astype(int)
    clear, blurred = (
        one[y1:y2, x1:x2].astype(int) for one in (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), seen)
    )
    grain = [float(np.median(np.abs(np.diff(part)))) for part in (clear, blurred)]
    assert grain[0] > 5
    assert grain[1] <= 1  # within a cell of the mosaic all is one grey; JPEG rounds it


def test_the_loop_goes_on_while_somebody_is_enrolled(booth: Booth) -> None:
    booth.show(ANN)
    other = sqlite3.connect(booth.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # the disk takes its time
    with ThreadPoolExecutor(1) as pool:
        try:
            answer = pool.submit(booth.ask, "/enrol", {"name": "Ann", "agreed": True})
            time.sleep(0.3)
            for _ in range(12):
                booth.show(ANN, after_s=0.6)  # compared each time, and the list of people read
            assert not answer.done()
        finally:
            other.execute("ROLLBACK")
            other.close()
        assert answer.result(10).status_code == 200
    assert booth.names() == {"Ann": 1}


def test_a_gallery_that_stays_locked_is_said(booth: Booth) -> None:
    booth.show(ANN)
    other = sqlite3.connect(booth.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = booth.ask("/enrol", {"name": "Ann", "agreed": True})
    other.close()
    assert answer.status_code == 422
    assert "another process" in answer.json()["error"]
    assert booth.names() == {}


def test_no_name_reaches_a_log_and_no_embedding_the_browser(
    booth: Booth, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        booth.enrol("Annabel Lee", ANN)
        (person,) = booth.ask().json()["people"]
        booth.ask("/enrol", {"name": "Annabel\n", "agreed": True})
        booth.ask("/erase", {"person": person["id"]})
    told = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    assert "Annabel" not in told
    assert str(person["id"]) not in told
    assert set(person["templates"][0]) == {"id", "quality", "enrolled", "source", "picture"}


def test_a_closed_dashboard_lets_go_of_the_gallery(dashboard: Dashboard, tmp_path: Path) -> None:
    booth = Booth(dashboard, tmp_path)
    dashboard.show_people(booth.stage)  # a second run; the first connection is closed
    dashboard.close()
    booth.close()
    assert not booth.path.with_name("people.db-wal").exists()  # the last to close takes the log in
