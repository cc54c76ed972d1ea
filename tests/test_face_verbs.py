"""`vedette faces`, with the bundled models, on the one face that comes with them."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from asked import ask, golden_png
from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import read_key_file
from vedette.gallery.values import EmbeddingModel, Sample
from vedette.zoo import bundled

pytestmark = pytest.mark.skipif(
    "face-embedder" not in bundled(), reason="the model face-embedder is not bundled here"
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Return the folder that the usual gallery lies in, of this test alone."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return tmp_path / "data" / "vedette" / "faces"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return a folder with the golden face, large enough to enrol, plain and mirrored; two of it; and none."""
    folder = tmp_path_factory.mktemp("photos")
    image = cv2.imread(str(golden_png(folder)))
    large = cv2.resize(image, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LANCZOS4)
    cv2.imwrite(str(folder / "ann.png"), large)
    cv2.imwrite(str(folder / "mirrored.png"), large[:, ::-1])
    cv2.imwrite(str(folder / "two.png"), np.hstack([large, large]))
    cv2.imwrite(str(folder / "none.png"), np.full_like(large, 90))
    return folder


@pytest.fixture
def ann(capsys, photos):
    """Enrol Ann."""
    done = ask(capsys, "faces", "enroll", "Ann", photos / "ann.png")
    assert (done.code, done.out) == (0, "enrolled 1 pictures of 1 people\n")


def told(answer):
    return [json.loads(line) for line in answer.out.splitlines()]


def test_enrolled_listed_recognised_removed(capsys, photos, ann, home):
    assert {path.name for path in home.iterdir()} == {"people.db", "gallery.key"}
    (one,) = told(ask(capsys, "faces", "list", "--json"))
    assert (one["name"], one["templates"][0]["source"]) == ("Ann", str(photos / "ann.png"))
    found = ask(
        capsys,
        "faces",
        "identify",
        photos / "mirrored.png",
        photos / "none.png",
        photos / "two.png",
        "--json",
    )
    mirrored, none, two = told(found)
    assert found.code == 0
    assert [face["name"] for face in mirrored["faces"]] == ["Ann"]
    assert mirrored["faces"][0]["similarity"] >= mirrored["faces"][0]["threshold"]
    assert none["faces"] == []
    assert [face["identity"] for face in two["faces"]] == ["known", "known"]
    assert "Ann 1.000 (threshold" in ask(capsys, "faces", "identify", photos / "ann.png").out
    gone = ask(capsys, "faces", "remove", "Ann")
    assert (gone.code, gone.out.split(".")[0]) == (0, "erased Ann: 1 templates")
    assert ask(capsys, "faces", "list").out == "nobody is enrolled\n"
    (face,) = told(ask(capsys, "faces", "identify", photos / "ann.png", "--json"))[0]["faces"]
    assert (face["identity"], face["name"]) == ("unknown", None)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        pytest.param("none.png", "no face was found", id="nobody"),
        pytest.param("two.png", "2 faces were found", id="several"),
        pytest.param("face.png", "go nearer", id="small"),
        pytest.param("broken.jpg", "broken.jpg", id="broken"),
    ],
)
def test_what_cannot_be_enrolled_is_told_with_its_reason(capsys, photos, picture, reason):
    (photos / "broken.jpg").write_bytes(b"no picture")
    done = ask(capsys, "faces", "enroll", "Ann", photos / picture)
    assert done.code == 8
    assert "skipped" in done.err
    assert reason in done.err
    assert "enrolled 0 pictures of 0 people; skipped 1" in done.out


def test_a_folder_of_people(capsys, photos, tmp_path):
    for name in ("Ann", "Anna"):
        (tmp_path / "people" / name).mkdir(parents=True)
        shutil.copy(photos / "ann.png", tmp_path / "people" / name)
    done = ask(capsys, "faces", "enroll", "--folder", tmp_path / "people", "--json")
    assert [(one["name"], one["added"]) for one in told(done)] == [("Ann", 1), ("Anna", 1)]
    assert "Ann and Anna look like one person" in done.err
    again = ask(capsys, "faces", "enroll", "--folder", tmp_path / "people")
    assert (again.code, again.out) == (0, "enrolled 0 pictures of 0 people; 2 were there already\n")
    stats = ask(capsys, "faces", "stats", "--json")
    (facts,) = told(stats)
    assert (facts["people"], facts["templates"], facts["integrity"]) == (2, 2, "ok")
    assert facts["flags"][0]["kind"] == "agree"
    assert "not calibrated" in ask(capsys, "faces", "stats").out


def test_a_picture_of_the_same_name_in_another_folder_is_another(capsys, photos, tmp_path, monkeypatch):
    deep = tmp_path / "/".join(["d" * 200] * 3)  # longer than what is kept of a source
    for folder, picture in ((tmp_path / "new", "mirrored.png"), (deep, "ann.png")):
        folder.mkdir(parents=True)
        shutil.copy(photos / picture, folder / "1.png")
        monkeypatch.chdir(folder)
        for out in (
            "enrolled 1 pictures of 1 people\n",
            "enrolled 0 pictures of 0 people; 1 were there already\n",
        ):
            done = ask(capsys, "faces", "enroll", "Ann", "1.png")
            assert (done.code, done.out) == (0, out), done.err


