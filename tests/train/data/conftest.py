"""Data sets of drawn pictures."""

import pytest

from written import put, write_csv


@pytest.fixture
def csv_set(tmp_path):
    write_csv(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def folder_set(tmp_path):
    """Three pictures each of two classes in train, and one each in val."""
    for seed, name in enumerate(["cat", "cat", "cat", "dog", "dog", "dog"]):
        put(tmp_path / f"set/train/{name}/{seed}.png", seed)
    for seed, name in enumerate(["cat", "dog"], start=10):
        put(tmp_path / f"set/val/{name}/{seed}.png", seed)
    return tmp_path / "set"
