"""`vedette enhance`: pictures, folders, videos; what breaks, what is refused, what goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drawn_enhancers import curve_model, picture_model
from vedette import enhancing
from vedette.cli import main
from vedette.enhancing import JOURNAL, plan_jobs
from vedette.sinks import sound

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the verb with a model that doubles, and gives exit code, output and errors."""
    (tmp_path / "large.tflite").write_bytes(picture_model(2))
    (tmp_path / "light.tflite").write_bytes(curve_model())

    def verb(*args: object, model: str = "large.tflite") -> tuple[int, str, str]:
        code = main(["enhance", *map(str, args), "--with", str(tmp_path / model), "--threads", "1"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return verb


def picture(path: Path, shape: tuple[int, ...] = (12, 20, 3), *, seed: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, shape, np.uint8))
    return path


def video(path: Path, frames: int = 30, size_wh: tuple[int, int] = (64, 48)) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size_wh)
    for k in range(frames):
        writer.write(np.full((size_wh[1], size_wh[0], 3), 40 + k * 2, np.uint8))
    writer.release()
    return path


def frames_of(path: Path) -> list[np.ndarray[Any, Any]]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        found.append(read[1])
    capture.release()
    return found


def test_one_picture(run: Run, tmp_path: Path) -> None:
    source, target = picture(tmp_path / "a.png"), tmp_path / "b.png"
    code, out, err = run(source, target)
    assert (code, out, err) == (0, f"{source} -> {target} (40x24)\n", "")
    assert cv2.imread(str(target)).shape == (24, 40, 3)
    assert run(source, f"{tmp_path}/into/")[0] == 0
    assert (tmp_path / "into" / "a.png").read_bytes() == target.read_bytes()


def test_several_models_in_order(run: Run, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    both = f"light.tflite,{tmp_path / 'large.tflite'}"
    assert run(source, tmp_path / "b.png", model=both)[0] == 0
    assert cv2.imread(str(tmp_path / "b.png")).mean() > 1.2 * cv2.imread(str(source)).mean()


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white(run: Run, tmp_path: Path, level: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((9, 9, 3), level, np.uint8))
    assert run(tmp_path / "a.png", tmp_path / "b.png", model="light.tflite")[0] == 0
    assert (cv2.imread(str(tmp_path / "b.png")) == level).all()


def test_grey_transparency_and_sixteen_bits_are_kept(run: Run, tmp_path: Path) -> None:
    for name, shape, dtype in (("g", (9, 7), "uint8"), ("a", (9, 7, 4), "uint8"), ("d", (9, 7, 3), "uint16")):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full(shape, 77, dtype))
        assert run(tmp_path / f"{name}.png", tmp_path / f"{name}2.png")[0] == 0
        made = cv2.imread(str(tmp_path / f"{name}2.png"), cv2.IMREAD_UNCHANGED)
        assert (made.shape, made.dtype) == ((18, 14, *shape[2:]), np.dtype(dtype))


def test_what_is_not_a_number_is_told_of(run: Run, tmp_path: Path) -> None:
    real = np.full((8, 8, 3), 0.5, np.float32)
    real[0, 0] = np.nan
    cv2.imwrite(str(tmp_path / "a.tif"), real)
    code, _, err = run(tmp_path / "a.tif", tmp_path / "b.png")
    assert code == 0
    assert "3 of them are not within 0..1" in err
    assert cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_a_folder_is_mirrored_and_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    a, b = picture(tmp_path / "in" / "a.png"), picture(tmp_path / "in" / "sub" / "b.jpg", seed=2)
    (tmp_path / "in" / "c.png").write_bytes(b"no picture")
    picture(tmp_path / "in" / ".hidden.png")
    (tmp_path / "in" / "notes.txt").write_text("no picture either")
    out = tmp_path / "out"
    code, said, err = run(tmp_path / "in", out)
    assert code == 3
    assert [line.split(" -> ")[0] for line in said.splitlines()] == [str(a), str(b)]
    assert f"{tmp_path}/in/c.png is not a picture" in err
    assert "2 enhanced, 0 done before, 1 skipped." in err
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == [JOURNAL, "a.png", "b.jpg"]
    (tmp_path / "in" / "c.png").unlink()
    assert run(tmp_path / "in", out)[1:] == ("", "vedette: 0 enhanced, 2 done before, 0 skipped.\n")