def test_one_picture_of_somebody_is_taken_out(capsys, photos, ann, tmp_path):
    """What looks wrong is told with its picture; and that picture can go without the person."""
    assert ask(capsys, "faces", "enroll", "Bob", photos / "mirrored.png").code == 0
    (facts,) = told(ask(capsys, "faces", "stats", "--json"))
    assert set(facts["flags"][0]["sources"]) == {str(photos / "ann.png"), str(photos / "mirrored.png")}
    assert str(photos / "mirrored.png") in ask(capsys, "faces", "stats").out
    words = ("faces", "remove", "Ann", "--picture")
    last = ask(capsys, *words, photos / "ann.png")
    assert (last.code, "erase the person" in last.err) == (8, True)
    assert ask(capsys, "faces", "enroll", "Ann", photos / "mirrored.png").code == 0
    other = ask(capsys, *words, "other.png")
    assert (other.code, "nothing is kept of 'Ann' from 'other.png'" in other.err) == (8, True)
    assert told(ask(capsys, *words, photos / "ann.png", "--json")) == [{"name": "Ann", "erased_templates": 1}]
    left = [one["templates"] for one in told(ask(capsys, "faces", "list", "--json"))]
    assert [[one["source"] for one in person] for person in left] == [[str(photos / "mirrored.png")]] * 2


def test_from_a_source(capsys, photos, tmp_path):
    (tmp_path / "film").mkdir()
    for k in range(3):
        shutil.copy(photos / "ann.png", tmp_path / "film" / f"{k}.png")
    done = ask(capsys, "faces", "enroll", "Ann", "--source", f"{tmp_path / 'film'}?fps=2", "--count", 2)
    assert (done.code, done.out) == (0, "enrolled 2 pictures of 1 people\n")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["Ann"], id="whom alone"),
        pytest.param(["Ann", "a.png", "--folder", "b"], id="two ways"),
        pytest.param(["--source", "0"], id="nobody"),
        pytest.param(["Ann", "--source", "0", "--count", "0"], id="no count"),
    ],
)
def test_enrolment_needs_to_know_whom_and_from_what(capsys, words, home):
    assert ask(capsys, "faces", "enroll", *words).code == 2
    assert not home.exists()


def test_verify_answers_by_score_threshold_and_rate(capsys, photos, ann):
    same = ask(capsys, "faces", "verify", photos / "ann.png", photos / "mirrored.png", "--json")
    (answer,) = told(same)
    assert (same.code, answer["same"]) == (0, True)
    assert answer["score"] >= answer["threshold"] > 0
    assert answer["far"] is None or 0 < answer["far"] <= 1e-3
    named = ask(capsys, "faces", "verify", photos / "ann.png", "Ann")
    assert named.code == 0
    assert named.out.startswith("the same person: score 1.000, threshold ")
    assert "rate of false accepts" in named.out or "95 % confidence" in named.out
    assert ask(capsys, "faces", "verify", photos / "ann.png", "Bob").code == 8
    assert ask(capsys, "faces", "verify", photos / "ann.png", photos / "two.png").code == 8


def test_calibration_by_a_file_of_scores(capsys, photos, ann, tmp_path):
    import vedette
    from vedette.zoo import find, sha256_of

    scores = np.random.default_rng(0).normal(0.2, 0.15, 100_000).clip(-1, 1)
    file = tmp_path / "scores.npz"
    file.write_bytes(
        vedette.ImpostorScores.of(scores, people=99, model_sha256=sha256_of(find("face-embedder"))).to_bytes()
    )
    done = ask(capsys, "faces", "calibrate", "--far", "1e-2", "--scores", file, "--json")
    (made,) = told(done)
    assert (made["far"], made["people"], made["stale"]) == (0.01, 1, False)
    assert made["far_interval"][1] <= 0.01
    # one template: the hundredth part of a normal distribution about .2 lies above .2 + 2.326 * .15
    assert made["threshold"] == pytest.approx(0.2 + 2.326 * 0.15, abs=0.01)
    assert "at most 1 in 100 searches" in ask(capsys, "faces", "stats").out
    after = ask(capsys, "faces", "enroll", "Ann", photos / "mirrored.png")
    assert "the threshold was made again for 2 templates" in after.err
    (stats,) = told(ask(capsys, "faces", "stats", "--json"))
    assert not stats["calibration"]["stale"]
    assert stats["threshold"] > made["threshold"]  # two templates accept more strangers than one
    assert "95 % confidence" in ask(capsys, "faces", "calibrate").out
    assert ask(capsys, "faces", "calibrate", "--far", "1e-9").code == 8
    assert ask(capsys, "faces", "calibrate", "--scores", tmp_path / "gone").code == 2
    assert "made again for 0 templates" in ask(capsys, "faces", "remove", "Ann").err


