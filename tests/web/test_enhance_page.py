"""The slider between before and after, and the switches, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vedette.stages.enhance import Enhance
from vedette.web.dashboard import Dashboard
from web import scene
from web.dim import LIFT, Lifted, lighting, running
from web.test_page import Tab

MIDDLES = """() => ['before', 'picture'].map((id) => {
  const canvas = document.getElementById(id);
  return canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[1];
}).concat(Number(document.getElementById('picture').dataset.index))"""
"""The green in the middle of both pictures, and which frame's they are."""


def eventually(condition: Any) -> bool:
    """Return whether `condition` becomes true; a busy machine takes its time to draw a page."""
    return scene.eventually(condition, within_s=20)


@pytest.fixture
def stage(dashboard: Dashboard) -> Iterator[Enhance]:
    stage = lighting(Lifted("light", by=LIFT - 20), Lifted("clean", by=20), budget_ms=5000)
    with running(dashboard, [stage]):
        yield stage


@pytest.fixture
def tab(browser: Any, dashboard: Dashboard, stage: Enhance) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = opened(context, dashboard)
    yield tab
    assert [text for text in tab.complaints if "Canvas2D" not in text] == []  # these tests read pixels often
    context.close()


def opened(context: Any, dashboard: Dashboard) -> Tab:
    tab = Tab(context.new_page(), dashboard).open()
    tab.page.set_default_timeout(20_000)
    tab.page.wait_for_selector("#picture[data-index]")
    tab.page.wait_for_selector("#enhance label")
    return tab


def compare(tab: Tab) -> None:
    tab.page.click("#compare")
    tab.page.wait_for_selector("#compare-view:not(.waiting)")


def at(tab: Tab) -> int:
    return int(tab.page.input_value("#split"))


def clip(tab: Tab) -> str:
    return str(tab.page.evaluate("getComputedStyle(document.getElementById('before')).clipPath"))


def test_before_and_after_never_come_apart(tab: Tab, dashboard: Dashboard) -> None:
    assert not any("before=1" in url for url in tab.asked)
    assert tab.page.is_hidden("#compare-view")
    compare(tab)
    seen = []
    assert eventually(lambda: seen.append(tab.page.evaluate(MIDDLES)) or len({k for *_, k in seen}) > 15)
    assert (
        max(abs(after - before - LIFT) for before, after, _ in seen) <= 4
    )  # a frame off would be 12 and more
    tab.page.click("#compare")
    assert eventually(lambda: any("before=0" in url for url in tab.asked[-3:]))
    assert tab.page.is_hidden("#compare-view")
    assert eventually(lambda: not dashboard._feed.wants_before)


