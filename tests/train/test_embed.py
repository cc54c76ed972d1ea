"""An embedder from photos and a teacher's descriptors to a verified int8 file, on drawn people."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import vedette
from drawn_people import SIZE, make_people
from face_run import needs_tensorflow, run_program
from vedette.errors import SettingsError, VedetteError
from vedette.types import FACE_POINTS
from vedette_train.data.embed import (
    LabelledFace,
    nearest,
    read_descriptors,
    read_found,
    read_labelled,
    teacher_space,
)
from vedette_train.data.face_views import faint, hardened, jittered, seen_anew
from vedette_train.data.lessons import examples, read_lessons
from vedette_train.evaluate_embed import (
    accept_above,
    cosines,
    draw_pairs,
    equal_error,
    fold_accuracy,
    verification,
)
from vedette_train.recipes.embed import Settings

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = [
    "--epochs=6", "--steps=30", "--batch=16", "--rate=0.004", "--width=0.25", "--hardness=0.2", "--margin=0.05",
    "--name=people",
]  # fmt: skip
POINTS = np.float32([[40, 50], [70, 50], [55, 70], [43, 90], [67, 90]])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_people(tmp_path_factory.mktemp("people") / "data")


@pytest.fixture(scope="module")
def embed_run(data, tmp_path_factory):
    """A run on drawn people, what the converter said, and the model."""
    folder = tmp_path_factory.mktemp("embed")
    run, model = folder / "run", folder / "people.tflite"
    run_program("-m", "vedette", "train", "embed", f"--data={data}", f"--out={run}", *OPTIONS)
    # the pairs are few: without equal ranges a rounding or two would cost more than the gate allows
    return run, run_program("-m", "vedette", "convert", run, "--equalize", "-o", model), model


@needs_tensorflow
@pytest.mark.timeout(300)
def test_it_learns_whom_it_never_saw_and_the_small_form_knows_as_much(embed_run):
    """Guessing has accuracy .5 and an equal error of .5; the converter's gate has judged both forms in the SDK."""
    run, said, _ = embed_run
    figures = json.loads((run / "metrics.json").read_text())["float"]
    assert figures["accuracy"] > 0.85
    assert figures["eer"] < 0.15
    judged = re.search(r"accuracy +float ([\d.]+), int8 ([\d.]+) \(judged\)", said)
    assert judged
    assert float(judged[1]) == pytest.approx(figures["accuracy"], abs=1e-4)


@needs_tensorflow
@pytest.mark.timeout(300)
def test_the_device_embeds_faces(embed_run, data):
    _, _, model = embed_run
    faces = read_labelled(data, "people", split="val")
    with vedette.load_as(vedette.FaceEmbedder, model, threads=1) as embedder:
        rows = np.concatenate(
            [embedder.embed_faces(vedette.read_image(f.path), f.points[None]) for f in faces]
        )
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows.shape == (len(faces), SIZE)
    pairs = draw_pairs([face.person for face in faces])
    assert cosines(rows, pairs.genuine).mean() > cosines(rows, pairs.impostor).mean() + 0.1
    assert "off by 0.00%" in run_program("-m", "vedette", "verify", model)


@needs_tensorflow
@pytest.mark.timeout(300)
def test_a_run_leaves_all_that_was_promised(embed_run):
    run = embed_run[0]
    files = {
        "model.keras",
        "contract.json",
        "calibration.npz",
        "preprocessing.npz",
        "golden.png",
        "report.html",
    }
    assert {p.name for p in run.iterdir()} >= files
    contract = json.loads((run / "contract.json").read_text())
    assert (contract["task"], contract["head"]) == ("embedding", {"type": "embed", "normalize": True})
    assert 0 < contract["threshold"] < 1
    images = np.load(run / "calibration.npz")["images"]
    assert (images.shape, images.dtype) == ((200, 112, 112, 3), np.uint8)
    assert "accuracy" in (run / "log.csv").read_text().splitlines()[0].split(",")


@needs_tensorflow
@pytest.mark.timeout(300)
def test_the_bench_tells_what_the_gate_told(embed_run, data):
    _, said, model = embed_run
    told = json.loads(run_program(ROOT / "bench/face_id.py", model, "--data", data, "--json"))
    wanted = re.search(r"accuracy +float [\d.]+, int8 ([\d.]+)", said)
    assert wanted
    assert told["figures"]["int8 plain labelled"]["accuracy"] == pytest.approx(float(wanted[1]), abs=1e-4)
    assert told["figures"]["teacher plain cosine"]["accuracy"] > 0.95
    assert told["times"]["embed_ms"] > 0
    kinds = {name.split(" ", 1)[1] for name in told["figures"] if name.startswith("int8")}
    assert kinds == {
        f"{kind} {marks}" for kind in ("plain", "24px", "dark") for marks in ("labelled", "found")
    }


