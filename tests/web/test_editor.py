"""The editor of zones in a real browser: drawn, dragged, named, deleted, saved; by mouse, finger and keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vedette.stages.zone_file import FileZones
from vedette.web.dashboard import Dashboard
from vedette.zone_settings import load_zones
from web import scene
from web.scene import make_results

NEAR = 0.01  # of the picture: a pixel of the screen is 1/800 of it, and a page may begin between two
TEXT = """# as agreed with the neighbours
[zone.porch]
points = [[0.2, 0.4], [0.6, 0.4], [0.6, 0.8], [0.2, 0.8]]
dwell_s = 5

[line.door]
points = [[0.8, 0.9], [0.8, 0.2]]
"""


def eventually(condition: Callable[[], bool]) -> bool:
    """Return whether `condition` becomes true; a busy machine takes its time to draw a page."""
    return scene.eventually(condition, within_s=20)


class Editor:
    """A page with the editor, and the file behind it."""

    def __init__(self, context: Any, dashboard: Dashboard, path: Path) -> None:
        self.page, self.path = context.new_page(), path
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.set_default_timeout(20_000)
        self.page.goto(f"http://127.0.0.1:{dashboard.address[1]}")
        self.page.wait_for_selector("#picture[data-index]")

    def open(self) -> Editor:
        self.page.click("#zones")
        self.page.wait_for_selector("#editor:visible")
        return self

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where on the screen a point of the picture is; the test's picture fills its box."""
        self.page.evaluate("scrollTo(0, 0)")
        box = self.page.locator("#picture").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def click(self, *points: tuple[float, float]) -> None:
        for point in points:
            self.page.mouse.click(*self.at(*point))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=4)
        self.page.mouse.up()

    def save(self) -> None:
        self.page.click("#save")
        self.page.wait_for_selector("#editor", state="hidden")

    def points(self, name: str) -> Any:
        """Return the points of what is called `name` in the file; to be compared within `NEAR`."""
        (rule,) = (rule for rule in load_zones(self.path) if rule.name == name)
        return pytest.approx([value for point in rule.points for value in point], abs=NEAR)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "zones.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def editor(browser: Any, dashboard: Dashboard, path: Path) -> Iterator[Editor]:
    dashboard.zones = FileZones(path, labels=["person", "dog"])
    dashboard.write(make_results(0, size_wh=(640, 360)))
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    editor = Editor(context, dashboard, path)
    yield editor
    assert editor.complaints == []
    context.close()


def flat(*points: tuple[float, float]) -> list[float]:
    return [value for point in points for value in point]


def test_a_zone_is_drawn_named_and_saved(editor: Editor, dashboard: Dashboard) -> None:
    corners = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.3), (0.1, 0.3))
    editor.open().page.click("#add-zone")
    editor.click(*corners, corners[0])
    editor.page.fill("#shape-name", "sky")
    editor.page.fill("#shape-labels", "person, dog")
    editor.save()
    assert "Saved to zones.toml" in editor.page.inner_text("#note")  # it stands there for five seconds
    assert flat(*corners) == editor.points("sky")
    sky = next(rule for rule in load_zones(editor.path) if rule.name == "sky")
    assert sky.labels == ("person", "dog")
    assert dashboard.zones is not None
    assert [rule.name for rule in dashboard.zones.rules] == ["porch", "sky", "door"]
    assert editor.page.get_attribute("#zones", "aria-pressed") == "false"


def test_what_saving_costs_is_said_before(editor: Editor) -> None:
    assert "drops the comments in zones.toml" in editor.open().page.inner_text("#loses")
    editor.save()
    assert editor.open().page.inner_text("#loses") == ""


def test_the_first_zone_is_drawn_where_there_is_no_file(editor: Editor, dashboard: Dashboard) -> None:
    editor.path = editor.path.with_name("new.toml")
    dashboard.zones = FileZones(editor.path, begin=True)
    assert "Nothing is here yet" in editor.open().page.inner_text("#hint")
    editor.page.click("#add-zone")
    corners = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.3))
    editor.click(*corners, corners[0])
    editor.save()
    assert flat(*corners) == editor.points("zone 1")