def test_a_gallery_of_another_model_is_made_anew_from_kept_pictures(capsys, photos, ann, home):
    ask(capsys, "faces", "remove", "Ann")
    (home / "people.db").unlink()
    with Gallery(
        home / "people.db", key=read_key_file(home / "gallery.key"), model=EmbeddingModel("b" * 64, 4, 0.5)
    ) as other:
        some = np.float32([1, 0, 0, 0])
        other.enrol("Ann", [Sample(some, 0.9, picture=(photos / "ann.png").read_bytes())])
        other.enrol("Bob", [Sample(some, 0.9)])
    refused = ask(capsys, "faces", "identify", photos / "ann.png")
    assert refused.code == 8
    assert "`vedette faces reenroll`" in refused.err
    assert "drop_without_picture" in ask(capsys, "faces", "reenroll").err
    done = ask(capsys, "faces", "reenroll", "--drop")
    assert (done.code, done.out) == (0, "1 people, 1 templates; lost: Bob\n")
    assert "Ann 1.000" in ask(capsys, "faces", "identify", photos / "ann.png").out


def test_archives(capsys, photos, ann, tmp_path):
    (tmp_path / "pass").write_text("a passphrase that is long\n")
    secret = ("--passphrase-file", tmp_path / "pass")
    assert ask(capsys, "faces", "export", tmp_path / "people.vda", *secret).code == 0
    assert "wrote" not in ask(capsys, "faces", "export", tmp_path / "people.vda", *secret).out  # it exists
    other = ("--gallery", tmp_path / "other" / "people.db")
    (done,) = told(ask(capsys, "faces", "import", tmp_path / "people.vda", *secret, *other, "--json"))
    assert (done["people"], done["templates"]) == (1, 1)
    assert "Ann" in ask(capsys, "faces", "identify", photos / "ann.png", *other).out
    assert "--passphrase-file" in ask(capsys, "faces", "export", tmp_path / "b.vda").err


def test_without_a_gallery_it_says_so_and_makes_none(capsys, photos, home):
    for words in (["list"], ["identify", photos / "ann.png"], ["remove", "Ann"], ["stats"], ["calibrate"]):
        answer = ask(capsys, "faces", *words)
        assert answer.code == 8
        assert "`vedette faces enroll NAME PICTURE` makes one" in answer.err
    assert not home.exists()


def film(photos, tmp_path):
    folder = tmp_path / "film"
    folder.mkdir()
    for k in range(10):
        shutil.copy(photos / "ann.png", folder / f"{k}.png")
    return f"{folder}?fps=5"


def rows(path: Path):
    return [json.loads(line)["detections"][0] for line in path.read_text().splitlines()]


def test_live_names_people_where_a_gallery_is(capsys, photos, ann, tmp_path):
    source = film(photos, tmp_path)
    done = ask(capsys, "live", source, "--stage", "faces", "--sink", tmp_path / "a.jsonl")
    assert done.code == 0, done.err
    assert "stages faces, track, recognize=" in done.err
    first, *_, last = rows(tmp_path / "a.jsonl")
    assert first["person"]["identity"] == "undecided"
    assert (last["person"]["identity"], last["person"]["name"]) == ("known", "Ann")
    assert ask(capsys, "live", source, "--no-recognize", "--sink", tmp_path / "b.jsonl").code == 0
    assert [row["person"] for row in rows(tmp_path / "b.jsonl")] == [None] * 10


def test_live_names_nobody_where_no_gallery_is(capsys, photos, tmp_path):
    source = film(photos, tmp_path)
    done = ask(capsys, "live", source, "--sink", tmp_path / "a.jsonl", "--frames", 1)
    assert (done.code, "recognize" in done.err) == (0, False)
    assert rows(tmp_path / "a.jsonl")[0]["person"] is None


def test_live_shows_who_is_known_and_blurs_the_rest(capsys, photos, ann, tmp_path):
    source = film(photos, tmp_path)
    words = [
        "live",
        source,
        "--stage",
        "faces",
        "--stage",
        "privacy?blur=unknown",
        "--sink",
        f"images:{tmp_path / 'out'}",
    ]
    done = ask(capsys, *words)
    assert done.code == 0, done.err
    files = sorted(
        (tmp_path / "out").iterdir(), key=lambda path: int("".join(filter(str.isdigit, path.stem)) or 0)
    )
    first, last = cv2.imread(str(files[0])), cv2.imread(str(files[-1]))
    clear = cv2.imread(str(photos / "ann.png"))
    face = np.s_[60:75, 90:120]  # between eyes and mouth, where nothing is drawn but the nose
    assert (
        np.abs(first[face].astype(int) - clear[face]).mean()
        > np.abs(last[face].astype(int) - clear[face]).mean() + 3
    )
    assert "put the stages track and recognize" in ask(capsys, *words, "--no-recognize").err


def test_an_unusable_gallery_is_told_and_not_passed_over(capsys, photos, ann, home, tmp_path):
    (home / "gallery.key").unlink()
    answer = ask(capsys, "live", film(photos, tmp_path), "--frames", 1)
    assert answer.code == 8
    assert "there is no key at" in answer.err
    assert ask(capsys, "live", f"{tmp_path / 'film'}?fps=5", "--frames", 1, "--no-recognize").code == 0
