"""The sink and its server, over real sockets."""

from __future__ import annotations

import builtins
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from vedette.errors import MissingDependencyError, SettingsError, SinkError
from vedette.types import Sink
from vedette.web.dashboard import Dashboard, open_dashboard
from web.scene import MODEL, STREAM, TOKEN, eventually, get, make_results, viewer


@contextmanager
def viewers(dashboard: Dashboard, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(viewer(dashboard)) for _ in range(count)]


def read_pictures(connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """Return the index and the JPEG of the next `count` pictures; each comes in one HTTP chunk."""
    found = []
    with connection.makefile("rb") as lines:
        while len(found) < count:
            head = {}
            while not lines.readline().startswith(b"Content-Type: image/jpeg"):
                pass
            while line := lines.readline().strip():
                name, _, value = line.partition(b": ")
                head[name] = int(value)
            found.append((head[b"X-Frame-Index"], lines.read(head[b"Content-Length"])))
    return found


def decode(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_it_is_a_sink_and_closes_twice(dashboard: Dashboard) -> None:
    assert isinstance(dashboard, Sink)
    dashboard.write(make_results(0))
    dashboard.close()
    dashboard.close()
    with pytest.raises(SinkError, match="closed"):
        dashboard.write(make_results(1))


def test_nothing_is_encoded_while_nobody_watches(dashboard: Dashboard) -> None:
    for k in range(20):
        dashboard.write(make_results(k))
    assert dashboard.encoded == 0
    assert get(dashboard, "/api/stats").json()["frames"] == 20
    assert dashboard.encoded == 0


def test_a_frame_is_encoded_once_for_all_viewers_and_a_slow_one_slows_nobody(dashboard: Dashboard) -> None:
    noise = make_results(0, size_wh=(640, 480))
    noise.frame.image[:] = np.random.default_rng(0).integers(0, 256, noise.frame.image.shape, np.uint8)
    with viewers(dashboard, 5):  # none of them reads
        assert eventually(lambda: dashboard.viewers == 5)
        took_s = []
        for _ in range(200):
            start = time.perf_counter()
            dashboard.write(noise)
            took_s.append(time.perf_counter() - start)
        assert dashboard.encoded == 200
        assert (
            np.percentile(took_s, 95) < 0.25
        )  # an encode takes 0.005; a busy machine now and then takes longer
        assert eventually(lambda: all(one.missed > 100 for one in dashboard._feed._viewers))
        held = [
            c.transport.get_write_buffer_size() for c in dashboard._server._server.server_state.connections
        ]
        assert max(held) < 2_000_000  # bytes: one picture, not two hundred


def test_viewers_get_the_newest_picture_with_and_without_boxes(dashboard: Dashboard) -> None:
    dashboard.write(make_results(7, size_wh=(1600, 900)))
    with viewer(dashboard) as drawn, viewer(dashboard, STREAM.replace(b".mjpg", b".mjpg?boxes=0")) as plain:
        (first, with_boxes), (second, without) = read_pictures(drawn, 1) + read_pictures(plain, 1)
    assert (first, second, dashboard.encoded) == (7, 7, 2)
    assert decode(with_boxes).shape == decode(without).shape == (720, 1280, 3)
    assert np.abs(decode(with_boxes).astype(int) - decode(without)).max() > 100


def test_a_viewer_who_leaves_frees_the_place_though_no_picture_comes(dashboard: Dashboard) -> None:
    with viewer(dashboard):
        assert eventually(lambda: dashboard.viewers == 1)
    assert eventually(lambda: dashboard.viewers == 0)


def test_one_viewer_too_many_is_told_so() -> None:
    with Dashboard(port=0, max_viewers=2) as dashboard:
        with viewers(dashboard, 2):
            assert eventually(lambda: dashboard.viewers == 2)
            refused = get(dashboard, "/stream.mjpg")
            assert refused.status_code == 503
            assert "2 viewers are watching" in refused.json()["error"]
            assert refused.headers["retry-after"]
            assert get(dashboard, "/api/stats").status_code == 200
        assert eventually(lambda: dashboard.viewers == 0)
        with viewer(dashboard):
            assert eventually(lambda: dashboard.viewers == 1)


def test_close_is_bounded_with_viewers_who_do_not_read(caplog: pytest.LogCaptureFixture) -> None:
    dashboard = Dashboard(port=0)
    big = make_results(0, size_wh=(640, 480))
    big.frame.image[:] = np.random.default_rng(0).integers(0, 256, big.frame.image.shape, np.uint8)
    with viewers(dashboard, 4):
        assert eventually(lambda: dashboard.viewers == 4)
        for _ in range(30):
            dashboard.write(big)
        start = time.perf_counter()
        dashboard.close()
        assert time.perf_counter() - start < 2
    assert [r for r in caplog.records if r.name.startswith("uvicorn")] == []
    with Dashboard(port=dashboard.address[1]):
        pass  # the port is free again


def test_snapshot_is_the_whole_picture(dashboard: Dashboard) -> None:
    early = get(dashboard, "/snapshot.jpg")
    assert early.status_code == 503
    assert "no picture yet" in early.json()["error"]
    dashboard.write(make_results(3, size_wh=(1920, 1080)))
    answer = get(dashboard, "/snapshot.jpg")
    assert decode(answer.content).shape == (1080, 1920, 3)
    assert answer.headers["content-disposition"] == 'attachment; filename="vedette-000003.jpg"'
    assert (
        np.abs(
            decode(answer.content).astype(int) - decode(get(dashboard, "/snapshot.jpg?boxes=0").content)
        ).max()
        > 100
    )


def test_what_cannot_be_a_jpeg_is_said_and_the_rest_goes_on(
    dashboard: Dashboard, caplog: pytest.LogCaptureFixture
) -> None:
    dashboard.write(make_results(0, size_wh=(70_000, 2)))
    answer = get(dashboard, "/snapshot.jpg")
    assert answer.status_code == 500
    assert "70000" in answer.json()["error"]
    with viewer(dashboard) as connection:
        assert decode(read_pictures(connection, 1)[0][1]).shape == (1, 1280, 3)
    assert [r for r in caplog.records if r.name.startswith("uvicorn")] == []


def test_garbage_is_refused_and_not_written_about(
    dashboard: Dashboard, caplog: pytest.LogCaptureFixture
) -> None:
    with viewer(dashboard, b"\x16\x03\x01 this is no HTTP\r\n\r\n") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert [r for r in caplog.records if r.name.startswith("uvicorn")] == []


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 2000), (5000, 2)], ids=str)
def test_odd_pictures(dashboard: Dashboard, size_wh: tuple[int, int]) -> None:
    dashboard.write(make_results(0, size_wh=size_wh))
    with viewer(dashboard) as connection:
        decode(read_pictures(connection, 1)[0][1])
    assert decode(get(dashboard, "/snapshot.jpg").content).shape[:2] == size_wh[::-1]


