"""The page of people in a real browser: enrolled as they move, seen, erased, and the threshold in words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recognition import enrolled
from vedette import app
from vedette.settings import PrivacySettings
from vedette.sources.demo import DemoSettings, DemoSource
from vedette.sources.demo_walls import find_photographs
from vedette.stages.privacy import Privacy
from vedette.testing import FakeSource
from vedette.types import Image
from vedette.web import people as module
from vedette.web.dashboard import Dashboard
from vedette.zoo import bundled
from web import scene
from web.booth import Booth
from web.test_people import ANN, BOB, EVE, with_scores


def eventually(condition: Any) -> bool:
    """Return whether `condition` becomes true; a busy machine takes its time to draw a page."""
    return scene.eventually(condition, within_s=20)


class Tab:
    """The page, logged in by the address that the dashboard gives, and what it complained of."""

    def __init__(self, context: Any, dashboard: Dashboard) -> None:
        self.page, self.root = context.new_page(), f"http://127.0.0.1:{dashboard.address[1]}"
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.answer = True  # to what is to be confirmed
        self.confirmed: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", self._confirm)
        self.page.set_default_timeout(20_000)
        self.page.goto(dashboard.url)
        self.page.click("nav a:has-text('People')")
        self.page.wait_for_selector("#picture[data-index]")

    def says(self, selector: str, text: str) -> bool:
        return eventually(lambda: text in self.page.inner_text(selector))

    def enrol(self, name: str, *, keep: bool = False) -> None:
        """Fill in the form, and send it."""
        self.page.fill("#name", name)
        self.page.check("#agreed")
        self.page.set_checked("#keep", keep)
        self.page.click("#take")
        self.page.wait_for_selector("#take:not([disabled])")

    def _confirm(self, dialog: Any) -> None:
        self.confirmed.append(dialog.message)
        if self.answer:
            dialog.accept()
        else:
            dialog.dismiss()


@pytest.fixture
def booth(dashboard: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Booth]:
    monkeypatch.setattr(module, "WAIT_S", 0.5)
    made = Booth(dashboard, tmp_path, data=with_scores(10_000)).start(ANN)
    yield made
    made.close()


@pytest.fixture
def tab(browser: Any, dashboard: Dashboard, booth: Booth) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = Tab(context, dashboard)
    yield tab
    assert tab.complaints == []
    context.close()


def test_somebody_is_enrolled_from_the_live_picture_and_seen(tab: Tab, booth: Booth) -> None:
    assert tab.says("#advice", "Good enough")
    assert int(tab.page.get_attribute("#meter", "aria-valuenow")) > 50
    assert tab.page.evaluate("document.getElementById('bar').offsetWidth") > 100
    tab.enrol("Ann")
    assert tab.says("#done", "Ann is enrolled")
    assert tab.says("#people", "Ann")
    assert tab.says("#seen", "Ann")
    assert "certain" in tab.page.inner_text("#seen")
    tab.page.wait_for_selector("#seen [data-identity='known'] i")
    tab.enrol("Ann")
    assert tab.says("#done", "one template more")
    assert booth.names() == {"Ann": 2}
    assert tab.says("#count", "1 person, 2 templates")
    assert tab.page.locator("#people img").count() == 0
    assert not any("Ann" in url for url in tab.asked)  # names are in no address


def test_the_quality_moves_and_says_how_to_mend_it(tab: Tab, booth: Booth) -> None:
    assert tab.says("#advice", "Good enough")
    booth.scene = (ANN, BOB)
    assert tab.says("#advice", "2 faces were found: have one person in the picture")
    assert tab.page.inner_text("#quality") == "–"
    tab.enrol("Ann")
    assert tab.says("#refused", "Nobody was enrolled: 2 faces were found")
    booth.scene = ()
    assert tab.says("#advice", "No face was found: look at the camera")
    assert tab.says("#seen", "Nobody")
    assert booth.names() == {}


def test_nobody_is_enrolled_without_a_name_and_their_word(tab: Tab, booth: Booth) -> None:
    tab.page.click("#take")
    tab.page.fill("#name", "Ann")
    tab.page.click("#take")
    tab.page.check("#agreed")
    tab.page.fill("#name", "Bob")  # it was Ann who agreed
    assert not tab.page.is_checked("#agreed")
    tab.page.click("#take")
    tab.page.wait_for_timeout(300)
    assert not any("enrol" in url for url in tab.asked)
    assert booth.names() == {}


def test_a_person_is_erased_when_that_is_confirmed(tab: Tab, booth: Booth) -> None:
    enrolled(booth.stage.recognizer, Ann=ANN)
    enrolled(booth.stage.recognizer, Ann=EVE, Bob=BOB)
    tab.page.reload()
    assert tab.says("#people", "Bob")
    assert tab.says("#flags", "unlike the others")
    tab.answer = False
    tab.page.click("button[aria-label='Erase Ann']")
    assert eventually(lambda: len(tab.confirmed) == 1)
    assert "2 templates go for good" in tab.confirmed[0]
    assert booth.names() == {"Ann": 2, "Bob": 1}
    tab.answer = True
    tab.page.click("#people summary")
    tab.page.click("button[aria-label='Remove this template of Ann'] >> nth=0")
    assert tab.says("#count", "2 people, 2 templates")
    assert tab.page.locator("#people details[open]").count() == 1  # what was open stays so
    tab.page.click("button[aria-label='Erase Ann']")
    assert tab.says("#count", "1 person, 1 template")
    assert booth.names() == {"Bob": 1}


def test_the_threshold_is_put_in_words_and_calibrated(tab: Tab, booth: Booth) -> None:
    enrolled(booth.stage.recognizer, Ann=ANN)
    tab.page.reload()
    assert tab.says("#meaning", "not measured")
    assert tab.page.inner_text("#threshold") == "0.80"
    tab.page.select_option("#far", "0.01")
    tab.page.click("#calibrate button")
    assert tab.says("#meaning", "at most 1 in 100 searches among 1 person")
    assert tab.page.inner_text("#threshold") != "0.80"
    for _ in range(2):
        enrolled(booth.stage.recognizer, Bob=BOB, Eve=EVE)
    tab.page.reload()
    assert tab.says("#warnings", "calibrate anew")
    tab.page.select_option("#far", "0.001")
    tab.page.click("#calibrate button")
    assert tab.says("#not-calibrated", "cannot promise a rate of 0.001")
    tab.page.select_option("#far", "")
    tab.page.click("#calibrate button")
    assert tab.says("#meaning", "among 3 people (5 templates)")
    assert tab.page.inner_text("#warnings") == ""


def test_a_name_is_text_and_a_kept_picture_is_shown(tab: Tab, booth: Booth) -> None:
    tab.enrol("<img src=x onerror=alert(1)>", keep=True)
    assert tab.says("#people", "<img src=x onerror=alert(1)>")
    tab.page.click("#people summary")
    assert eventually(lambda: tab.page.evaluate("document.querySelector('#people img')?.naturalWidth > 0"))
    assert tab.page.locator("#people img").count() == 1
    assert tab.confirmed == []


def test_the_token_is_asked_for_and_leads_to_the_page(
    browser: Any, dashboard: Dashboard, booth: Booth
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"http://127.0.0.1:{dashboard.address[1]}/people")
    assert "asks for a token" in page.inner_text("main")
    page.fill("#token", str(dashboard.token))
    page.click("button")
    page.wait_for_selector("#picture[data-index]")
    assert page.url.endswith("/people")
    context.clear_cookies()
    page.wait_for_selector("#token")  # who is not let in any more is asked again
    context.close()


def test_nothing_is_wider_than_a_phone_nor_too_small_for_a_finger(
    browser: Any, dashboard: Dashboard, booth: Booth
) -> None:
    booth.enrol("Maximiliana Konstantinopolitanska-Featherstonehaugh", ANN, keep_picture=True)
    booth.enrol("Eve", ANN)
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 320, "height": 740}, color_scheme=scheme)
        tab = Tab(context, dashboard)
        assert tab.says("#people", "Maximiliana")
        tab.page.click("#people summary >> nth=1")
        for path in ("/people", "/"):
            tab.page.goto(tab.root + path)
            tab.page.wait_for_selector("#picture[data-index]")
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= 320
        tab.page.goto(tab.root + "/people")
        assert tab.says("#people", "Maximiliana")
        small = "[...document.querySelectorAll('main button, main select, main input:not([type=checkbox])')]"
        assert tab.page.evaluate(f"{small}.filter(b => b.offsetParent && b.offsetHeight < 40).length") == 0
        assert tab.complaints == []
        context.close()


def test_where_nobody_is_named_the_page_says_how_to(browser: Any, dashboard: Dashboard) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{dashboard.address[1]}")
    assert eventually(lambda: page.inner_text("#about") != "")
    assert page.is_hidden("nav")
    page.goto(f"http://127.0.0.1:{dashboard.address[1]}/people")
    assert eventually(lambda: "--stage recognize" in page.inner_text("#alarm"))
    assert page.is_hidden("#enrol")
    context.close()


def test_where_faces_are_blurred_people_can_be_enrolled(
    browser: Any, dashboard: Dashboard, tmp_path: Path
) -> None:
    booth = Booth(dashboard, tmp_path, then=Privacy(PrivacySettings("all"))).start(ANN)
    context = browser.new_context()
    tab = Tab(context, dashboard)
    tab.enrol("Ann", keep=True)
    assert tab.says("#seen", "Ann")
    tab.page.click("#people summary")
    assert tab.says("#people", "Quality")
    assert tab.page.locator("#people img").count() == 0
    assert not any("picture?" in url for url in tab.asked)
    context.close()
    booth.close()


@pytest.mark.skipif("face-embedder" not in bundled(), reason="the model face-embedder is not bundled here")
def test_a_whole_run_names_who_was_enrolled_before_the_demo_camera(
    browser: Any, dashboard: Dashboard, tmp_path: Path
) -> None:
    up, stop = threading.Event(), threading.Event()
    stages = ["faces", "track?confirm_s=0.2", f"recognize={tmp_path / 'people.db'}"]
    camera = FakeSource(demo_face(), live=True, interval_s=0.2)

    def run() -> None:
        for _ in app.run(camera, stages, [dashboard], on_sink=lambda _sink: up.set()):
            if stop.is_set():
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert up.wait(60)
        context = browser.new_context()
        tab = Tab(context, dashboard)
        assert tab.says("#advice", "Good enough")
        tab.enrol("Eileen")
        assert tab.says("#done", "Eileen is enrolled")
        assert tab.says("#seen", "Eileen")
        context.close()
    finally:
        stop.set()
        thread.join(20)


def demo_face() -> list[Image]:
    """Return a second before one wall of the demo, where one face is alone, to and fro for minutes."""
    settings = DemoSettings(seed=5, size_wh=(640, 360), fps=10, live=False)
    with DemoSource(settings, folder=find_photographs()) as demo:
        frames = [frame.image for _ in range(60) if (frame := demo.read()) is not None][50:]
    return (frames + frames[::-1]) * 50
