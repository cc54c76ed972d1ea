"""A dashboard, a pump that writes to it, and a browser if there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from vedette.web.dashboard import Dashboard
from web.scene import Pump


@pytest.fixture
def dashboard() -> Iterator[Dashboard]:
    with Dashboard(port=0) as opened:
        yield opened


@pytest.fixture
def pump() -> Iterator[Callable[[Dashboard], Pump]]:
    pumps: list[Pump] = []

    def start(dashboard: Dashboard, *, size_wh: tuple[int, int] = (1600, 900)) -> Pump:
        pumps.append(Pump(dashboard, size_wh))
        pumps[-1].start()
        return pumps[-1]

    yield start
    for one in pumps:
        one.stop()


def chromium_path() -> str | None:
    """Return the browser to use: $VEDETTE_CHROMIUM, the system's, or None for Playwright's own."""
    named = os.environ.get("VEDETTE_CHROMIUM")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return named or next((path for path in found if path), None)


@pytest.fixture(scope="module")  # its event loop would be in the way of the next files'
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(
                executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"]
            )
        except sync_api.Error as error:
            pytest.skip(f"no Chromium that starts; set VEDETTE_CHROMIUM: {error.message.splitlines()[0]}")
        yield opened
        opened.close()
