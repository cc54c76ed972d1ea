"""`vedette inspect` and `vedette models adopt`: what is told of a file, and what is stored into it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from asked import ask
from drawn_graphs import O, T, chain, draw, image, runnable_classifier
from fuzz_tflite import MODELS
from vedette.contract import open_model_file
from vedette.engines.probe import probe
from vedette.errors import ModelError
from vedette.inspection import inspect
from vedette.tflite.attached import read_attached
from vedette.zoo import find

needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="needs ../shared/data/models")
TWELVE = "\n".join(f"kind {i}" for i in range(12))


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    path = tmp_path / "stranger.tflite"
    path.write_bytes(runnable_classifier({"labels.txt": TWELVE.encode()}))
    return path


def test_our_own_model_tells_all() -> None:
    facts = inspect("face-detector")
    assert (facts["contract"], facts["refused"], facts["task"]) == ("vedette", None, "face-detection")
    assert "off by" in facts["golden"]
    assert facts["engine"].startswith("ai-edge-litert")
    assert facts["operators"]["CONV_2D"] > 10
    assert facts["inputs"][0]["feeds"] == [0, 1]
    assert {o["role"] for o in facts["outputs"]} == {"score", "box", "points"}


def test_a_stranger_is_told_with_evidence(stranger: Path) -> None:
    facts = inspect(stranger)
    assert (facts["contract"], facts["task"], facts["golden"]) == (
        "recognised",
        "classification",
        "none: no Vedette contract",
    )
    assert facts["labels"][:2] == ["kind 0", "kind 1"]
    assert facts["inputs"][0] == {
        "name": "image",
        "shape": "1x2x2x3",
        "dtype": "uint8",
        "scale": 0.00392157,
        "zero_point": 0,
        "range": [0, 1],
        "feeds": [0, 1],
        "color": "rgb",
        "resize": "stretch",
        "pad_value": 0,
    }
    assert facts["outputs"][0]["role"] == "scores"
    assert any("SOFTMAX" in sentence for sentence in facts["evidence"])
    assert facts["attached"] == {"labels.txt": len(TWELVE)}


def test_what_cannot_be_used_is_told_all_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "odd.tflite"
    path.write_bytes(chain(image(), T("out", (1, 128)), "FULLY_CONNECTED"))
    code, out, err = ask(capsys, "inspect", path, "--json")
    facts = json.loads(out)
    assert code == 4
    assert facts["operators"] == {"FULLY_CONNECTED": 1}
    assert "--head embed" in facts["refused"]
    assert err.strip() == f"vedette: {facts['refused']}"


def test_a_file_that_is_recognised_but_does_not_run_is_refused(tmp_path: Path) -> None:
    """The graph looks like a classifier; its operator lacks what it needs, which only the runtime finds."""
    path = tmp_path / "broken.tflite"
    path.write_bytes(chain(image(dtype="uint8", scale=1 / 255), T("out", (1, 5)), "SOFTMAX"))
    facts = inspect(path)
    assert facts["contract"] == "recognised"
    assert str(path) in facts["refused"]


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(runnable_classifier()[:300])
    with pytest.raises(ModelError, match=r"cut\.tflite: .*damaged or cut short"):
        inspect(path)


def test_a_contract_that_was_cut_off_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(find("face-detector").read_bytes()[:-60])
    with pytest.raises(ModelError, match="no complete Vedette contract"):
        inspect(path)


def test_flags_do_not_overrule_a_contract(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ask(capsys, "inspect", "face-detector", "--head", "yolo")
    assert code == 4
    assert "carries a Vedette contract" in err


@needs_models
def test_a_compiled_file_is_named_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "inspect", MODELS / "mobilenet_v1_0.25_128_quant_edgetpu.tflite", "--json")
    facts = json.loads(out)
    assert code == 4
    assert facts["edge_tpu"]["min_runtime"] == 12
    assert facts["edge_tpu"]["cached_bytes"] == 566_912
    assert "compiled for the Edge TPU" in facts["refused"]


# the child process


@needs_models
def test_a_model_that_fails_in_invoke_is_a_sentence() -> None:
    tried = probe(MODELS / "model_invoking_error.tflite")
    assert tried.runs is False
    assert "fake-op-double" in tried.detail


def test_a_good_model_runs_in_the_child(stranger: Path) -> None:
    tried = probe(stranger)
    assert tried.runs is True
    assert "cpu x1" in tried.detail


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV", id="crash"),
        pytest.param("import time; time.sleep(60)", "within 5 s", id="hang"),
        pytest.param("raise SystemExit('no more')", "ended with code 1: no more", id="odd end"),
    ],
)
def test_a_crash_or_a_hang_becomes_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stranger: Path, body: str, message: str
) -> None:
    """The interpreter of the child is a script that crashes or hangs as a runtime does."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    tried = probe(stranger, timeout_s=5)
    assert tried.runs is False
    assert message in tried.detail