@pytest.mark.parametrize(
    ("what", "again"),
    [
        pytest.param("the input", 1, id="input changed"),
        pytest.param("the result", 1, id="result damaged"),
        pytest.param("the models", 2, id="other models"),
        pytest.param("the journal", 1, id="journal cut off"),
    ],
)
def test_what_changed_is_done_again(run: Run, tmp_path: Path, what: str, again: int) -> None:
    a = picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "b.png", seed=2)
    out = tmp_path / "out"
    run(tmp_path / "in", out)
    journal = out / JOURNAL
    if what == "the input":
        picture(a, (14, 20, 3))
    elif what == "the result":
        (out / "a.png").write_bytes(b"half a fi")
    elif what == "the journal":
        journal.write_bytes(journal.read_bytes()[:-40])
    err = run(tmp_path / "in", out, model="light.tflite" if what == "the models" else "large.tflite")[2]
    assert f"{again} enhanced, {2 - again} done before, 0 skipped." in err


def test_in_place_is_done_once(run: Run, tmp_path: Path) -> None:
    a = picture(tmp_path / "in" / "a.png")
    assert run(tmp_path / "in", "--in-place")[0] == 0
    assert cv2.imread(str(a)).shape == (24, 40, 3)
    assert "0 enhanced, 1 done before" in run(tmp_path / "in", "--in-place")[2]
    assert cv2.imread(str(a)).shape == (24, 40, 3)