def test_the_first_zone_of_all_is_drawn(browser: Any, dashboard: Dashboard, path: Path) -> None:
    path.write_text("[zone]\n")
    dashboard.zones = FileZones(path)
    dashboard.write(make_results(0, size_wh=(640, 360)))
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    editor = Editor(context, dashboard, path).open()
    editor.page.click("#add-zone")
    corners = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.3))
    editor.click(*corners, corners[0])
    editor.save()
    assert (
        [rule.name for rule in load_zones(path)]
        == [rule.name for rule in dashboard.zones.rules]
        == ["zone 1"]
    )
    assert editor.complaints == []
    context.close()


def test_a_line_is_drawn_and_turned(editor: Editor) -> None:
    editor.open().page.click("#add-line")
    editor.click((0.3, 0.2), (0.3, 0.9))
    editor.page.click("#turn")
    editor.save()
    assert flat((0.3, 0.9), (0.3, 0.2)) == editor.points("line 1")


def test_corners_and_shapes_are_dragged_and_stay_in_the_picture(editor: Editor) -> None:
    editor.open()
    editor.click((0.4, 0.6))
    assert editor.page.input_value("#shape-name") == "porch"
    editor.drag((0.2, 0.4), (0.1, 0.3))
    editor.drag((0.6, 0.6), (0.7, 0.6))  # the middle of an edge: a new corner
    editor.drag((0.3, 0.5), (0.3, 1.4))  # all of it, as far down as it goes
    editor.save()
    moved = ((0.1, 0.5), (0.6, 0.6), (0.7, 0.8), (0.6, 1.0), (0.2, 1.0))
    assert flat(*moved) == editor.points("porch")
    porch = next(rule for rule in load_zones(editor.path) if rule.name == "porch")
    assert porch.dwell_s == 5  # what the editor does not show stays


def test_what_is_deleted_is_gone_and_the_last_one_is_not(editor: Editor) -> None:
    editor.open()
    editor.page.click("#names button:has-text('door')")
    editor.page.click("#remove")
    editor.save()
    assert [rule.name for rule in load_zones(editor.path)] == ["porch"]
    editor.open().page.click("#names button")
    editor.page.click("#remove")
    editor.page.click("#save")
    assert eventually(lambda: "no zone and no line" in editor.page.inner_text("#refused"))
    assert [rule.name for rule in load_zones(editor.path)] == ["porch"]


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        pytest.param("", "", "needs a name", id="no name"),
        pytest.param("door", "", "the name of a zone and of a line", id="a name twice"),
        pytest.param("porch", "persn", "did you mean 'person'", id="unknown label"),
    ],
)
def test_what_is_refused_is_said_and_can_be_mended(
    editor: Editor, name: str, labels: str, message: str
) -> None:
    editor.open()
    editor.click((0.4, 0.6))
    editor.page.fill("#shape-name", name)
    editor.page.fill("#shape-labels", labels)
    editor.page.click("#save")
    if name == "door":
        message = "Two are called “door”"
    assert eventually(lambda: message in editor.page.inner_text("#refused"))
    assert editor.path.read_text() == TEXT
    editor.page.fill("#shape-name", "garden")
    editor.page.fill("#shape-labels", "person")
    editor.save()
    assert [rule.name for rule in load_zones(editor.path)] == ["garden", "door"]


def test_the_keyboard_moves_and_removes_corners(editor: Editor) -> None:
    editor.open().page.click("#names button:has-text('porch')")
    editor.page.focus("[data-corner='2']")
    editor.page.keyboard.press("Delete")
    editor.page.focus("[data-corner='0']")
    for _ in range(4):
        editor.page.keyboard.press("ArrowLeft")
    editor.page.keyboard.press("Shift+ArrowUp")
    editor.page.keyboard.press("Delete")  # three are the least
    editor.save()
    assert flat((0.18, 0.35), (0.6, 0.4), (0.2, 0.8)) == editor.points("porch")


