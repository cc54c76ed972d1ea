"""Downloads from a server that does what servers do: resumed, checked, bounded, and never half a file in place."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vedette.errors import ModelError, SettingsError, SinkError, VedetteError
from vedette.zoo import pull as module
from vedette.zoo.known import Known
from vedette.zoo.pull import pull
from zoo.web_server import Act, Server, drop, give, hang, serve, status, trickle

DATA = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
NAME = "toy"


def known(url: str, **changes: Any) -> Known:
    values = {
        "name": NAME,
        "url": url,
        "sha256": hashlib.sha256(DATA).hexdigest(),
        "bytes": len(DATA),
        "task": "tests",
        "input": "1x1",
        "license": "MIT",
        "training_data": (),
    }
    return Known(**{**values, **changes})


def get(server: Server, folder: Path, **options: Any) -> Path:
    quick = {"timeout_s": 0.5, "limit_s": 20.0, "pause_s": 0.01}
    return pull(known(f"{server.root}/toy.tflite"), folder, **{**quick, **options})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_model_is_downloaded_once_and_the_folder_is_made(tmp_path: Path) -> None:
    folder, told = tmp_path / "a" / "b", list[int]()
    with serve(give(DATA)) as server:
        path = get(server, folder, progress=told.append)
        again = get(server, folder)
    assert path == again == folder / "toy.tflite"
    assert path.read_bytes() == DATA
    assert server.asked == [None]
    assert names(folder) == ["toy.tflite"]
    assert told == sorted(told)
    assert told[-1] == len(DATA)


@pytest.mark.parametrize(
    ("acts", "asked"),
    [
        pytest.param(
            [drop(DATA, 100_000), give(DATA)], [None, "bytes=100000-"], id="the connection is dropped"
        ),
        pytest.param(
            [drop(DATA, 100_000), drop(DATA, 50_000), give(DATA)],
            [None, "bytes=100000-", "bytes=150000-"],
            id="dropped twice",
        ),
        pytest.param(
            [hang(DATA, after=70_000), give(DATA)], [None, "bytes=70000-"], id="stalls in the middle"
        ),
        pytest.param([hang(), give(DATA)], [None, None], id="stalls before it answers"),
        pytest.param(
            [drop(DATA, 100_000), give(DATA, ranges=False)], [None, "bytes=100000-"], id="knows no ranges"
        ),
        pytest.param([give(DATA, length=False)], [None], id="tells no length"),
        pytest.param(
            [drop(DATA, 100_000), give(DATA, begin=7), give(DATA)],
            [None, "bytes=100000-", None],
            id="goes on at another byte",
        ),
        pytest.param([drop(DATA, 100_000), status(416), give(DATA)], [None, "bytes=100000-", None], id="416"),
        pytest.param([status(503), give(DATA)], [None, None], id="busy at first"),
    ],
)
def test_what_breaks_off_is_gone_on_with(tmp_path: Path, acts: list[Act], asked: list[str | None]) -> None:
    with serve(*acts) as server:
        assert get(server, tmp_path).read_bytes() == DATA
    assert server.asked == asked
    assert names(tmp_path) == ["toy.tflite"]


@pytest.mark.parametrize(
    ("acts", "requests", "kept", "message"),
    [
        pytest.param([status(404)], 1, 0, "it answers 404 Not Found.*put it at .*toy.tflite", id="404"),
        pytest.param([status(500)], 3, 0, "it answers 500", id="always broken"),
        pytest.param([hang()], 3, 0, "timed out", id="never answers"),
        pytest.param([hang(DATA, after=70_000)], 4, 70_000, "timed out", id="always stalls at the same byte"),
        pytest.param([give(OTHER)], 1, 0, "something else than toy: SHA-256", id="the wrong bytes"),
        pytest.param([give(DATA + b"x")], 1, 0, "offers 300001 bytes", id="one byte too many"),
        pytest.param([drop(DATA, 1000, says=1000)], 1, 0, "offers 1000 bytes", id="too few"),
        pytest.param(
            [give(OTHER * 3, length=False)], 1, 0, "something else", id="endless, of no told length"
        ),
        pytest.param([trickle(DATA, every_s=0.02)], 1, None, "too slow", id="a byte now and then"),
    ],
)
def test_what_cannot_be_had_leaves_nothing_in_place(
    tmp_path: Path, acts: list[Act], requests: int, kept: int | None, message: str
) -> None:
    start_s = time.monotonic()
    with serve(*acts) as server, pytest.raises(ModelError, match=message):
        get(server, tmp_path, timeout_s=0.3, limit_s=1.0 if kept is None else 20.0)
    assert time.monotonic() - start_s < 10
    assert len(server.asked) == requests
    assert not (tmp_path / "toy.tflite").exists()
    part = tmp_path / "toy.tflite.part"
    size = part.stat().st_size if part.exists() else 0
    assert size < 1000 if kept is None else size == kept


def test_the_next_call_goes_on_and_a_spoilt_beginning_is_thrown_away(tmp_path: Path) -> None:
    part = tmp_path / "toy.tflite.part"
    part.write_bytes(DATA[:200_000])
    with serve(give(DATA)) as server:
        assert get(server, tmp_path).read_bytes() == DATA
        (tmp_path / "toy.tflite").unlink()
        part.write_bytes(OTHER[:200_000])
        assert get(server, tmp_path).read_bytes() == DATA
        (tmp_path / "toy.tflite").unlink()
        part.write_bytes(DATA)
        assert get(server, tmp_path).read_bytes() == DATA
        (tmp_path / "toy.tflite").unlink()
        part.write_bytes(DATA * 2)
        assert get(server, tmp_path).read_bytes() == DATA
    assert server.asked == ["bytes=200000-", "bytes=200000-", None, None]


def test_a_file_that_is_not_the_known_one_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "toy.tflite").write_bytes(b"cut short")
    with serve(status(404), give(DATA)) as server:
        with pytest.raises(ModelError, match="404"):
            get(server, tmp_path)
        assert (tmp_path / "toy.tflite").read_bytes() == b"cut short"
        assert get(server, tmp_path).read_bytes() == DATA


def test_nobody_there_is_said_at_once_with_what_to_do_by_hand(tmp_path: Path) -> None:
    with serve(give(DATA)) as server:
        url = f"{server.root}/toy.tflite"
    start_s = time.monotonic()
    with pytest.raises(ModelError) as caught:
        pull(known(url), tmp_path, pause_s=5.0)
    assert time.monotonic() - start_s < 4
    assert all(one in str(caught.value) for one in (url, str(tmp_path / "toy.tflite"), known(url).sha256))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        pytest.param("https://example.com/a", True, id="https"),
        pytest.param("http://localhost:8000/a", True, id="this machine"),
        pytest.param("http://example.com/a", False, id="http"),
        pytest.param("http://localhost.example.com/a", False, id="only looks like this machine"),
        pytest.param("http://localhost@example.com/a", False, id="user part"),
        pytest.param("ftp://example.com/a", False, id="ftp"),
        pytest.param("file:///etc/passwd", False, id="file"),
        pytest.param("https:///a", False, id="no host"),
        pytest.param("https://[::1", False, id="broken"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_only_https_and_this_machine_are_asked(url: str, allowed: bool) -> None:
    if allowed:
        module._check_url(url)
        return
    with pytest.raises(SettingsError, match="only https is trusted"):
        module._check_url(url)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        pytest.param("https://a.example/x", "https://b.example/x", True, id="https to https"),
        pytest.param("https://a.example/x", "http://b.example/x", False, id="https to http"),
        pytest.param("https://a.example/x", "http://localhost/x", False, id="https to this machine"),
        pytest.param("http://localhost/x", "https://b.example/x", True, id="this machine to https"),
        pytest.param("http://localhost/x", "http://b.example/x", False, id="this machine to http"),
    ],
)
def test_redirects_never_go_down(before: str, after: str, allowed: bool) -> None:
    if allowed:
        module._check_url(after, before=before)
        return
    with pytest.raises(SettingsError, match="redirects to"):
        module._check_url(after, before=before)


def test_a_redirect_is_followed_and_keeps_the_range(tmp_path: Path) -> None:
    (tmp_path / "toy.tflite.part").write_bytes(DATA[:1000])
    with serve(give(DATA)) as there, serve(status(302, Location=f"{there.root}/b")) as here:
        assert get(here, tmp_path).read_bytes() == DATA
    assert there.asked == ["bytes=1000-"]


@pytest.mark.parametrize(
    ("location", "error", "message"),
    [
        pytest.param("http://example.invalid/x", SettingsError, "only https is trusted", id="elsewhere"),
        pytest.param("file:///etc/passwd", ModelError, "not allowed", id="a file"),
        pytest.param("/again", ModelError, "302", id="in circles"),
    ],
)
def test_a_bad_redirect_is_refused(
    tmp_path: Path, location: str, error: type[VedetteError], message: str
) -> None:
    with serve(status(302, Location=location)) as server, pytest.raises(error, match=message):
        get(server, tmp_path)
    assert names(tmp_path) == []


def test_a_full_disk_is_said_and_leaves_nothing_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(give(DATA)) as server:
        monkeypatch.setattr(module, "free_bytes", lambda _path: 200_000)
        with pytest.raises(SinkError, match=r"0.3 MB are needed, 0.2 MB are free"):
            get(server, tmp_path)
        monkeypatch.undo()
        (tmp_path / "toy.tflite.part").symlink_to("/dev/full")  # it has room until one writes
        with pytest.raises(SinkError, match="the disk is full"):
            get(server, tmp_path)
        (tmp_path / "toy.tflite.part").unlink()
        assert get(server, tmp_path).read_bytes() == DATA


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serve(give(DATA)) as server, pytest.raises(SinkError, match="cannot write"):
        get(server, tmp_path / "file" / "models")
    assert server.asked == []


def test_of_two_pulls_at_once_one_works_and_the_other_says_so(tmp_path: Path) -> None:
    errors: list[VedetteError] = []

    def second() -> None:
        try:
            get(server, tmp_path)
        except VedetteError as error:
            errors.append(error)

    def while_first_is_under_way(done: int) -> None:
        if not errors:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join(10)

    with serve(give(DATA)) as server:
        assert get(server, tmp_path, progress=while_first_is_under_way).read_bytes() == DATA
        assert get(server, tmp_path).read_bytes() == DATA
    (error,) = errors
    assert isinstance(error, SinkError)
    assert "another pull is writing" in str(error)
    assert server.asked == [None]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_what_is_interrupted_is_gone_on_with(tmp_path: Path, interrupt: type[BaseException]) -> None:
    def stop(have: int) -> None:
        if have > 100_000:
            raise interrupt

    with serve(give(DATA)) as server:
        with pytest.raises(interrupt):
            get(server, tmp_path, progress=stop)
        assert names(tmp_path) == ["toy.tflite.part"]
        assert get(server, tmp_path).read_bytes() == DATA
    assert server.asked[1].startswith("bytes=1")
