"""A gallery of random people."""

from __future__ import annotations

import numpy as np
import pytest

from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import Key
from vedette.gallery.values import EmbeddingModel, Sample

SIZE = 64


@pytest.fixture
def faces():
    """Make (people, pictures, 64) unit vectors: those of one person have a cosine near .8, others near 0."""

    def make(people: int, pictures: int = 3, *, seed: int = 0, spread: float = 0.06) -> np.ndarray:
        rng = np.random.default_rng(seed)
        middle = rng.standard_normal((people, 1, SIZE))
        middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
        vectors = middle + spread * rng.standard_normal((people, pictures, SIZE))
        return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture
def key() -> Key:
    return Key(bytes(range(32)))


@pytest.fixture
def model() -> EmbeddingModel:
    return EmbeddingModel("a" * 64, SIZE, 0.5)


@pytest.fixture
def opened(tmp_path, key, model):
    """Open the gallery of this test, as often as asked."""

    def open_(**options) -> Gallery:
        given = {"key": key, "model": model, **options}
        return Gallery(tmp_path / "people.db", **given)

    return open_


@pytest.fixture
def samples():
    """Make samples of (n, 64) embeddings."""

    def make(embeddings: np.ndarray, **options) -> list[Sample]:
        return [Sample(row, **{"quality": 0.9, **options}) for row in embeddings]

    return make