def test_drawing_is_given_up_and_changes_are_discarded(editor: Editor) -> None:
    editor.page.on("dialog", lambda dialog: dialog.accept())
    editor.open().page.click("#add-zone")
    editor.click((0.1, 0.1), (0.3, 0.1))
    assert editor.page.is_disabled("#save")
    assert editor.page.is_disabled("#finish")
    editor.page.keyboard.press("Escape")
    assert editor.page.inner_text("#names").split() == ["porch", "door"]
    editor.click((0.4, 0.6))
    editor.page.click("#remove")
    editor.page.click("#discard")
    editor.page.wait_for_selector("#editor", state="hidden")
    assert editor.path.read_text() == TEXT
    assert editor.open().page.inner_text("#names").split() == ["porch", "door"]


def test_a_finger_draws_too_and_nothing_is_wider_than_the_phone(
    browser: Any, dashboard: Dashboard, path: Path
) -> None:
    dashboard.zones = FileZones(path)
    dashboard.write(make_results(0, size_wh=(640, 360)))
    context = browser.new_context(viewport={"width": 320, "height": 740}, has_touch=True)
    editor = Editor(context, dashboard, path).open()
    editor.page.tap("#add-zone")
    corners = ((0.1, 0.2), (0.5, 0.2), (0.5, 0.9))
    for point in corners:
        editor.page.touchscreen.tap(*editor.at(*point))
    editor.page.tap("#finish")
    assert editor.page.evaluate("document.documentElement.scrollWidth") <= 320
    small = (
        "[...document.querySelectorAll('#editor button')].filter(b => b.offsetParent && b.offsetHeight < 40)"
    )
    assert editor.page.evaluate(f"{small}.length") == 0
    editor.page.tap("#save")
    editor.page.wait_for_selector("#editor", state="hidden")
    assert flat(*corners) == editor.points("zone 1")
    assert editor.complaints == []
    context.close()


def test_while_it_is_edited_the_picture_is_bare_and_moves_on(editor: Editor, dashboard: Dashboard) -> None:
    editor.open()
    assert eventually(lambda: dashboard._feed.wanted == {False})
    dashboard.write(make_results(7, size_wh=(640, 360)))
    editor.page.wait_for_selector("#picture[data-index='7']")
    editor.page.click("#discard")
    assert eventually(lambda: dashboard._feed.wanted == {True})


@pytest.mark.parametrize("locked", [True, False])
def test_where_nothing_can_be_edited_it_says_why(
    browser: Any,
    dashboard: Dashboard,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    locked: bool,
) -> None:
    if locked:
        dashboard.zones = FileZones(path)
        monkeypatch.setattr(FileZones, "_locked", lambda _self: "it is read-only")
    dashboard.write(make_results(0, size_wh=(640, 360)))
    context = browser.new_context()
    editor = Editor(context, dashboard, path)
    editor.page.click("#zones")
    wanted = "it is read-only" if locked else "start it with --stage track --stage zones=FILE.toml"
    assert eventually(lambda: wanted in editor.page.inner_text("#note"))
    assert editor.page.is_hidden("#editor")
    assert editor.page.get_attribute("#zones", "aria-pressed") == "false"
    context.close()


def test_the_counts_are_among_the_figures(browser: Any, dashboard: Dashboard, path: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{dashboard.address[1]}")
    assert eventually(lambda: page.inner_text("#about") != "")
    assert page.is_hidden("#zones-card")
    dashboard.write(FileZones(path)(make_results(0)))
    assert eventually(lambda: "inside 0 · entered 0 · left 0" in page.inner_text("#zone-counts"))
    assert "door" in page.inner_text("#zone-counts")
    context.close()
