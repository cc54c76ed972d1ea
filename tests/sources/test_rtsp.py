"""Network cameras, against servers on this machine: one that works, and each way not to."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import cv2
import numpy as np
import pytest

from vedette.errors import SettingsError, SourceError, SourceLost
from vedette.sources.rtsp import NetworkCamera
from vedette.sources.uri import open_source

RED = cv2.imencode(".jpg", np.full((48, 64, 3), (0, 0, 255), np.uint8))[1].tobytes()
PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(RED) + RED + b"\r\n"


@contextmanager
def camera(serve: Callable[[BaseHTTPRequestHandler, threading.Event], None]) -> Iterator[int]:
    """Run an HTTP server that answers with `serve`; gives its port."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # the client went away
                serve(self, done)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        done.set()
        server.shutdown()
        server.server_close()
        thread.join(2)


def damaged(request: BaseHTTPRequestHandler, _: threading.Event) -> None:
    """Send 20 pictures, 3 that are none, 20 more."""
    request.send_response(200)
    request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    request.end_headers()
    request.wfile.write(20 * PART + 3 * PART.replace(RED, bytes(len(RED))) + 20 * PART)


def stream(n: int, then_stall: bool) -> Callable[[BaseHTTPRequestHandler, threading.Event], None]:
    def serve(request: BaseHTTPRequestHandler, done: threading.Event) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        for _ in range(n):
            request.wfile.write(PART)
        request.wfile.flush()
        if then_stall:
            done.wait(20)

    return serve


def answer(status: int, body: bytes = b"") -> Callable[[BaseHTTPRequestHandler, threading.Event], None]:
    def serve(request: BaseHTTPRequestHandler, _: threading.Event) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        request.wfile.write(body)

    return serve


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_mjpeg_frames_arrive_in_rgb_until_the_camera_closes() -> None:
    with (
        camera(stream(30, then_stall=False)) as port,
        open_source(f"http://u:secret@127.0.0.1:{port}/video?res=1#timeout=5") as source,
    ):
        assert source.live
        frames = []
        with pytest.raises(SourceLost, match="ended the stream") as caught:
            while (frame := source.read()) is not None:
                frames.append(frame)
    assert len(frames) >= 28
    assert frames[0].image[20, 20].tolist() == pytest.approx([254, 0, 0], abs=3)
    assert all(a.time_ns < b.time_ns and b.index == a.index + 1 for a, b in pairwise(frames))
    assert "secret" not in str(caught.value) + source.name + frames[0].source


def test_damaged_pictures_are_passed_over() -> None:
    frames = []
    with (
        camera(damaged) as port,
        open_source(f"http://127.0.0.1:{port}/#timeout=5") as source,
        pytest.raises(SourceLost, match="after 40 frames: the other side ended the stream"),
    ):
        while (frame := source.read()) is not None:
            frames.append(frame)
    assert [f.index for f in frames] == list(range(40))


def test_nothing_but_damaged_pictures_is_a_loss_after_the_timeout() -> None:
    class Torn:
        def isOpened(self) -> bool:
            return True

        def read(self) -> tuple[bool, None]:
            time.sleep(0.01)
            return False, None

        def release(self) -> None:
            pass

    source = NetworkCamera("rtsp://h/s", name="x", timeout_s=0.2, opener=lambda *_: Torn())  # type: ignore[arg-type,return-value]
    start_s = time.monotonic()
    with source, pytest.raises(SourceLost, match=r"no picture came for 0\.2 s"):
        source.read()
    assert time.monotonic() - start_s >= 0.15


def test_stream_that_stalls_is_lost_after_the_timeout() -> None:
    with (
        camera(stream(30, then_stall=True)) as port,
        open_source(f"http://127.0.0.1:{port}/#timeout=1") as source,
        pytest.raises(SourceLost, match="no picture came for 1 s"),
    ):
        while source.read() is not None:
            pass


def test_both_waits_are_bounded() -> None:
    asked: list[object] = []

    class Opened:
        def isOpened(self) -> bool:
            return True

        def release(self) -> None:
            asked.append("released")

    def opener(*arguments: object) -> Opened:
        asked.extend(arguments)
        return Opened()

    NetworkCamera("rtsp://h/s", name="x", timeout_s=2.5, opener=opener).close()  # type: ignore[arg-type]
    limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 2500, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 2500)
    assert asked == ["rtsp://h/s", cv2.CAP_FFMPEG, limits, "released"]


@pytest.mark.parametrize(
    ("serve", "message"),
    [
        pytest.param(answer(404), "answers 404 Not Found; check the path", id="404"),
        pytest.param(answer(401), "does not permit it", id="401"),
        pytest.param(answer(200, b"<html>hello</html>" * 20), "sends text/html, not a stream", id="web-page"),
        pytest.param(answer(200), "sends text/html, not a stream", id="nothing"),
    ],
)
def test_what_a_web_server_answers_instead_is_said(
    serve: Callable[[BaseHTTPRequestHandler, threading.Event], None], message: str
) -> None:
    with camera(serve) as port, pytest.raises(SourceError, match=message) as caught:
        open_source(f"http://admin:secret@127.0.0.1:{port}/x?token=hush#timeout=5")
    assert "secret" not in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("path", ["/türkamera.mjpg", "/front door", "/x?name=tür"])
def test_a_path_in_any_letters_is_asked_for(path: str) -> None:
    with camera(answer(404)) as port, pytest.raises(SourceError, match="answers 404 Not Found"):
        open_source(f"http://127.0.0.1:{port}{path}#timeout=5")


@pytest.mark.parametrize("host", ["a..b", 70 * "ä" + ".de"], ids=["empty label", "long label"])
@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_host_that_no_name_can_be(scheme: str, host: str) -> None:
    with pytest.raises(SourceError, match="is not known in this network"):
        open_source(f"{scheme}://{host}/s#timeout=1")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_refused_connection(scheme: str) -> None:
    with pytest.raises(SourceError, match="refuses the connection"):
        open_source(f"{scheme}://u:secret@127.0.0.1:{free_port()}/s#timeout=5")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_host_that_takes_the_connection_and_never_answers(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(SourceError, match="sends no stream"):
            open_source(f"{scheme}://127.0.0.1:{port}/s#timeout=0.5")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("rtsp://u:p@ss/word@10.0.0.1/s", id="password-with-at-and-slash"),
        pytest.param("rtsp://u:pass/word@10.0.0.1/s", id="password-with-slash"),
        pytest.param("http:///video", id="no-host"),
        pytest.param("http://h:port/video", id="port-not-a-number"),
    ],
)
def test_unclear_address_is_refused_without_showing_a_password(text: str) -> None:
    with pytest.raises(SettingsError, match="%40") as caught:
        open_source(text)
    assert "ss" not in str(caught.value).split(" names ")[0]
    assert caught.value.__cause__ is None


def test_what_the_camera_itself_decides_is_no_option() -> None:
    with pytest.raises(SettingsError, match="unknown option of rtsp source 'size'"):
        open_source("rtsp://127.0.0.1/s#size=640x480")