def test_where_no_process_can_be_started_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, stranger: Path
) -> None:
    monkeypatch.setattr(sys, "executable", os.devnull)
    assert probe(stranger).runs is None


# adopt


def test_adopting_makes_a_vedette_model(
    capsys: pytest.CaptureFixture[str], stranger: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adopted.tflite"
    labels = tmp_path / "mine.txt"
    labels.write_text("\n".join(f"{i}: mine {i}" for i in range(12)))
    code, said, _ = ask(
        capsys, "models", "adopt", stranger, "-o", out, "--labels", labels, "--normalize", "unit"
    )
    assert code == 0
    assert "mine.txt" in said
    model = open_model_file(out)
    assert model.contract.labels[:2] == ("mine 0", "mine 1")
    assert model.contract.input.std == (255,) * 3
    assert model.contract.golden is not None
    assert set(read_attached(out.read_bytes())) == {"labels.txt", "vedette.json", "golden.png"}
    facts = inspect(out)
    assert (facts["contract"], facts["refused"]) == ("vedette", None)
    assert "off by 0.00%" in facts["golden"]


def test_adopting_twice_gives_the_same_bytes(
    capsys: pytest.CaptureFixture[str], stranger: Path, tmp_path: Path
) -> None:
    outs = [tmp_path / name for name in ("a.tflite", "b.tflite")]
    for out in outs:
        assert ask(capsys, "models", "adopt", stranger, "-o", out).code == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["{model}"], 2, "-o/--out", id="no place"),
        pytest.param(["{model}", "-o", "{model}/x.tflite"], 5, "is not a folder", id="no folder"),
        pytest.param(["{ours}", "-o", "{out}"], 4, "a Vedette model already", id="adopted already"),
        pytest.param(["{model}", "-o", "{out}", "--labls", "x"], 2, "did you mean '--labels'", id="option"),
        pytest.param(["{model}", "-o", "{out}", "--labels", "gone.txt"], 4, "gone.txt", id="labels missing"),
    ],
)
def test_what_cannot_be_adopted_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    stranger: Path,
    tmp_path: Path,
    words: list[str],
    code: int,
    message: str,
) -> None:
    out = tmp_path / "out.tflite"
    names = {"model": stranger, "out": out, "ours": find("face-detector")}
    answer = ask(capsys, "models", "adopt", *(word.format(**names) for word in words))
    assert answer.code == code
    assert message in answer.err
    assert not out.exists()


def test_a_network_of_any_size_is_adopted_without_a_golden_sample(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tensors = [T("image", (1, -1, -1, 3), "uint8", 1.0), T("out", (1, -1, -1, 3), "uint8", 1.0)]
    path, out = tmp_path / "same.tflite", tmp_path / "out.tflite"
    path.write_bytes(draw(tensors, ["image"], ["out"], [O("RELU", ["image"], ["out"])]))
    assert ask(capsys, "models", "adopt", path, "-o", out, "--head", "image-to-image:scale=1").code == 0
    contract = open_model_file(out).contract
    assert (contract.input.size_wh, contract.golden) == ((0, 0), None)


def test_models_without_a_verb_still_lists(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "models", "--json")
    assert code == 0
    assert "face-detector" in [json.loads(line)["name"] for line in out.splitlines()]
