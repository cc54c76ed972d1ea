from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vedette.errors import SinkError
from vedette.sinks import jsonl
from vedette.sinks.jsonl import JsonlSink
from vedette.types import Sink


def test_each_line_is_there_when_write_returns(tmp_path, make_results):
    path = tmp_path / "r.jsonl"
    with JsonlSink(path) as sink:
        assert isinstance(sink, Sink)
        for index in range(3):
            sink.write(make_results(index, n=index))
            lines = path.read_text().splitlines()
            assert [json.loads(line)["frame"] for line in lines] == list(range(index + 1))
    sink.close()
    with pytest.raises(SinkError, match="closed"):
        sink.write(make_results())


@pytest.mark.parametrize(("existing", "expected"), [
    pytest.param("append", ["{}", 0], id="append"),
    pytest.param("overwrite", [0], id="overwrite"),
])  # fmt: skip
def test_an_existing_file_is_only_touched_when_asked(tmp_path, make_results, existing, expected):
    path = tmp_path / "r.jsonl"
    path.write_text("{}\n")
    with pytest.raises(SinkError, match=r"exists; add \?append=1 .*\?overwrite=1"):
        JsonlSink(path)
    assert path.read_text() == "{}\n"
    with JsonlSink(path, existing=existing) as sink:
        sink.write(make_results())
    assert [json.loads(line).get("frame", "{}") for line in path.read_text().splitlines()] == expected


def test_append_ends_a_line_that_was_cut_off(tmp_path, make_results):
    path = tmp_path / "r.jsonl"
    path.write_text('{"frame": 1}\n{"fra')
    with JsonlSink(path, existing="append") as sink:
        sink.write(make_results(5))
    lines = path.read_text().splitlines()
    assert lines[1] == '{"fra'
    assert json.loads(lines[2])["frame"] == 5


@pytest.mark.parametrize(("where", "words"), [
    pytest.param("missing/r.jsonl", "does not exist.*mkdir", id="missing folder"),
    pytest.param("file/r.jsonl", "is not a folder", id="a file as folder"),
    pytest.param(".", "is a folder", id="a folder"),
])  # fmt: skip
def test_a_place_that_cannot_be_written(tmp_path, where, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=words):
        JsonlSink(tmp_path / where)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(SinkError, match="no permission"):
        JsonlSink(tmp_path / "r.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_says_so(make_results):
    with (
        JsonlSink("/dev/full") as sink,
        pytest.raises(SinkError, match=r"/dev/full: the disk is full .*MB free"),
    ):
        sink.write(make_results())


class Full:
    """A file on a disk with room for `room` bytes."""

    def __init__(self, file: io.FileIO, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self.file.write(data[: self.room])
        self.room -= count
        return count

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_full_disk_leaves_no_half_line(tmp_path, make_results, monkeypatch):
    path = tmp_path / "r.jsonl"

    def open_small(self, mode="r", *args, really=Path.open, **options):
        file = really(self, mode, *args, **options)
        return Full(file, 1500) if mode == "xb" else file

    monkeypatch.setattr(Path, "open", open_small)
    with JsonlSink(path) as sink:
        for index in range(10):
            try:
                sink.write(make_results(index))
            except SinkError as error:
                assert "disk is full" in str(error)  # noqa: PT017 - which of the ten fails is not the point
                break
        else:
            pytest.fail("the disk was never full")
    frames = [json.loads(line)["frame"] for line in path.read_text().splitlines()]
    assert frames == list(range(len(frames)))
    assert frames


def test_a_pipe_that_nobody_reads_is_refused_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "p")
    with pytest.raises(SinkError, match=r"p: nobody reads this pipe; start its reader first"):
        JsonlSink(tmp_path / "p")


def test_a_pipe_that_is_read_gets_every_line_however_slow_its_reader(tmp_path, make_results):
    path, lines = tmp_path / "p", []
    os.mkfifo(path)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opens without waiting for who writes

    def read():
        time.sleep(0.3)  # the pipe is full by then
        os.set_blocking(handle, True)
        with os.fdopen(handle) as pipe:
            lines.extend(pipe)

    reader = threading.Thread(target=read)
    with JsonlSink(path) as sink:
        reader.start()
        for index in range(300):
            sink.write(make_results(index))
    reader.join(10)
    assert [json.loads(line)["frame"] for line in lines] == list(range(300))


def test_standard_output(capsys, make_results):
    with JsonlSink("-") as sink:
        sink.write(make_results(3))
    assert json.loads(capsys.readouterr().out)["frame"] == 3


READER_LEAVES = """
import sys, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from vedette.sinks.jsonl import JsonlSink
from vedette.types import Frame, Results
with JsonlSink("-") as sink:
    for k in range(5000):
        sink.write(Results(Frame(np.zeros((4, 4, 3), np.uint8), k, k, 0, "x")))
        if sink.reader_gone:
            break
    sink.write(Results(Frame(np.zeros((4, 4, 3), np.uint8), k, k, 0, "x")))
sys.exit(7 if sink.reader_gone else 8)
"""


def test_a_reader_that_leaves_is_no_error():
    home = str(Path(jsonl.__file__).parents[2])
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen([sys.executable, "-c", READER_LEAVES, home], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=buffered) as child:  # fmt: skip
        assert json.loads(child.stdout.readline())["frame"] == 0
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait(10) == 7
