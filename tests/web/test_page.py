"""The page in a real browser: what somebody sees and can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from vedette.board import Board
from vedette.web import dashboard as module
from vedette.web.dashboard import Dashboard
from web.scene import TOKEN, Pump, eventually

START_PUMP = Callable[..., Pump]


class Tab:
    """A page with all that it complained about and asked for."""

    def __init__(self, page: Any, dashboard: Dashboard) -> None:
        self.page, self.root = page, f"http://127.0.0.1:{dashboard.address[1]}"
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self) -> Tab:
        self.page.goto(self.root)
        return self

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def state(self) -> str:
        return str(self.page.get_attribute("#state", "data-state"))

    def index(self) -> int:
        return int(self.page.get_attribute("#picture", "data-index") or -1)

    def pixels(self) -> str:
        return str(self.page.evaluate("document.getElementById('picture').toDataURL()"))

    def becomes(self, state: str, *, within_s: float = 6.0) -> bool:
        return eventually(lambda: self.state() == state, within_s=within_s)


@pytest.fixture
def tab(browser: Any, dashboard: Dashboard) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    yield Tab(context.new_page(), dashboard)
    context.close()


def test_the_picture_moves_the_numbers_change_and_nobody_else_is_asked(
    tab: Tab, dashboard: Dashboard, pump: START_PUMP
) -> None:
    pump(dashboard)
    tab.open()
    assert tab.becomes("live")
    first, before = tab.index(), tab.pixels()
    assert eventually(lambda: tab.index() > first + 5)
    assert tab.pixels() != before
    assert eventually(lambda: tab.text("#found") == "1" and tab.text("#fps") not in ("–", "0.0"))
    dropped = tab.text("#dropped")
    assert eventually(lambda: tab.text("#dropped") != dropped)
    assert float(tab.text("#age")) >= 30
    assert "12.0" in tab.text("#times")
    assert "face-detector 1.2.3" in tab.text("#models")
    assert "0123456789ab" in tab.text("#models")
    assert "made up" in tab.text("#source")
    assert "1600 × 900" in tab.text("#about")
    assert tab.complaints == []
    assert all(url.startswith((tab.root, "blob:")) for url in tab.asked)


def test_pause_freezes_this_view_and_costs_nothing(tab: Tab, dashboard: Dashboard, pump: START_PUMP) -> None:
    running = pump(dashboard)
    tab.open()
    assert tab.becomes("live")
    tab.page.keyboard.press("Space")
    assert tab.becomes("paused")
    assert "this view only" in tab.text("#note")
    assert "Resume" in tab.text("#pause")
    assert eventually(lambda: dashboard.viewers == 0 and tab.page.evaluate("picture.width") == 1600)
    frozen, pixels, went_on = tab.index(), tab.pixels(), running.index
    assert eventually(lambda: running.index > went_on + 10)
    assert (tab.index(), tab.pixels(), tab.state()) == (frozen, pixels, "paused")
    tab.page.click("#pause")
    assert tab.becomes("live")
    assert eventually(lambda: tab.index() > frozen)
    assert tab.complaints == []


@pytest.mark.parametrize("paused", [False, True])
def test_snapshot_saves_the_whole_picture(
    tab: Tab, dashboard: Dashboard, pump: START_PUMP, tmp_path: Path, paused: bool
) -> None:
    running = pump(dashboard)
    tab.open()
    assert tab.becomes("live")
    if paused:
        tab.page.click("#pause")
        assert eventually(lambda: tab.page.evaluate("picture.width") == 1600)
        shown, went_on = tab.index(), running.index
        assert eventually(lambda: running.index > went_on + 5)
    with tab.page.expect_download() as download:
        tab.page.click("#snapshot")
    name = download.value.suggested_filename
    download.value.save_as(tmp_path / name)
    assert cv2.imread(str(tmp_path / name)).shape == (900, 1600, 3)
    if paused:
        assert name.endswith(f"-{shown}.jpg")
    assert eventually(lambda: name in tab.text("#note"))


def test_boxes_can_be_hidden(tab: Tab, dashboard: Dashboard, pump: START_PUMP) -> None:
    running = pump(dashboard)
    tab.open()
    assert tab.becomes("live")
    running.stop()
    with_boxes = tab.pixels()
    tab.page.click("#boxes")
    assert tab.page.get_attribute("#boxes", "aria-pressed") == "false"
    assert eventually(lambda: tab.pixels() != with_boxes)


@pytest.mark.parametrize(("preferred", "other"), [("light", "dark"), ("dark", "light")])
def test_light_and_dark_follow_the_system_until_told_and_are_remembered(
    browser: Any, dashboard: Dashboard, preferred: str, other: str
) -> None:
    context = browser.new_context(color_scheme=preferred)
    tab = Tab(context.new_page(), dashboard).open()

    def theme() -> tuple[str, str]:
        return tuple(
            tab.page.evaluate(
                "[document.documentElement.dataset.theme, getComputedStyle(document.body).color]"
            )
        )

    name, color = theme()
    assert name == preferred
    tab.page.click("#theme")
    assert theme()[0] == other
    assert theme()[1] != color
    tab.page.reload()
    assert theme()[0] == other
    context.close()


@pytest.mark.parametrize("width", [320, 360, 1024])
def test_nothing_is_wider_than_the_screen(
    browser: Any, dashboard: Dashboard, pump: START_PUMP, width: int
) -> None:
    pump(dashboard, size_wh=(640, 480))
    context = browser.new_context(viewport={"width": width, "height": 740})
    tab = Tab(context.new_page(), dashboard).open()
    assert tab.becomes("live")
    assert eventually(lambda: tab.text("#found") == "1")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    small = tab.page.evaluate(
        "[...document.querySelectorAll('.tools button:not([hidden])')].filter(b => b.offsetHeight < 40).length"
    )
    assert small == 0  # a finger hits them
    context.close()


def test_an_old_picture_is_called_old_at_once_and_after_two_seconds(
    tab: Tab, dashboard: Dashboard, pump: START_PUMP
) -> None:
    tab.open()
    assert eventually(lambda: "Waiting for the first picture" in tab.text("#veil"))
    running = pump(dashboard)
    assert tab.becomes("live")
    assert tab.page.is_hidden("#veil")
    running.stop()
    assert eventually(lambda: "No new picture for 2 s" in tab.text("#veil"))
    assert tab.state() == "stale"
    assert eventually(lambda: "No new picture for 3 s" in tab.text("#veil"))
    tab.page.reload()
    assert tab.becomes("stale", within_s=1.5)  # who comes later is not told that it is live
    running.start()
    assert tab.becomes("live")


def test_a_lost_connection_is_said_and_comes_back_by_itself(
    tab: Tab, dashboard: Dashboard, pump: START_PUMP
) -> None:
    running = pump(dashboard)
    tab.open()
    assert tab.becomes("live")
    running.stop()
    dashboard.close()
    assert eventually(lambda: "Connection lost. Trying again in" in tab.text("#veil"))
    assert tab.state() == "lost"
    with Dashboard(port=dashboard.address[1]) as again:
        running = pump(again)
        assert tab.becomes("live", within_s=10)
        running.stop()


def test_too_many_viewers_are_told(browser: Any, pump: START_PUMP) -> None:
    with Dashboard(port=0, max_viewers=1) as dashboard:
        running = pump(dashboard)
        context = browser.new_context()
        first, second = (Tab(context.new_page(), dashboard) for _ in range(2))
        first.open()
        assert first.becomes("live")
        second.open()
        assert second.becomes("full")
        assert "1 viewers are watching already" in second.text("#veil")
        assert eventually(lambda: second.text("#found") == "1")  # the figures are shown all the same
        first.page.close()
        assert second.becomes("live")
        context.close()
        running.stop()


def test_throttling_is_an_alarm(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "read_board", lambda: Board(81.2, ("under-voltage",), ("under-voltage", "throttled"))
    )
    tab.open()
    assert eventually(lambda: tab.page.is_visible("#alarm"))
    assert "under-voltage" in tab.text("#alarm")
    assert tab.page.get_attribute("#alarm", "role") == "alert"
    assert "81.2 °C" in tab.text("#board")
    assert "throttled" in tab.text("#board")


def test_log_in_with_the_token(browser: Any, pump: START_PUMP) -> None:
    with Dashboard(port=0, token=TOKEN) as dashboard:
        running = pump(dashboard)
        context = browser.new_context()
        tab = Tab(context.new_page(), dashboard).open()
        assert tab.page.title() == "Vedette – token"
        tab.page.fill("#token", "not the right one")
        tab.page.keyboard.press("Enter")
        assert eventually(lambda: "not the token" in tab.text("#answer"))
        tab.page.fill("#token", TOKEN)
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("#picture")
        assert tab.becomes("live")
        assert TOKEN not in tab.page.url
        assert not tab.page.evaluate("document.cookie")
        context.close()
        running.stop()


def test_the_address_with_the_token_opens_the_page_and_hides_it(browser: Any, pump: START_PUMP) -> None:
    with Dashboard(port=0, token="auto") as dashboard:
        running = pump(dashboard)
        context = browser.new_context()
        tab = Tab(context.new_page(), dashboard)
        tab.page.goto(dashboard.url)
        assert tab.becomes("live")
        assert tab.page.url == f"{tab.root}/"
        assert tab.complaints == []
        context.clear_cookies()
        tab.page.wait_for_selector("#login")  # logged out elsewhere: asked again, not stuck
        context.close()
        running.stop()


def test_the_keyboard_reaches_everything_and_everything_has_a_name(tab: Tab) -> None:
    tab.open()
    seen = set()
    for _ in range(8):
        tab.page.keyboard.press("Tab")
        seen.add(tab.page.evaluate("document.activeElement.id"))
    assert {"theme", "pause", "snapshot", "boxes", "full"} <= seen
    nameless = "e => e.filter(one => !(one.ariaLabel || one.innerText.trim())).length"
    assert tab.page.eval_on_selector_all("button, canvas", nameless) == 0


_PAIRS = [
    *((text, "card") for text in ("ink", "soft", "bad", "accent")),
    ("soft", "ground"), ("on-accent", "accent"), ("ink", "warn-ground"),
]  # fmt: skip


def test_colours_stand_out_enough(tab: Tab) -> None:
    """WCAG 2.1 contrast of at least 4.5 for text, in both themes."""
    tab.open()
    for _ in range(2):
        for text, ground in _PAIRS:
            contrast = _contrast(_color(tab, f"--{text}"), _color(tab, f"--{ground}"))
            assert contrast >= 4.5, (text, ground)
        tab.page.click("#theme")


def _color(tab: Tab, name: str) -> tuple[float, ...]:
    script = "n => getComputedStyle(document.documentElement).getPropertyValue(n).trim().slice(1)"
    digits = tab.page.evaluate(script, name)
    digits = digits if len(digits) == 6 else "".join(d + d for d in digits)
    return tuple(int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4))


def _contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    def luminance(color: tuple[float, ...]) -> float:
        linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in color]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)
