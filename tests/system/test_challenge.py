"""A head that turns, before the bundled models: asked, judged, logged and told of, through the command and the library.

The head is the golden face, warped by a rough relief of a head, so that its near parts move as they do when it turns.
"""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

import vedette
from asked import ask, golden_png
from vedette.app import load_recognizer
from vedette.settings import RecognizeSettings
from vedette.stages.recognize import Recognize
from vedette.testing import ListSink
from vedette.zoo import bundled

pytestmark = pytest.mark.skipif(
    "face-embedder" not in bundled(), reason="the model face-embedder is not bundled here"
)
FPS = 10
EYES_PX, EYES_XY, NOSE_XY = 31.8, (101.4, 60.1), (100.5, 79.8)
FAR_DEG = 50


def turned(image, yaw_deg):
    """Return `image` with each pixel moved by its height in the relief of a head times the sine of `yaw_deg`."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    u, v = (x - EYES_XY[0]) / EYES_PX, (y - EYES_XY[1]) / EYES_PX
    nose = [(at - middle) / EYES_PX for at, middle in zip(NOSE_XY, EYES_XY, strict=True)]
    source = u
    for _ in range(8):  # which pixel comes here, by a fixed point
        source = u - np.sin(np.radians(yaw_deg)) * relief(source, v, nose)
    at = (source * EYES_PX + EYES_XY[0]).astype(np.float32)
    return cv2.remap(image, at, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def relief(u, v, nose):
    """Return how near the head is to the camera, in distances between the eyes: an ellipsoid, and a nose."""
    edge = np.hypot(u / 1.3, (v - 0.4) / 1.7)
    head = 0.9 * np.sqrt(np.clip(1 - edge**2, 0, 1)) - 0.9 + 0.8 * np.clip(1.5 - edge, 0, 1)
    return head + 0.45 * np.exp(-((u - nose[0]) ** 2) / 0.06 - (v - nose[1]) ** 2 / 0.10)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Return what makes a film of a head that looks here, turns `way` (1 is its own left), and looks here again."""
    folder = tmp_path_factory.mktemp("films")
    face = cv2.imread(str(golden_png(folder)))
    face = cv2.resize(face, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LANCZOS4)
    cv2.imwrite(str(folder / "ann.png"), face)
    there = np.linspace(0, FAR_DEG, 6)
    yaws = [*[0.0] * 14, *there, *[FAR_DEG] * 3, *there[::-1], *[0.0] * 6]

    def make(name, way):
        (folder / name).mkdir(exist_ok=True)
        for k, yaw in enumerate(yaws):
            cv2.imwrite(str(folder / name / f"{k:03d}.png"), turned(face, way * yaw))
        return f"{folder / name}?fps={FPS}"

    make.ann = folder / "ann.png"
    return make


@pytest.fixture(autouse=True)
def ann(capsys, film, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert ask(capsys, "faces", "enroll", "Ann", film.ann).code == 0


def attempts(capsys):
    return [json.loads(line) for line in ask(capsys, "faces", "attempts", "--json").out.splitlines()]


@pytest.mark.parametrize(
    ("way", "step", "reason"),
    [
        pytest.param(1, "passed", None, id="as asked"),
        pytest.param(-1, "failed", "wrong_way", id="the wrong way"),
        pytest.param(0, "failed", "ended", id="a picture that is held still"),
    ],
)
def test_a_head_that_turns(capsys, film, way, step, reason):
    naming = Recognize(load_recognizer(), RecognizeSettings(challenge=1), choose=lambda _: "left")
    sink = ListSink()
    with naming:
        told = [
            str(results.found["faces"].challenge[0])
            for results in vedette.run(film(f"left{way}", way), ["faces", "track", naming], [sink])
        ]
    assert "left" in told
    assert told[-1] == ("left" if reason == "ended" else step)
    (one,) = attempts(capsys)
    assert (one["name"], one["asked"], one["outcome"], one["reason"]) == ("Ann", ["left"], step, reason)


def test_the_command_asks_tells_and_logs(capsys, film, tmp_path):
    stages = ("--stage", "faces", "--stage", "track", "--stage", "recognize?challenge=1")
    sinks = ("--sink", tmp_path / "a.jsonl", "--sink", f"images:{tmp_path / 'out'}")
    done = ask(capsys, "live", film("left", 1), *stages, *sinks)
    assert done.code == 0, done.err
    people = [
        json.loads(line)["detections"][0]["person"]
        for line in (tmp_path / "a.jsonl").read_text().splitlines()
    ]
    (one,) = attempts(capsys)
    (asked,) = one["asked"]  # drawn by chance; the film turns left
    assert [person["challenge"] for person in people][:3] == [None] * 3
    assert asked in {person["challenge"] for person in people}
    assert people[-1]["challenge"] == one["outcome"] == ("passed" if asked == "left" else "failed")
    listed = ask(capsys, "faces", "attempts", "Ann").out
    assert "OUTCOME" in listed
    assert one["outcome"] in listed
    assert ask(capsys, "faces", "attempts", "Bob").code == 8
    ask(capsys, "faces", "remove", "Ann")
    assert ask(capsys, "faces", "attempts").out == "nobody was asked\n"
