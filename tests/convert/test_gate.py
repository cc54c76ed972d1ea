"""What passes the gate and what does not, and what the messages say; no TensorFlow."""

import json

import cv2
import numpy as np
import pytest

from tiny_run import CONTRACT, draw_pictures
from vedette.errors import ModelError, SettingsError, SourceError, VedetteError
from vedette.ops.images import letterbox
from vedette_convert.compare import Agreement, _Sums, strangers
from vedette_convert.gate import compare_preprocessing, evaluate, judge, told
from vedette_convert.inputs import Material, gather, read_pictures

GOLDEN = cv2.imencode(".png", draw_pictures(3, seed=9)[2])[1].tobytes()


def material(**changes):
    contract = {**CONTRACT, **changes.pop("contract", {})}
    return Material("x", contract, draw_pictures(3), "drawn", GOLDEN, **changes)


def reference(shift=0.0, interpolation=None):
    picture = np.random.default_rng(0).integers(0, 256, (90, 60, 3), dtype=np.uint8)
    fitted = letterbox(picture, (32, 32), pad_value=114)[0]
    if interpolation is not None:
        small = cv2.resize(picture, (21, 32), interpolation=interpolation)
        fitted = np.full((32, 32, 3), 114, np.uint8)
        fitted[:, 5:26] = small
    return picture, (fitted.astype(np.float32) + shift - 127.5) / 127.5


def test_the_same_fitting_passes():
    assert compare_preprocessing(material(references=[reference()])) == [0.0]
    assert compare_preprocessing(material()) == []


@pytest.mark.parametrize(
    "off",
    [{"shift": 3.0}, {"interpolation": cv2.INTER_AREA}],
    ids=["three levels brighter", "another resize"],
)
def test_another_fitting_is_an_error_of_its_own(off):
    with pytest.raises(VedetteError, match="fit pictures differently"):
        compare_preprocessing(material(references=[reference(), reference(**off)]))


def test_references_of_another_size_are_refused():
    picture, wanted = reference()
    with pytest.raises(VedetteError, match="training fed"):
        compare_preprocessing(material(references=[(picture, wanted[:16])]))


def agreement(wanted, found):
    sums = _Sums()
    for a, b in zip(wanted, found, strict=True):
        sums.add(np.float32(a), np.float32(b))
    return sums.agreement("y")


def test_agreement_by_hand():
    # power 3^2 + 4^2 = 25 over an error of .5^2 = .25: a ratio of 100
    a = agreement([[3.0], [4.0]], [[3.0], [4.5]])
    assert a.snr_db == pytest.approx(20.0)
    assert a.cosine == pytest.approx((9 + 18) / (5 * np.hypot(3, 4.5)))
    assert not a.constant
    assert agreement([[0.0], [0.0]], [[0.0], [0.0]]) == Agreement("y", 99.0, 1.0, False)


def test_an_output_that_never_changes_is_a_stranger():
    a = agreement([[3.0], [4.0]], [[3.5], [3.5]])
    assert a.constant
    assert strangers([a]) == ["output y never changes"]
    assert strangers([Agreement("y", 9.9, 0.9, False)]) == ["output y is left with 9.9 dB"]
    assert strangers([Agreement("y", float("nan"), 0.9, False)])
    assert strangers([Agreement("y", 10.0, 0.9, False)]) == []


@pytest.mark.parametrize(
    ("name", "lost", "holds"),
    [
        ("map50", 0.010, True),
        ("map50", 0.011, False),
        ("top1", 0.02, False),
        ("psnr_db", 0.1, True),
        ("psnr_db", 0.11, False),
        ("nme", -0.5, True),
        ("map50", -0.2, True),
    ],
)
def test_the_default_limits(name, lost, holds):
    judged = judge({name: 0.6}, {name: 0.6 - lost}, None)
    assert (not judged.failing) is holds