@needs_tensorflow
@pytest.mark.timeout(300)
def test_the_loss_by_hand():
    told = json.loads(run_program(Path(__file__).with_name("embed_loss_check.py")))

    def entropy(own):
        return float(np.mean([np.log(np.exp(32 * (np.array([own, 0.6, 0.0]) - own)).sum())]))

    assert told["plain"] == pytest.approx(entropy(0.8), rel=1e-4)
    assert told["arc"] == pytest.approx(entropy(np.cos(np.arccos(0.8) + 0.2)), rel=1e-3)
    assert told["cos"] == pytest.approx(entropy(0.7), rel=1e-3)
    assert told["far beyond"] == pytest.approx(entropy(-1.0), rel=1e-3)
    assert told["turned"] == pytest.approx(0, abs=1e-5)
    assert told["alike"] == pytest.approx(
        2, rel=1e-3
    )  # .64 apart, squared, over the variance of 1, 1, .36, .36
    assert told["same"] == pytest.approx(0, abs=1e-5)
    assert told["opposite"] == pytest.approx(2, abs=1e-5)
    # distances are the same on the other side, so the relation adds nothing
    opposite = float(np.log(np.exp(32 * np.array([0.0, 0.2, 0.8])).sum()))
    assert told["sum"] == pytest.approx(2 + 0.1 * opposite, rel=1e-3)
    assert min(told["start"]) > 0.9
    small, full = told["weights"]
    assert small < full / 4
    assert full < 700_000  # int8: well below 1.5 MB
    assert told["shape"] == [None, 128]


def test_pairs_are_all_genuine_ones_and_drawn_others():
    pairs = draw_pairs(["a", "b", "a", "a", "c"], impostors=4, seed=1)
    assert sorted(map(tuple, pairs.genuine.tolist())) == [(0, 2), (0, 3), (2, 3)]
    assert len({tuple(p) for p in pairs.impostor.tolist()}) == 4
    assert not {tuple(p) for p in pairs.impostor.tolist()} & {(0, 2), (0, 3), (2, 3)}
    again, other = (draw_pairs(list("abcdefgh"), impostors=9, seed=s).impostor for s in (1, 2))
    np.testing.assert_array_equal(again, draw_pairs(list("abcdefgh"), impostors=9, seed=1).impostor)
    assert again.tolist() != other.tolist()
    assert len(draw_pairs(["a", "b"]).impostor) == 1


def test_figures_by_hand():
    """One of ten strangers reaches .9; of five genuine scores four lie above .5, three above .9."""
    genuine = np.array([0.95, 0.92, 0.91, 0.6, 0.1])
    impostor = np.array([0.9, 0.5, 0.4, 0.3, 0.2, 0.15, 0.05, 0.0, -0.1, -0.2])
    assert accept_above(impostor, 0.1) == 0.5
    assert accept_above(impostor, 0.01) == 0.9
    figures = verification(genuine, impostor)
    assert (figures["tar_1e2"], figures["tar_1e4"]) == (0.6, 0.6)
    assert figures["eer"] == 0.2  # at .5
    apart = np.linspace(0.6, 1, 50), np.linspace(-1, 0.4, 80)
    assert (fold_accuracy(*apart), equal_error(*apart)) == (1.0, 0.0)
    rng = np.random.default_rng(0)
    same = rng.normal(size=4000), rng.normal(size=9000)
    assert fold_accuracy(*same) == pytest.approx(0.5, abs=0.03)
    assert equal_error(*same) == pytest.approx(0.5, abs=0.03)


def test_a_face_that_was_not_found_is_like_nobody():
    rows = np.float32([[3, 4], [6, 8], [np.nan, np.nan]])
    np.testing.assert_allclose(cosines(rows, np.array([[0, 1], [0, 2]])), [1, -1])


def test_no_person_of_val_is_learned_from(data):
    lessons = read_lessons(data, found=None, together=0.3)
    val = {face.person for face in read_labelled(data, "people", split="val")}
    assert not val & {face.person for face in lessons.faces}
    assert len(lessons.faces) == 40 * 4 + 40
    assert len(lessons.prototypes) == 40 + 40
    np.testing.assert_allclose(np.linalg.norm(lessons.wanted, axis=1), 1, atol=1e-5)
    own = (lessons.wanted * lessons.prototypes[lessons.identity]).sum(1)
    assert (lessons.wanted @ lessons.prototypes.T).argmax(1).tolist() == lessons.identity.tolist()
    further = read_lessons(data, found=None, together=0.0)
    assert own.mean() > (further.wanted * further.prototypes[further.identity]).sum(1).mean()


