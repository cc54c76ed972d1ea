"""The `vedette` command: what it prints where, how it ends, and what it says of a wrong word."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import pytest

from asked import LIMIT_S, QUICK, VEDETTE, ask, ask_outside, golden_boxes, golden_png, start
from vedette import app, cli, doctor
from vedette.doctor import Check
from vedette.errors import EngineError, SinkError

LIVE = "demo://?size=320x240"


def records(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects in `text`, one a line; anything else in it is an error."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def face(tmp_path: Path) -> Path:
    return golden_png(tmp_path)


# what is printed where


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        pytest.param(["models", "--json"], {"name", "version", "task", "sha256", "license"}, id="models"),
        pytest.param(["inspect", "face-detector", "--json"], {"inputs", "outputs", "golden"}, id="inspect"),
        pytest.param(["doctor", "--json"], {"name", "status", "detail", "remedy"}, id="doctor"),
        pytest.param(["detect", QUICK, "--json"], {"schema", "detections", "frame"}, id="detect"),
        pytest.param(["bench", QUICK, "--seconds", "0.2", "--json"], {"loop_ratio"}, id="bench"),
        pytest.param(["live", QUICK, "--sink", "-"], {"schema", "detections", "age_ms"}, id="live"),
    ],
)
def test_json_is_all_that_stands_on_stdout(
    capsys: pytest.CaptureFixture[str], words: list[str], keys: set[str]
) -> None:
    code, out, err = ask(capsys, *words)

    assert code == 0
    assert all(keys <= set(record) for record in records(out))
    assert out
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param(["models"], "face-detector", id="models"),
        pytest.param(["inspect", "face-detector"], "face-detection", id="inspect"),
        pytest.param(["doctor"], "  ok  vedette: ", id="doctor"),
        pytest.param(["detect", QUICK], "(320x240): ", id="detect"),
        pytest.param(["bench", QUICK, "--seconds", "0.2"], "loop_ratio", id="bench"),
    ],
)
def test_without_json_it_reads_like_text(
    capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    code, out, err = ask(capsys, *words)

    assert (code, err) == (0, "")
    assert text in out


def test_detect_finds_the_golden_face(capsys: pytest.CaptureFixture[str], face: Path) -> None:
    _, out, _ = ask(capsys, "detect", face, "--json")

    (record,) = records(out)
    assert record["source"] == str(face)
    found = [d["box"] for d in record["detections"]]
    assert [b for one in found for b in one] == pytest.approx(
        [b for one in golden_boxes() for b in one], abs=2
    )


def test_min_score_and_threads_are_heeded(capsys: pytest.CaptureFixture[str], face: Path) -> None:
    _, out, _ = ask(capsys, "detect", face, "--json", "--min-score", "1", "--threads", "1")

    (record,) = records(out)
    assert record["detections"] == []
    assert record["models"]["faces"]["engine"].endswith("cpu x1")


def test_live_keeps_its_summary_off_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ask(capsys, "live", QUICK)

    assert (code, out) == (0, "")
    for word in ("6 frames", "p50 ms", "stage faces", "found", "dropped  none"):
        assert word in err


def test_detect_draws_into_a_folder(capsys: pytest.CaptureFixture[str], face: Path, tmp_path: Path) -> None:
    code, _, _ = ask(capsys, "detect", face, "--out", tmp_path / "seen")

    drawn = cv2.imread(str(tmp_path / "seen" / "face.jpg"))
    given = cv2.imread(str(face))
    assert code == 0
    assert drawn.shape == given.shape
    assert cv2.absdiff(drawn, given).max() > 60  # a box was drawn: JPEG alone does not change that much


def test_version_and_help_are_results(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--version"], ["--help"], ["live", "--help"]):
        with pytest.raises(SystemExit) as ended:
            ask(capsys, *words)
        said = capsys.readouterr()
        assert (ended.value.code, said.err) == (0, "")
        assert "vedette" in said.out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ask(capsys, "--help")
    said = capsys.readouterr().out
    assert all(verb in said for verb in (*cli.COMMANDS, "train", "convert"))


# words that are not known


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["lve"], "unknown command 'lve'; did you mean 'live'?", id="command"),
        pytest.param(["trian"], "did you mean 'train'?", id="command of a department"),
        pytest.param([], "COMMAND", id="no command"),
        pytest.param(["live"], "no source is given", id="live without source"),
        pytest.param(["detect"], "source", id="detect without source"),
        pytest.param(["live", "demo://", "more"], "'more' is one argument too many", id="argument"),
        pytest.param(["live", "demo://", "--frmes", "3"], "'--frmes'; did you mean '--frames'?", id="option"),
        pytest.param(["detect", "a.png", "--jsn"], "'--jsn'; did you mean '--json'?", id="option of detect"),
        pytest.param(["live", "demo://", "--stage", "facs"], "did you mean 'faces'?", id="stage"),
        pytest.param(
            ["live", "demo://", "--stage", "faces?min_scor=1"], "did you mean 'min_score'?", id="stage option"
        ),
        pytest.param(["live", "demo://", "--stage", "faces=face-detectr"], "'face-detector'?", id="stage's model"),
        pytest.param(["live", QUICK, "--sink", "vido:a.mp4"], "did you mean 'video:'?", id="sink"),
        pytest.param(["live", QUICK, "--sink", "video:a.mp4?fsp=3"], "did you mean 'fps'?", id="sink option"),
        pytest.param(["live", QUICK, "--sink", "web://127.0.0.1:0?qality=3"], "'quality'?", id="dashboard option"),
        pytest.param(["live", "dmo://"], "did you mean 'demo'?", id="source"),
        pytest.param(["live", "demo://?sed=1"], "did you mean 'seed'?", id="source option"),
        pytest.param(["detect", "a.png", "--model", "face-detectr"], "'face-detector'?", id="model"),
        pytest.param(["inspect", "face-detekt"], "did you mean 'face-detector'?", id="inspected model"),
        pytest.param(["live", "demo://", "--frames", "0"], "frames is 0", id="no frames"),
        pytest.param(["live", "demo://", "--frames", "many"], "'many'", id="frames are no number"),
        pytest.param(["live", "demo://", "--seconds", "-1"], "seconds is -1", id="seconds"),
        pytest.param(["live", "demo://", "--seconds", "nan"], "seconds is nan", id="seconds are no number"),
        pytest.param(["live", "demo://", "--seconds", "inf"], "seconds is inf", id="seconds without end"),
        pytest.param(["detect", "a.png", "--min-score", "2"], "give 0 to 1", id="score"),
        pytest.param(["detect", "a.png", "--min-score", "nan"], "give 0 to 1", id="score is no number"),
        pytest.param(["detect", "a.png", "--threads", "0"], "give 1 to 64", id="threads"),
        pytest.param(["bench", "--seconds", "0"], "give 0.1 to 3600", id="bench seconds"),
        pytest.param(["live", "--settings", "gone.toml"], "cannot read the settings gone.toml", id="settings"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = ask(capsys, *words)

    assert code == 2
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# exit codes


def fail(error: BaseException) -> Any:
    def load(*_: object, **__: object) -> None:
        raise error

    return load


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["detect", "gone.png"], 3, id="source"),
        pytest.param(["live", "gone.mp4"], 3, id="live source"),
        pytest.param(["bench", "gone.mp4"], 3, id="bench source"),
        pytest.param(["inspect", "gone.tflite"], 4, id="model"),
        pytest.param(["live", QUICK, "--stage", "faces=gone.tflite"], 4, id="stage's model"),
        pytest.param(["live", QUICK, "--sink", "gone/a.jsonl"], 5, id="sink"),
        pytest.param(["detect", QUICK, "--out", "gone/out"], 5, id="folder for pictures"),
    ],
)
def test_exit_codes_say_what_failed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = ask(capsys, *words)

    assert answer.code == code
    assert "gone" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(EngineError("the model failed"), 6, "vedette: the model failed\n", id="engine"),
        pytest.param(KeyboardInterrupt(), 130, "", id="interrupted"),
        pytest.param(
            ImportError("libGL.so.1 is missing"), 7, "libGL.so.1 is missing. `vedette doctor`", id="broken"
        ),
    ],
)
def test_errors_from_deep_inside(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(app, "load", fail(error))
    answer = ask(capsys, "detect", "a.png")

    assert answer.code == code
    assert said in answer.err
    assert answer.err.count("\n") == bool(said)


def test_a_missing_extra_is_named() -> None:
    """In a process of its own: here the web stack may be loaded already."""
    code = "import sys; sys.modules['uvicorn'] = None; from vedette.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "live", QUICK, "--sink", "web://127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    assert done.returncode == 7
    assert "vedette[web]" in done.stderr


def test_converting_without_tensorflow_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import vedette_convert.cli as convert

    monkeypatch.setattr(convert, "find_spec", lambda _: None)
    code, _, err = ask(capsys, "convert", tmp_path, "-o", tmp_path / "x.tflite")

    assert code == 7
    assert "vedette[convert]" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_doctor_fails_where_something_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: str, code: int
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: iter([Check("disk", status, "how it is", "mend it")]))
    answer = ask(capsys, "doctor")

    assert answer.code == code
    assert f"{status:>4}  disk: how it is" in answer.out
    assert ("-> mend it" in answer.out) == (status != "ok")


def test_what_failed_besides_is_told_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = KeyboardInterrupt()
    error.add_note("also: out.mp4 could not be finished")
    monkeypatch.setattr(app, "load", fail(error))

    assert ask(capsys, "detect", "a.png") == (130, "", "vedette: also: out.mp4 could not be finished\n")


def test_an_output_that_cannot_be_finished_fails_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vedette.testing import ListSink

    class Unfinished(ListSink):
        def close(self) -> None:
            raise SinkError("out.mp4 cannot be finished: the disk is full")

    monkeypatch.setattr(app, "make_sink", lambda _: Unfinished())
    code, _, err = ask(capsys, "live", QUICK, "--sink", "x.jsonl")

    assert code == 5
    assert "out.mp4 cannot be finished" in err


def test_one_bad_source_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], face: Path, tmp_path: Path
) -> None:
    other = golden_png(tmp_path, "other.png")
    code, out, err = ask(capsys, "detect", face, tmp_path / "missing.png", other, "--json")

    assert code == 3
    assert [record["source"] for record in records(out)] == [str(face), str(other)]
    assert len(err.splitlines()) == 1
    assert "missing.png" in err


# limits and settings


def test_frames_end_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "live", "demo://?pace=none&size=320x240", "--sink", "-", "--frames", "3")
    assert (code, len(records(out))) == (0, 3)


def test_seconds_end_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "live", LIVE, "--sink", "-", "--seconds", "0.5")
    assert code == 0
    assert 1 <= len(records(out)) <= 16


def test_a_settings_file_says_it_all_and_the_command_line_has_the_last_word(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "door.toml"
    path.write_text(
        f'source = "{QUICK}"\nstages = ["faces?threads=1"]\nsinks = ["{tmp_path}/a.jsonl"]\nframes = 4\n'
    )
    assert ask(capsys, "live", "--settings", path).code == 0
    assert ask(capsys, "live", "--settings", path, "--frames", "2", "--sink", tmp_path / "b.jsonl").code == 0

    assert len(records((tmp_path / "a.jsonl").read_text())) == 4
    assert len(records((tmp_path / "b.jsonl").read_text())) == 2


def test_an_unknown_setting_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "door.toml"
    path.write_text('sorce = "0"\n')
    code, _, err = ask(capsys, "live", "--settings", path)

    assert code == 2
    assert "did you mean 'source'" in err
    assert str(path) in err


def test_the_dashboards_address_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ask(capsys, "live", QUICK, "--sink", "web://127.0.0.1:0")

    assert (code, out) == (0, "")
    assert "vedette: look at http://127.0.0.1:" in err


@pytest.mark.parametrize("token", ["{}", "@token"], ids=["given", "in a file"])
def test_a_token_that_the_user_has_is_not_written_to_the_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str
) -> None:
    secret = "correct-horse-battery"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text(secret)
    code, out, err = ask(capsys, "live", QUICK, "--sink", f"web://127.0.0.1:0?token={token.format(secret)}")

    assert (code, out) == (0, "")
    assert "vedette: look at http://127.0.0.1:" in err
    assert secret not in err


# as part of another program


def test_sigterm_does_afterwards_what_it_did_before(capsys: pytest.CaptureFixture[str]) -> None:
    def mine(*_: object) -> None:
        """Do nothing."""

    before = signal.signal(signal.SIGTERM, mine)
    try:
        assert ask(capsys, "models").code == 0
        assert ask(capsys, "live").code == 2
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_any_thread_may_call_it(capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(cli.main(["live", QUICK])))
    thread.start()
    thread.join(LIMIT_S)

    assert codes == [0]
    assert "6 frames" in capsys.readouterr().err


# as a process


def test_nothing_but_json_on_stdout_of_the_process(face: Path, tmp_path: Path) -> None:
    code, out, err = ask_outside("detect", face, tmp_path / "missing.png", "--json")

    assert code == 3
    assert len(records(out)) == 1
    assert len(err.splitlines()) == 1


def test_a_file_name_that_is_no_text_is_printed_escaped(tmp_path: Path) -> None:
    golden_png(tmp_path).rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    code, out, err = ask_outside("detect", tmp_path, PYTHONIOENCODING="utf-8:strict")

    assert (code, err) == (0, "")
    assert "caf\\udce9.png (" in out


def test_warnings_are_on_stderr(tmp_path: Path) -> None:
    golden_png(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    code, out, err = ask_outside("detect", tmp_path, "--json")

    assert code == 0
    assert len(records(out)) == 1
    assert "vedette: WARNING: left out" in err
    assert "broken.png" in err


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("live", "demo://?pace=none&size=320x240", "--sink", "-"), id="live"),
        pytest.param(("detect", "demo://?pace=none&size=320x240", "--json"), id="detect"),
    ],
)
def test_it_ends_when_the_reader_of_its_output_does(words: tuple[str, ...], unbuffered: str) -> None:
    with start(words, env={**os.environ, "PYTHONUNBUFFERED": unbuffered}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        code = process.wait(LIMIT_S)
        said = process.stderr.read().decode()

    assert json.loads(first)["frame"] == 0
    assert code == 0
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "words", [["models"], ["doctor", "--json"], ["live", QUICK, "--sink", "-"]], ids=lambda w: w[0]
)
def test_a_full_disk_behind_stdout_is_told(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full, start(words, stdout=full) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        code = process.wait(LIMIT_S)

    assert code == 5
    assert "standard output" in said
    assert "Traceback" not in said


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None, "it ended early"
        assert time.monotonic() < end_s, "it does not get going"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_ends_it_with_whole_outputs(tmp_path: Path, number: signal.Signals) -> None:
    words = ("live", LIVE, "--sink", "seen.jsonl", "--sink", "seen.mp4", "--sink", "sheet:sheet.png")
    with start(words, cwd=tmp_path) as process:
        try:
            wait_for_lines(tmp_path / "seen.jsonl", 10, process)
            process.send_signal(number)
            _, said = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()  # or a command that does not end would hold up the whole run

    assert process.returncode == 130
    assert b"Traceback" not in said
    assert b" frames, " in said  # the summary
    assert {path.name for path in tmp_path.iterdir()} == {"seen.jsonl", "seen.mp4", "sheet.png"}
    assert (tmp_path / "seen.jsonl").read_bytes().endswith(b"}\n")
    count = len(records((tmp_path / "seen.jsonl").read_text()))
    assert 0 < frames_of(tmp_path / "seen.mp4") <= 2 * count


def frames_of(path: Path) -> int:
    video = cv2.VideoCapture(str(path))
    count = 0
    while video.read()[0]:
        count += 1
    video.release()
    return count


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal."""
    ours, theirs = os.openpty()
    with closing(os.fdopen(ours, "rb", 0)) as kept:
        yield kept.fileno(), theirs


# Without the two quiet seconds at the beginning.
EAGER = "import sys, vedette.cli as c; c.QUIET_S = 0.0; sys.exit(c.main(sys.argv[1:]))"


def run_on(terminal: tuple[int, int], *words: str) -> str:
    """Return what the command writes to stderr when that is a terminal."""
    ours, theirs = terminal
    command = [sys.executable, "-c", EAGER, *words]
    process = subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk
    except OSError:
        pass  # Linux tells so that the other end is closed
    assert process.wait(LIMIT_S) == 0
    return said.decode()


def test_progress_is_shown_on_a_terminal_and_taken_away(terminal: tuple[int, int]) -> None:
    said = run_on(terminal, "live", QUICK)

    assert "\r\x1b[2Klive: 1 frames, " in said
    assert said.rindex("\x1b[2K") < said.index("p50 ms")  # gone before the summary
    assert "live: " not in said[said.rindex("\x1b[2K") :]


def test_progress_is_not_shown_elsewhere() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EAGER, "live", QUICK], capture_output=True, timeout=LIMIT_S, check=True
    )
    assert b"\x1b" not in done.stderr


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [*VEDETTE, "--version"], capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    assert done.stdout.startswith("vedette ")
