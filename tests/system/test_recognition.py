"""Real people of the val split through the command: enrolled from folders, then told apart on other photos."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from asked import ask
from vedette.zoo import bundled

FACES = Path(__file__).resolve().parents[3] / "shared/data/faces"
PEOPLE, ENROLLED, ASKED = 12, 2, 2

pytestmark = [
    pytest.mark.skipif(not FACES.is_dir(), reason="needs ../shared/data/faces"),
    pytest.mark.skipif(
        "face-embedder" not in bundled(), reason="the model face-embedder is not bundled here"
    ),
]


@pytest.fixture(scope="module")
def people():
    """Return photos by name of the first people of val who have enough, with nobody else's face in them as labelled."""
    found: dict[str, list[Path]] = {}
    with (FACES / "people.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == "val":
                found.setdefault(row["person"], []).append(FACES / row["file"])
    enough = {name: files for name, files in found.items() if len(files) >= ENROLLED + ASKED}
    assert len(enough) >= PEOPLE
    return dict(list(enough.items())[:PEOPLE])


def test_strangers_to_the_model_are_told_apart(capsys, people, tmp_path, monkeypatch):
    """Some are named, and hardly anybody wrongly: the path is tried here, how good the model is by bench/face_id.py."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    for name, files in people.items():
        (tmp_path / "people" / name).mkdir(parents=True)
        for file in files[:ENROLLED]:
            shutil.copyfile(file, tmp_path / "people" / name / file.name)
    done = ask(capsys, "faces", "enroll", "--folder", tmp_path / "people", "--json")
    enrolled = {one["name"] for line in done.out.splitlines() if (one := json.loads(line))["added"]}
    assert len(enrolled) >= PEOPLE * 2 // 3

    asked = [file for name in enrolled for file in people[name][ENROLLED : ENROLLED + ASKED]]
    answer = ask(capsys, "faces", "identify", *asked, "--json")
    assert answer.code == 0
    right = wrong = 0
    for file, line in zip(asked, answer.out.splitlines(), strict=True):
        told = json.loads(line)
        assert told["source"] == str(file)
        compared = [face for face in told["faces"] if face["identity"] != "refused"]
        names = [face["name"] for face in compared if face["name"]]
        right += file.parent.name in names
        wrong += any(name != file.parent.name for name in names)
    assert right >= len(asked) / 5
    assert wrong <= len(asked) / 20