def test_own_limits_take_the_place_of_the_default_ones():
    judged = judge({"ap": 0.6, "speed": 5.0}, {"ap": 0.5, "speed": 4.0}, {"speed": 0.5})
    assert [m.name for m in judged.failing] == ["speed"]
    assert told(judged.failing) == "speed 5 -> 4 (allowed -0.5)"
    with pytest.raises(VedetteError, match="recall"):
        judge({"ap": 0.6}, {"ap": 0.6}, {"recall": 0.1})


@pytest.mark.parametrize(
    ("program", "words"),
    [("raise SystemExit('no photos there')", "no photos there"), ("print('done')", "JSON"), ("", "JSON")],
)
def test_an_evaluation_that_fails_says_so(program, words, tiny_float):
    command = ["-c", program, "{model}"]
    with pytest.raises(VedetteError, match=words):
        evaluate(
            material(
                contract={"evaluation": {"command": command}},
            ),
            tiny_float,
        )


def write_pictures(folder, count):
    folder.mkdir()
    for k in range(count):
        cv2.imwrite(str(folder / f"{k}.png"), np.full((20, 40, 3), 10 * k, np.uint8))
    return str(folder)


def test_pictures_of_a_folder_are_letterboxed(tmp_path):
    found = read_pictures(write_pictures(tmp_path / "photos", 5), (32, 32), 114, 10)
    assert len(found) == 5
    assert found[1].shape == (32, 32, 3)
    assert set(found[1][:8].ravel()) == {114}
    assert set(found[1][8:24].ravel()) == {10}


def test_of_many_pictures_some_are_drawn_the_same_each_time(tmp_path):
    folder = write_pictures(tmp_path / "photos", 24)
    first, second = (read_pictures(folder, (32, 32), 114, 6) for _ in range(2))
    levels = [int(p[16, 16, 0]) // 10 for p in first]
    assert len(set(levels)) == 6
    assert max(levels) > 6  # not simply the first ones
    np.testing.assert_array_equal(first, second)


def test_pictures_of_a_source_uri_are_letterboxed_too():
    found = read_pictures("demo://?pace=none&size=64x48&seconds=0.5", (32, 32), 114, 5)
    assert [picture.shape for picture in found] == [(32, 32, 3)] * 5
    assert all(set(picture[:4].ravel()) == {114} for picture in found)
    assert len({picture.tobytes() for picture in found}) == 5


def test_a_source_without_pictures_is_refused(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceError):
        read_pictures(str(tmp_path / "none"), (32, 32), 114, 5)


def test_a_bare_model_must_be_given_what_a_run_has(tmp_path):
    (tmp_path / "x.tflite").touch()
    with pytest.raises(SettingsError, match="--contract"):
        gather(tmp_path / "x.tflite")
    (tmp_path / "c.json").write_text('{"input": {"name": "image"}}')
    with pytest.raises(VedetteError, match="lacks size_wh"):
        gather(tmp_path / "x.tflite", contract=tmp_path / "c.json")


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (np.zeros((4, 48, 32, 3), np.uint8), ModelError, r"\(48, 32, 3\).*32x32.*--calibration"),
        (np.zeros((4, 32, 32, 3), np.float32), ModelError, "float32"),
        (np.zeros((0, 32, 32, 3), np.uint8), VedetteError, "no picture at all"),
    ],
    ids=["another size", "real values", "empty"],
)
def test_calibration_pictures_that_do_not_fit_are_refused(tmp_path, images, error, words):
    run = tmp_path / "run"
    run.mkdir()
    (run / "contract.json").write_text(json.dumps(CONTRACT))
    np.savez(run / "calibration.npz", images=images)
    with pytest.raises(error, match=words):
        gather(run)


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_a_calibration_file_cut_short_is_refused(tmp_path, size):
    run = tmp_path / "run"
    run.mkdir()
    (run / "contract.json").write_text(json.dumps(CONTRACT))
    np.savez(run / "calibration.npz", images=draw_pictures(4))
    (run / "calibration.npz").write_bytes((run / "calibration.npz").read_bytes()[:size])
    with pytest.raises(VedetteError, match=r"calibration\.npz"):
        gather(run)