def test_figures(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = get(dashboard, "/api/stats").json()
    assert (empty["frames"], empty["frame"], empty["models"], empty["fps"]) == (0, None, [], 0)
    dashboard.write(make_results(4, drops=2))
    figures = get(dashboard, "/api/stats").json()
    frame = figures["frame"]
    assert (frame["source"], frame["index"], frame["found"]) == ("made up", 4, {"faces": 1})
    assert figures["models"] == [
        {
            "stage": "faces",
            "name": MODEL.name,
            "version": MODEL.version,
            "sha256": MODEL.sha256,
            "engine": MODEL.engine,
        }
    ]
    assert figures["drops"] == {"late": 2}
    assert figures["counts"] == {"faces": {"face": 1}}
    assert figures["stages_ms"]["faces"]["p99"] == 12
    assert figures["age_ms"]["p50"] >= 30


def test_a_taken_port_says_where_and_what_to_do(dashboard: Dashboard) -> None:
    port = dashboard.address[1]
    with pytest.raises(SinkError, match=f"127.0.0.1:{port}.*taken.*lsof -i :{port}"):
        Dashboard(port=port)


@pytest.mark.parametrize(
    ("uri", "error", "message"),
    [
        pytest.param("web://0.0.0.0:0", SettingsError, "token=auto", id="public without token"),
        pytest.param("web://192.0.2.1:0?token=auto", SinkError, "no such address", id="not this machine's"),
        pytest.param("web://no.such.name.invalid:0?token=auto", SinkError, "no such name", id="unknown name"),
        pytest.param(
            "web://127.0.0.1:0?tokn=auto", SettingsError, "did you mean 'token'", id="unknown option"
        ),
        pytest.param("web://127.0.0.1:99999", SettingsError, "Port out of range", id="port too high"),
        pytest.param("web://127.0.0.1:http", SettingsError, "Port could not", id="port no number"),
        pytest.param("web://127.0.0.1:0?quality=best", SettingsError, "whole number", id="quality no number"),
        pytest.param("web://127.0.0.1:0?quality=0", SettingsError, "quality", id="quality too low"),
        pytest.param("web://127.0.0.1:0?max_viewers=0", SettingsError, "max_viewers", id="no viewers"),
        pytest.param("web://127.0.0.1:0?token=abc", SettingsError, "16", id="weak token"),
        pytest.param(
            "web://127.0.0.1:0?token=@/no/such/file", SettingsError, "/no/such/file", id="no token file"
        ),
        pytest.param("web://127.0.0.1:0/page", SettingsError, "looks like", id="path"),
        pytest.param("web://user@127.0.0.1:0", SettingsError, "looks like", id="user"),
        pytest.param("web://[::1", SettingsError, "not an address", id="broken"),
    ],
)
def test_a_wrong_address_is_refused_at_once(uri: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        open_dashboard(uri).close()


def test_open_dashboard(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    with open_dashboard(
        f"web://0.0.0.0:0?token=@{tmp_path}/token&hosts=cam.example&max_viewers=3&quality=50"
    ) as opened:
        assert opened.token == TOKEN
        assert (
            get(opened, "/api/stats", Host="cam.example", Authorization=f"Bearer {TOKEN}").status_code == 200
        )
        assert "0.0.0.0" not in opened.url
    with open_dashboard("web://[::1]:0") if socket.has_ipv6 else ExitStack():
        pass


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.partition(".")[0] == "uvicorn":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *rest)  # type: ignore[arg-type]

    for name in [n for n in sys.modules if n.startswith(("uvicorn", "vedette.web.thread"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("vedette.web.thread", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"uvicorn.*pip install 'vedette\[web\]'"):
        Dashboard(port=0)


def test_an_error_in_the_server_reaches_the_writer(dashboard: Dashboard) -> None:
    dashboard._server.error = OSError("gone")
    dashboard._server.stop()
    with pytest.raises(SinkError) as caught:
        dashboard.write(make_results(0))
    assert isinstance(caught.value.__cause__, OSError)
