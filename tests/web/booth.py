"""A dashboard before which drawn people come and go, and are named by the real stage."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import numpy as np

from recognition import ToldFaces, faces_at, scene, toy_embedder, tracked
from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import Key
from vedette.models.recognize import FaceRecognizer, embedding_model
from vedette.stages.recognize import Recognize
from vedette.types import Faces, Frame, Image, Results, Stage
from vedette.web.dashboard import Dashboard

__all__ = ["KEY", "Booth"]

KEY = Key(bytes(range(32)))
SIZE_WH = (640, 360)


class Booth:
    """A run without a source: `show` brings a frame through the stage `recognize` to the dashboard.

    Attributes:
        scene: the people, by number, who are in the picture until others come.
    """

    def __init__(
        self, dashboard: Dashboard, folder: Path, *, then: Stage | None = None, data: bytes = b""
    ) -> None:
        embedder = toy_embedder(data=data)
        self.path = folder / "people.db"
        gallery = Gallery(self.path, key=KEY, model=embedding_model(embedder))
        self.stage = Recognize(FaceRecognizer(ToldFaces(), embedder, gallery))  # type: ignore[arg-type]
        self.dashboard, self.gallery, self._then = dashboard, gallery, then
        self.scene: tuple[int, ...] = ()
        self._index, self._lock = 0, threading.Lock()
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._run)
        dashboard.show_people(self.stage, private=then is not None)

    def show(self, *people: int, after_s: float = 0.2, blank: bool = False, old_s: float = 0.0) -> Results:
        """Show a frame with `people`; a track goes on while a person stays. `blank` leaves no face to be measured."""
        with self._lock:
            self._index += 1
            image, faces = picture(*people)
            if blank:
                image = np.full_like(image, 128)
            time_ns = round(self._index * after_s * 1e9)
            frame = Frame(image, self._index, time_ns, time.monotonic_ns() - round(old_s * 1e9), "a booth")
            results = self.stage(Results(frame, MappingProxyType({"faces": faces})))
            if self._then is not None:
                results = self._then(results)
            self.dashboard.write(results)
            return results

    def start(self, *people: int) -> Booth:
        """Show `people`, or those of `scene`, five times a second from now on."""
        self.scene = people
        self._thread.start()
        return self

    def close(self) -> None:
        """End the run."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self.stage.close()

    def ask(self, path: str = "", body: object = None, **headers: str) -> httpx.Response:
        """GET of the API, or POST of `body` from the dashboard's own page, by who has the token."""
        root = f"http://127.0.0.1:{self.dashboard.address[1]}"
        given = {"Authorization": f"Bearer {self.dashboard.token}", "Origin": root, **headers}
        url = f"{root}/api/people{path}"
        with httpx.Client(trust_env=False, timeout=20) as client:
            if body is None:
                return client.get(url, headers=given)
            if isinstance(body, bytes):
                return client.post(url, content=body, headers=given)
            return client.post(url, json=body, headers=given)

    def enrol(self, name: str, *people: int, **more: Any) -> httpx.Response:
        """Show `people` and enrol who is there."""
        self.show(*people)
        return self.ask("/enrol", {"name": name, "agreed": True, **more})

    def names(self) -> dict[str, int]:
        """Return how many templates everybody has."""
        return {one["name"]: len(one["templates"]) for one in self.ask().json()["people"]}

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.show(*self.scene)


def picture(*people: int) -> tuple[Image, Faces]:
    """Return a frame with `people`, tracked by their own numbers, and where their faces are."""
    image, faces = scene(*people, size_wh=SIZE_WH)
    return image, tracked(faces, *people) if people else faces_at()