def test_the_slider_follows_keys_mouse_and_finger(browser: Any, tab: Tab, dashboard: Dashboard) -> None:
    tab.page.keyboard.press("c")
    tab.page.wait_for_selector("#compare-view:not(.waiting)")
    assert at(tab) == 50
    for _ in range(5):
        tab.page.keyboard.press("ArrowLeft")  # it has the focus
    assert at(tab) == 45
    assert tab.page.get_attribute("#split", "aria-valuetext") == "45 % before"
    assert clip(tab) == "inset(0px 55% 0px 0px)"
    tab.page.keyboard.press("Home")
    assert (at(tab), clip(tab)) == (0, "inset(0px 100% 0px 0px)")
    box = tab.page.locator("#compare-view").bounding_box()
    tab.page.mouse.move(box["x"], box["y"] + box["height"] / 3)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 3, steps=5)
    tab.page.mouse.up()
    assert abs(at(tab) - 70) <= 1
    line = tab.page.evaluate("document.querySelector('.divider').getBoundingClientRect().x")
    assert abs(line - box["x"] - box["width"] * 0.7) < 0.01 * box["width"] + 2  # under the pointer
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    phone = opened(context, dashboard)
    compare(phone)
    box = phone.page.locator("#compare-view").bounding_box()
    phone.page.touchscreen.tap(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    assert eventually(lambda: abs(at(phone) - 20) <= 2)
    context.close()


def test_the_slider_lies_on_the_picture_in_any_window(tab: Tab) -> None:
    compare(tab)
    for size in ((1280, 900), (360, 740), (1600, 420)):
        tab.page.set_viewport_size({"width": size[0], "height": size[1]})
        fits = """() => {
          const [c, v] = ['picture', 'compare-view'].map((id) => document.getElementById(id).getBoundingClientRect());
          const scale = Math.min(c.width / 320, c.height / 180);
          const off = [v.width - 320 * scale, v.height - 180 * scale, v.x + v.width / 2 - c.x - c.width / 2,
                       v.y - c.y - (c.height - v.height) / 2];
          return Math.max(...off.map(Math.abs));
        }"""
        assert eventually(lambda js=fits: tab.page.evaluate(js) < 1.5)


def test_paused_the_pair_stays_and_a_snapshot_saves_what_is_seen(tab: Tab, tmp_path: Path) -> None:
    compare(tab)
    tab.page.keyboard.press("Space")
    assert tab.becomes("paused", within_s=20)
    assert tab.page.is_disabled("#compare")
    tab.page.wait_for_timeout(300)
    before, after, index = tab.page.evaluate(MIDDLES)
    assert abs(after - before - LIFT) <= 4
    tab.page.keyboard.press("Home")
    for _ in range(3):
        tab.page.keyboard.press("PageUp")
    assert at(tab) == 30
    with tab.page.expect_download() as download:
        tab.page.click("#snapshot")
    download.value.save_as(tmp_path / "seen.jpg")
    assert download.value.suggested_filename.endswith(f"-{index}.jpg")
    image = cv2.imread(str(tmp_path / "seen.jpg"))
    assert image.shape == (180, 320, 3)
    levels = image.mean((0, 2))
    np.testing.assert_allclose(levels[:90], before, atol=3)
    np.testing.assert_allclose(levels[102:], after, atol=3)
    assert tab.page.evaluate(MIDDLES) == [before, after, index]
    tab.page.click("#pause")
    assert tab.becomes("live", within_s=20)
    assert eventually(lambda: tab.page.evaluate(MIDDLES)[2] > index)


def test_stage_and_models_are_switched_and_what_happens_is_put_in_words(tab: Tab, stage: Enhance) -> None:
    assert eventually(lambda: "At work: light and clean, at full resolution." in tab.text("#enhance"))
    assert " · budget 5000 ms" in tab.text("#enhance")
    boxes = tab.page.get_by_role("switch")
    assert [boxes.nth(k).is_checked() for k in range(3)] == [True] * 3
    tab.page.get_by_role("switch", name="clean").click()
    assert eventually(lambda: "At work: light, at full resolution." in tab.text("#enhance"))
    assert stage.skipped == {"clean"}
    tab.page.get_by_role("switch", name="light").click()
    assert eventually(lambda: "All its models are switched off." in tab.text("#enhance"))
    tab.page.get_by_role("switch", name="enhance").focus()
    tab.page.keyboard.press("Space")
    assert eventually(lambda: "Switched off: the picture passes as it came." in tab.text("#enhance"))
    assert not stage.enabled
    assert tab.page.get_by_role("switch", name="clean").is_disabled()
    stage.enabled = True  # somebody else
    assert eventually(lambda: boxes.nth(0).is_checked() and boxes.nth(1).is_enabled())


def test_what_is_refused_is_said_and_the_switch_goes_back(
    tab: Tab, dashboard: Dashboard, stage: Enhance
) -> None:
    def refuse(route: Any) -> None:
        route.fulfill(status=422, content_type="application/json", body='{"error": "not today"}')

    tab.page.route("**/api/enhance", refuse)
    tab.page.get_by_role("switch", name="clean").click()
    assert eventually(lambda: "Not switched: not today" in tab.text("#enhance .answer"))
    assert tab.page.get_by_role("switch", name="clean").is_checked()
    tab.page.unroute("**/api/enhance")
    tab.page.get_by_role("switch", name="clean").click()
    assert eventually(lambda: stage.skipped == {"clean"})
    assert tab.page.locator("#enhance .answer").inner_text() == ""
    tab.complaints = [text for text in tab.complaints if "422" not in text]  # the browser's own


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param({"state": "reduced", "resolution": 0.25}, "at a quarter of the width and height", id="less"),
        pytest.param({"state": "aside", "resolution": 0.0, "ran": []}, "Stepped aside", id="aside"),
        pytest.param({"state": "off", "ran": [], "auto": True}, "Not needed", id="not needed"),
        pytest.param({"state": "full", "luminance": 31.2, "noise": 7.0, "budget_ms": None},
                     "no budget · luminance 31 of 255 · noise 7.0", id="measured"),
    ],
)  # fmt: skip
def test_each_state_has_its_words(tab: Tab, dashboard: Dashboard, told: dict[str, Any], words: str) -> None:
    plain = dashboard._switches().describe()[0]
    given = {**plain, "state": "full", "ran": ["light"], "resolution": 1.0, "ms": 3.21, **told}
    tab.page.evaluate("given => import('/enhance.js').then((page) => page.show([given]))", given)
    heard = tab.page.evaluate(
        "given => import('/enhance.js').then((page) => { page.show([given]); "
        "return document.getElementById('enhance').innerText; })",
        given,
    )
    assert words in heard
    assert "3.2 ms" in heard


def test_a_run_that_enhances_nothing_shows_neither(browser: Any, dashboard: Dashboard) -> None:
    dashboard.write(scene.make_results(1))
    context = browser.new_context()
    tab = Tab(context.new_page(), dashboard).open()
    assert eventually(lambda: tab.text("#about") != "")
    assert tab.page.is_hidden("#compare")
    assert tab.page.is_hidden("#enhance")
    tab.page.keyboard.press("c")
    assert tab.page.is_hidden("#compare-view")
    assert tab.complaints == []
    context.close()


def test_the_editor_of_zones_closes_the_slider(browser: Any, dashboard: Dashboard, tmp_path: Path) -> None:
    stages = [lighting(), "faces", "track", f"zones={tmp_path / 'zones.toml'}"]
    with running(dashboard, stages):
        context = browser.new_context()
        tab = opened(context, dashboard)
        compare(tab)
        tab.page.click("#zones")
        tab.page.wait_for_selector("#editor:not([hidden])")
        assert tab.page.is_hidden("#compare-view")
        assert tab.page.get_attribute("#compare", "aria-pressed") == "false"
        assert tab.page.is_disabled("#compare")
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone_nor_too_small_for_a_finger(
    browser: Any, dashboard: Dashboard, stage: Enhance, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    tab = opened(context, dashboard)
    compare(tab)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    small = "[...document.querySelectorAll('.tools button, .switches label')]"
    assert tab.page.evaluate(f"{small}.filter(b => b.offsetParent && b.offsetHeight < 40).length") == 0
    assert tab.complaints == []
    context.close()