def test_an_example_is_made_again_from_its_seed(data):
    example = examples(read_lessons(data, found=None, together=0.0), hardness=0.5)
    (first, told), (again, _), (other, _) = (example(np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (112, 112, 3)
    assert first.dtype == np.float32
    assert (first.min() >= -1, first.max() < 1) == (True, True)
    assert told["wanted"].shape == (SIZE,)


def test_the_teachers_space_keeps_distances_and_leaves_out_unused_axes():
    """Cosines there order pairs almost as Euclidean distances between the descriptors do."""
    rng = np.random.default_rng(0)
    one = np.zeros((400, 12), np.float32)
    one[:, :8] = rng.normal(0, np.linspace(0.2, 0.1, 8), (400, 8))
    one += rng.normal(0, 1, 12).astype(np.float32)
    space = teacher_space(np.stack([one, one], 1))
    placed = space.place(np.stack([one, one], 1))
    np.testing.assert_allclose(np.linalg.norm(placed, axis=1), 1, atol=1e-5)
    assert np.isfinite(placed).all()
    np.testing.assert_allclose(
        space.place(np.stack([space.mean, space.mean])[None])[0], space.constant, atol=1e-5
    )
    away = np.linalg.norm(one[:200] - one[200:], axis=1)
    assert np.corrcoef((placed[:200] * placed[200:]).sum(1), -(away**2))[0, 1] > 0.85


def record(path, *landmarks):
    found = [{"landmarks": points.tolist()} for points in landmarks]
    return json.dumps({"source": str(path), "detections": found})


def test_found_landmarks_belong_to_the_nearest_labelled_face(tmp_path):
    faces = [LabelledFace(f"web/{i}.png", tmp_path / f"{i}.png", "", POINTS) for i in range(4)]
    lines = [
        record(tmp_path / "0.png", POINTS + 80, POINTS + 2),
        record(tmp_path / "1.png", POINTS + 80),
        record(tmp_path / "2.png"),
        record(tmp_path / "other.png", POINTS),
    ]
    (tmp_path / "found.jsonl").write_text("\n".join(lines))
    found = read_found(tmp_path / "found.jsonl", faces)
    assert list(found) == ["web/0.png"]
    np.testing.assert_allclose(found["web/0.png"], POINTS + 2)
    assert nearest((POINTS + 80)[None], POINTS) is None


@pytest.mark.parametrize("text", ["no json", "[1]", '{"source": "x"}'], ids=["text", "list", "other record"])
def test_what_no_detector_printed_is_refused(tmp_path, text):
    (tmp_path / "found.jsonl").write_text(text)
    with pytest.raises(VedetteError, match="vedette detect --json"):
        read_found(tmp_path / "found.jsonl", [])


def test_bad_data_is_named(tmp_path):
    root = make_people(tmp_path / "data", train=2, val=2, photos=2, web=2)
    with np.load(root / "faces/teacher/web.npz") as stored:
        told = dict(stored)
    np.savez(root / "faces/teacher/web.npz", **{k: v[:1] for k, v in told.items()})
    with pytest.raises(VedetteError, match=r"nothing of 1 faces in .* web/1\.png"):
        read_lessons(root, found=None, together=0.0)
    (root / "faces/teacher/web.npz").write_bytes(b"cut")
    with pytest.raises(VedetteError, match=r"web\.npz is no \.npz"):
        read_descriptors(root, "web")
    with pytest.raises(VedetteError, match="no face of the split 'test'"):
        read_labelled(root, "people", split="test")
    with (root / "faces/people.csv").open("a") as file:
        file.write("people/x.png,P9,train,1,2\n")
    with pytest.raises(VedetteError, match="line 10"):
        read_labelled(root, "people", split="train")


def test_views_of_a_face():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 110, 3), dtype=np.uint8)
    for hardness in (0.0, 1.0):
        for seed in range(40):
            face = seen_anew(image, POINTS, np.random.default_rng(seed), hardness=hardness)
            assert (face.shape, face.dtype) == ((112, 112, 3), np.uint8)
    moved = np.stack([jittered(POINTS, rng) for _ in range(2000)])
    assert moved.shape[1:] == (len(FACE_POINTS), 2)
    np.testing.assert_allclose(moved.mean(0), POINTS, atol=0.3)
    eyes = 30
    np.testing.assert_allclose(moved.std(0)[2] / eyes, np.hypot(0.05, 0.04), atol=0.02)
    flat = np.full((112, 112, 3), 128, np.uint8)
    dark = faint(flat, 0.05, rng)
    # (.5 ** 2.2 * .05) ** (1 / 2.2) * 255 is 33
    assert dark.mean() == pytest.approx(33, abs=2)
    assert dark.std() > 2
    assert (flat == 128).all()
    assert len({hardened(flat, np.random.default_rng(s)).tobytes() for s in range(10)}) > 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"hardness": 1.5}, "hardness is 1.5", id="hardness"),
        pytest.param({"together": -1.0}, "together is -1.0", id="together"),
        pytest.param({"margin": -0.1}, "margin is -0.1", id="margin"),
        pytest.param({"width": 0.0}, "width is 0.0", id="width"),
        pytest.param({"checked": 1}, "checked is 1", id="checked"),
        pytest.param(
            {"backbone": Path("no.tflite")}, "backbone: there is nothing at no.tflite", id="backbone"
        ),
        pytest.param({"found": Path("no.jsonl")}, "found: there is nothing at no.jsonl", id="found"),
    ],
)
def test_settings_are_checked(options, told):
    with pytest.raises(SettingsError, match=re.escape(told)):
        Settings(data=Path("x"), **options)
