"""Models by name: bundled, pulled, known; what is listed of them, and what is never done without being asked."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from asked import ask, golden_png
from drawn_graphs import O, T, draw, image, runnable_classifier
from vedette import app, zoo
from vedette.errors import ModelError, SettingsError
from vedette.registry import cache_folder, models, restriction
from vedette.zoo.known import load_known
from zoo.web_server import give, serve

MODELS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "models"
LIST = """
[model.mine]
url = "{url}"
sha256 = "{sha256}"
bytes = {size}
task = "face-detection"
input = "512x384"
license = "MIT"
training_data = ["drawn pictures"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VEDETTE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def face_bytes() -> bytes:
    return zoo.bundled()["face-detector"].read_bytes()


def write_list(path: Path, url: str, **changes: object) -> Path:
    data = face_bytes()
    given = {"url": url, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), **changes}
    path.write_text(LIST.format(**given))
    return path


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        pytest.param({"VEDETTE_MODELS": "/data/m", "XDG_CACHE_HOME": "/c"}, "/data/m", id="set"),
        pytest.param({"XDG_CACHE_HOME": "/c"}, "/c/vedette/models", id="the user's cache"),
        pytest.param(
            {"XDG_CACHE_HOME": "c"}, "~/.cache/vedette/models", id="a relative cache does not count"
        ),
        pytest.param({}, "~/.cache/vedette/models", id="nothing set"),
    ],
)
def test_cache_folder(environ: dict[str, str], folder: str) -> None:
    assert cache_folder(environ) == Path(folder).expanduser()


def test_the_known_list_is_sound() -> None:
    known = load_known()
    assert len(known) >= 5
    for one in known.values():
        assert urlsplit(one.url).scheme == "https"
        assert urlsplit(one.url).path.endswith(f"/{one.name}.tflite")
        assert one.license
        assert one.training_data
        assert one.name not in zoo.bundled()


@pytest.mark.skipif(not MODELS.is_dir(), reason="../shared/data/models is absent")
def test_the_known_hashes_are_those_of_the_files() -> None:
    for one in load_known().values():
        path = MODELS / f"{one.name}.tflite"
        assert (zoo.sha256_of(path), path.stat().st_size) == (one.sha256, one.bytes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            ("bytes = ", 'metrics = { iou = "good" }\nbytes = '), "a table of numbers", id="no figures"
        ),
        pytest.param(("sha256 =", "sha255 ="), "'sha255'; did you mean 'sha256'", id="misspelt"),
        pytest.param(('license = "MIT"', ""), "license is None; text is needed", id="left out"),
        pytest.param(("bytes = ", "bytes = -"), "bytes is -.*a whole number", id="below zero"),
        pytest.param(("bytes = ", "bytes = 9"), "bytes is 9.*a whole number", id="too large"),
        pytest.param(('sha256 = "', 'sha256 = "A'), "64 lower-case", id="no hash"),
        pytest.param(('["drawn pictures"]', '"drawn pictures"'), "a list of texts", id="no list"),
        pytest.param(("model.mine", 'model."../mine"'), "needs a name of letters", id="a path as name"),
        pytest.param(("[model.mine]", "[models.mine]"), "no list of models", id="another table"),
        pytest.param(("[model.mine]", "[model"), "not valid TOML", id="no TOML"),
    ],
)
def test_a_bad_list_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = write_list(tmp_path / "list.toml", "https://example.com/x", size="999999999")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(SettingsError, match=message):
        load_known(path)


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the list of models"):
        load_known(tmp_path / "gone.toml")