def test_in_place_leaves_the_file_alone_where_it_fails(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = picture(tmp_path / "a.png")
    before = a.read_bytes()
    real = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        real(self, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = run(a, "--in-place")
    assert code == 5
    assert "the disk is full" in err
    assert a.read_bytes() == before
    assert [p.name for p in tmp_path.glob("a*")] == ["a.png"]


def test_compare_puts_both_side_by_side(run: Run, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    assert run(source, tmp_path / "b.png", "--compare", model="light.tflite")[0] == 0
    both = cv2.imread(str(tmp_path / "b.png"))
    assert both.shape == (12, 40, 3)
    np.testing.assert_array_equal(both[:, :20], cv2.imread(str(source)))
    assert both[:, 20:].mean() > both[:, :20].mean()
    assert run(source, tmp_path / "c.png", "--compare")[1].endswith("(80x24)\n")


def test_a_video(run: Run, tmp_path: Path) -> None:
    source, target = video(tmp_path / "a.avi"), tmp_path / "b.mp4"
    code, out, _ = run(source, target)
    assert (code, out) == (0, f"{source} -> {target} (128x96)\n")
    made = frames_of(target)
    assert (len(made), made[0].shape) == (30, (96, 128, 3))
    middle = [f[16:-16, 16:-16].mean() for f in made]  # the network pads with black at the edge
    np.testing.assert_allclose(middle, 40 + 2 * np.arange(30), atol=6)
    assert sorted(p.name for p in tmp_path.glob("b*")) == ["b.mp4"]


def cut_off(path: Path) -> Path:
    """Cut a video off in the middle, as a card that was pulled out does, its header still telling of all frames."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 55 // 100])
    return path


def test_of_a_video_that_breaks_what_was_done_is_kept(run: Run, tmp_path: Path) -> None:
    source, target = cut_off(video(tmp_path / "a.avi", 60)), tmp_path / "b.avi"
    code, out, err = run(source, target)
    assert (code, out) == (3, "")
    made = frames_of(target)
    assert 10 <= len(made) <= 50
    assert f"What was done before, {len(made)} frames, is in {target}." in err
    before = source.read_bytes()
    code, _, err = run(source, "--in-place")
    assert code == 3
    assert source.read_bytes() == before
    assert len(frames_of(tmp_path / "a.enhanced.avi")) == len(made)
    assert [job.source.name for job in plan_jobs(tmp_path, None, in_place=True)] == ["a.avi", "b.avi"]


def test_a_video_in_place(run: Run, tmp_path: Path) -> None:
    source = video(tmp_path / "clips" / "a.avi") if (tmp_path / "clips").mkdir() is None else tmp_path
    assert run(source.parent, "--in-place")[0] == 0
    assert frames_of(source)[0].shape == (96, 128, 3)
    assert sorted(p.name for p in source.parent.iterdir()) == [JOURNAL, "a.avi"]
    assert "0 enhanced, 1 done before" in run(source.parent, "--in-place")[2]


def test_without_ffmpeg_sound_is_told_of(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound.shutil, "which", lambda _name: None)
    code, _, err = run(video(tmp_path / "a.avi"), tmp_path / "b.mp4")
    assert code == 0
    assert "ffmpeg is not installed" in err


def test_an_ffmpeg_that_fails_leaves_the_video(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'codec of 1999' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    code, _, err = run(video(tmp_path / "a.avi"), tmp_path / "b.mp4")
    assert code == 0
    assert "its sound is left out: ffmpeg says codec of 1999" in err
    assert len(frames_of(tmp_path / "b.mp4")) == 30


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg, which is not installed")
def test_sound_is_carried_over(run: Run, tmp_path: Path) -> None:
    silent, source, target = video(tmp_path / "s.avi"), tmp_path / "a: b.avi", tmp_path / "b.mp4"
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=3", "-c:v", "copy", "-c:a", "mp3"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(silent), *tone, f"file:{source}"], check=True, timeout=60
    )
    code, _, err = run(source, target)
    assert (code, err) == (0, "")
    shown = subprocess.run(
        ["ffmpeg", "-i", f"file:{target}"], capture_output=True, text=True, timeout=60, check=False
    ).stderr
    assert "Audio: mp3" in shown
    assert len(frames_of(target)) == 30


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        pytest.param(["a.png", "a.png"], 2, "a.png is read, and would be written over", id="over itself"),
        pytest.param(["in", "in"], 2, "would be written over", id="a folder over itself"),
        pytest.param(["in", "."], 2, "would be written over", id="a folder over its own pictures"),
        pytest.param(["a.png"], 2, "name where the result goes", id="nowhere"),
        pytest.param(
            ["a.png", "b.png", "--in-place"], 2, "give --in-place and no second name", id="two places"
        ),
        pytest.param(
            ["a.png", "--in-place", "--compare"], 2, "--compare makes pictures", id="compare in place"
        ),
        pytest.param(["none.png", "b.png"], 3, "there is no file or folder", id="nothing there"),
        pytest.param(["a.png", "b.gif"], 2, "a picture's name ends in one of", id="a kind not written"),
        pytest.param(["a.png", "b.png", "--quality", "0"], 2, "give 1 to 100", id="quality"),
        pytest.param(["empty", "out"], 3, "no picture and no video", id="an empty folder"),
    ],
)
def test_what_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = [picture(tmp_path / "a.png"), picture(tmp_path / "in" / "a.png")]
    kept.append(picture(tmp_path / "in" / "in" / "a.png", seed=3))
    kept.append(picture(tmp_path / "in" / "in" / "in" / "a.png", seed=4))
    (tmp_path / "empty").mkdir()
    before = [path.read_bytes() for path in kept]
    done, out, err = run(*args)
    assert (done, out) == (code, "")
    assert message in err
    assert [path.read_bytes() for path in kept] == before


def test_a_link_to_the_input_is_the_input(run: Run, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    (tmp_path / "b.png").hardlink_to(source)
    (tmp_path / "c.png").symlink_to(source)
    for name in ("b.png", "c.png"):
        assert run(source, tmp_path / name)[0] == 2


def test_unknown_models_name_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        ["enhance", str(picture(tmp_path / "a.png")), str(tmp_path / "b.png"), "--with", "face-detectr"]
    )
    assert code == 2
    assert "unknown model 'face-detectr'; did you mean 'face-detector'?" in capsys.readouterr().err


def test_results_inside_the_input_are_no_input(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "out" / "a.png")
    (job,) = plan_jobs(tmp_path, tmp_path / "out")
    assert (job.source, job.target) == (tmp_path / "a.png", tmp_path / "out" / "a.png")


def test_kinds_that_are_not_written_become_png(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.ppm")
    (job,) = plan_jobs(tmp_path / "in", tmp_path / "out")
    assert job.target == tmp_path / "out" / "a.ppm.png"


def test_a_journal_that_is_none_begins_anew(run: Run, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / JOURNAL).write_text("[1]\n{}\n")
    assert "1 enhanced" in run(tmp_path / "in", out)[2]
    rows = [json.loads(line) for line in (out / JOURNAL).read_text().splitlines()]
    assert rows[1]["file"] == "a.png"


def test_the_journal_is_written_before_a_file_is_replaced(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off between the two, the file is as it was and done again; the other way round it would be done twice."""
    a = picture(tmp_path / "in" / "a.png")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(enhancing, "write_atomic", stop)
        assert main(["enhance", str(a), "--in-place", "--with", str(tmp_path / "large.tflite")]) == 130
    assert cv2.imread(str(a)).shape == (12, 20, 3)
    assert "1 enhanced, 0 done before" in run(tmp_path / "in", "--in-place")[2]
    assert cv2.imread(str(a)).shape == (24, 40, 3)


def mask(path: Path, shape: tuple[int, int] = (12, 20), *, marked: tuple[int, int] = (5, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros(shape, np.uint8)
    image[2:4, marked[0] : marked[1]] = 255
    cv2.imwrite(str(path), image)
    return path


def test_only_what_a_mask_marks_is_made_up(run: Run, tmp_path: Path) -> None:
    source, target = picture(tmp_path / "a.png"), tmp_path / "b.png"
    assert run(source, target, "--mask", mask(tmp_path / "m.png"), model="light.tflite")[0] == 0
    same = (cv2.imread(str(source)) == cv2.imread(str(target))).all(axis=2)
    assert not same[2:4, 5:8].all()
    same[2:4, 5:8] = True
    assert same.all()


def test_a_folder_of_masks(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "in" / f"{name}.png")
    mask(tmp_path / "masks" / "a.png")
    code, out, err = run(
        tmp_path / "in", tmp_path / "out", "--mask", tmp_path / "masks", model="light.tflite"
    )
    assert code != 0
    assert "a.png ->" in out
    assert "has no mask for b.png; put b.png there" in err


@pytest.mark.parametrize(
    ("shape", "marked", "words"),
    [
        pytest.param((12, 21), (5, 8), "make them alike", id="another size"),
        pytest.param((12, 20), (5, 5), "marks nothing", id="nothing marked"),
    ],
)
def test_a_mask_that_cannot_be_used(
    run: Run, tmp_path: Path, shape: tuple[int, int], marked: tuple[int, int], words: str
) -> None:
    source, made = picture(tmp_path / "a.png"), mask(tmp_path / "m.png", shape, marked=marked)
    code, _, err = run(source, tmp_path / "b.png", "--mask", made, model="light.tflite")
    assert code != 0
    assert words in err
    assert not (tmp_path / "b.png").exists()


def test_a_mask_that_is_not_there_or_for_a_video(run: Run, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    code, _, err = run(source, tmp_path / "b.png", "--mask", tmp_path / "gone.png")
    assert code != 0
    assert "there is no mask at" in err
    clip = video(tmp_path / "a.avi", 3)
    code, _, err = run(clip, tmp_path / "b.avi", "--mask", mask(tmp_path / "m.png"), model="light.tflite")
    assert code != 0
    assert "a mask is for pictures" in err
