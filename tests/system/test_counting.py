"""People on a real video, counted by the bundled model; the truth was counted by eye."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedette import app

VIDEO = Path(__file__).resolve().parents[3] / "shared/data/video/one-by-one-person-detection.mp4"
PEOPLE = 6
"""One after another they come from below, stand at the table and leave to the right. Something of them is seen in the
frames 60 to 197, 227 to 449, 502 to 700, 745 to 869, 921 to 1200 and 1234 to 1359 of 1394, 10 a second."""
ZONES = """
[zone.table]
points = [[0.4, 0.55], [0.75, 0.55], [0.75, 1.0], [0.4, 1.0]]
labels = ["person"]

[line.way_out]
points = [[0.7, 1.0], [0.7, 0.4]]
labels = ["person"]
"""


@pytest.mark.timeout(300)
@pytest.mark.skipif(not VIDEO.is_file(), reason=f"{VIDEO.name} is not in ../shared/data/video")
@pytest.mark.parametrize("stage", ["objects", "objects?every=5"], ids=["every frame", "2 looks a second"])
def test_six_people_come_stay_and_leave(tmp_path: Path, stage: str) -> None:
    (tmp_path / "zones.toml").write_text(ZONES)
    last = None
    for results in app.run(str(VIDEO), [stage, "track", f"zones={tmp_path / 'zones.toml'}"]):
        last = results
    assert last is not None
    table, way_out = last.zones
    assert table.counts == {"inside": 0, "entered": PEOPLE, "left": PEOPLE}
    assert way_out.counts == {"in": PEOPLE, "out": 0}