def test_a_pulled_model_is_usable_by_name(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    picture = golden_png(tmp_path)
    with serve(give(face_bytes())) as server:
        own = write_list(tmp_path / "list.toml", f"{server.root}/mine.tflite")
        assert ask(capsys, "detect", picture, "--model", "mine").code == 2
        pulled = ask(capsys, "models", "pull", "mine", "--list", own)
        assert pulled == (0, f"{folder / 'mine.tflite'}\n", "")
        assert ask(capsys, "models", "--list", own, "pull", "mine") == pulled
    assert server.asked == [None]
    found = ask(capsys, "detect", picture, "--json", "--model", "mine")
    assert found.code == 0
    assert json.loads(found.out)["detections"]


def test_one_that_cannot_be_had_is_told_of_and_the_rest_still_fetched(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    with serve(give(face_bytes())) as server:
        own = write_list(tmp_path / "list.toml", f"{server.root}/mine.tflite")
        bad = LIST.replace("mine", "bad").format(url="http://example.com/bad", sha256="0" * 64, size=1)
        own.write_text(own.read_text() + bad)
        answer = ask(capsys, "models", "pull", "--list", own, "bad", "mine")
    assert (answer.code, answer.out) == (2, f"{folder / 'mine.tflite'}\n")
    assert "http://example.com/bad; only https is trusted" in answer.err


def rows(text: str) -> dict[str, dict[str, Any]]:
    return {record["name"]: record for record in map(json.loads, text.splitlines())}


def test_the_list_tells_where_each_model_is(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    folder.mkdir()
    (folder / "own.tflite").write_bytes(face_bytes())
    (folder / "movenet_single_pose_lightning_ptq.tflite").write_bytes(b"cut short")
    (folder / "scrap.tflite").write_bytes(b"scrap")
    (folder / "mobilenet_v2_1.0_224_quant.tflite.part").write_bytes(b"begun")
    listed = rows(ask(capsys, "models", "--json").out)
    where = {name: one["where"] for name, one in listed.items()}
    assert where["face-detector"] == "bundled"
    assert where["own"] == "cached"
    assert where["movenet_single_pose_lightning_ptq"] == where["scrap"] == "damaged"
    assert where["mobilenet_v2_1.0_224_quant"] == "known"
    assert listed["own"]["metrics"]["int8"] == listed["face-detector"]["metrics"]["int8"]
    assert listed["mobilenet_v2_1.0_224_quant"]["metrics"] == {}
    assert listed["deeplabv3_mnv2_dm05_pascal_quant"]["metrics"] == {"person_iou": 0.874, "pictures": 242}
    text = ask(capsys, "models").out
    assert "person_iou 0.874, pictures 242" in text
    assert f"web_val_ap50 {listed['own']['metrics']['int8']['web_val_ap50']:.3f}" in text
    assert "not measured here" in text


@pytest.mark.skipif(not MODELS.is_dir(), reason="../shared/data/models is absent")
def test_a_known_model_put_there_by_hand_counts_as_cached(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    name = "mobilenet_v1_0.25_128_quant"
    folder.mkdir()
    (folder / f"{name}.tflite").write_bytes((MODELS / f"{name}.tflite").read_bytes())
    assert rows(ask(capsys, "models", "--json").out)[name]["where"] == "cached"
    assert zoo.find(name, folder=folder) == folder / f"{name}.tflite"


def test_a_strangers_file_is_told_of_as_far_as_it_is_recognised(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    folder.mkdir()
    (folder / "stranger.tflite").write_bytes(runnable_classifier())
    tensors = [image(), T("a", (1, 7, 5, 2, 3))]
    (folder / "riddle.tflite").write_bytes(draw(tensors, ["image"], ["a"], [O("CONV_2D", ["image"], ["a"])]))
    listed = rows(ask(capsys, "models", "--json").out)
    stranger, riddle = listed["stranger"], listed["riddle"]
    assert (stranger["where"], stranger["task"], stranger["license"]) == (
        "cached",
        "classification",
        "unknown",
    )
    assert (riddle["where"], riddle["task"]) == ("cached", "?")
    answer = ask(capsys, "models", "--commercial-ok", "--json")
    assert not {"stranger", "riddle"} & rows(answer.out).keys()
    assert "left out stranger: licence: unknown" in answer.err
    assert "left out riddle: licence: ?" in answer.err


def test_what_may_be_used_commercially_is_told_apart(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    answer = ask(capsys, "models", "--commercial-ok", "--json")
    kept = rows(answer.out)
    assert all(one["restriction"] is None for one in kept.values())
    assert "mobilenet_v2_1.0_224_quant" not in kept
    assert (
        "left out mobilenet_v2_1.0_224_quant: training data: ImageNet (ILSVRC 2012); research" in answer.err
    )


@pytest.mark.parametrize(
    ("license", "data", "told"),
    [
        pytest.param("Apache-2.0", ["own photos; CC BY 4.0"], None, id="free"),
        pytest.param("Apache-2.0", ["own photos", "LFW; research"], "training data: LFW", id="research data"),
        pytest.param("Apache-2.0", ["CC BY-NC: Non-Commercial"], "training data", id="non-commercial data"),
        pytest.param("Apache-2.0", [], "training data: not told", id="nothing told of the data"),
        pytest.param("AGPL-3.0", ["own photos"], "licence: AGPL-3.0", id="a licence with duties"),
        pytest.param("?", ["own photos"], r"licence: \?", id="no licence"),
    ],
)
def test_restriction(license: str, data: list[str], told: str | None) -> None:
    found = restriction({"license": license, "training_data": data})
    assert (found is None) == (told is None)
    assert told is None or told.replace("\\", "") in str(found)


def test_nothing_is_downloaded_without_being_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(
        SettingsError, match=r"models pull movenet_single_pose_lightning_ptq` gets it \(2.9 MB"
    ):
        app.load("movenet_single_pose_lightning_ptq")
    assert [one["where"] for one in models(load_known(), folder)].count("known") == len(load_known())
    assert not folder.exists()


def test_a_cached_file_that_is_not_what_is_known_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "movenet_single_pose_lightning_ptq.tflite").write_bytes(face_bytes())
    with pytest.raises(ModelError, match=r"is not the model known as movenet.*Delete it"):
        app.load("movenet_single_pose_lightning_ptq")


def test_a_name_that_nobody_knows_names_the_nearest(folder: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean 'movenet_single_pose_lightning_ptq'"):
        app.load("movenet_single_pose_lightning")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["pull", "mobilenet_v2_1.0_224"], "did you mean", id="misspelt"),
        pytest.param(["pull"], "required: name", id="no name"),
        pytest.param(["pul", "x"], "invalid choice: 'pul'", id="unknown verb"),
        pytest.param(["pull", "x", "--lst", "y"], "'--lst'; did you mean '--list'", id="unknown option"),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    answer = ask(capsys, "models", *words)
    assert answer.code == 2
    assert message in answer.err
