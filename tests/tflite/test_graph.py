"""The reader of TFLite files: it tells what the format's own library tells, and refuses what is damaged."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

import fuzz_tflite
from drawn_graphs import O, T, chain, draw, image, runnable_classifier, with_zip
from vedette.errors import ModelError
from vedette.tflite.attached import read_attached, read_ultralytics
from vedette.tflite.compiled import read_compiled
from vedette.tflite.flat import BUDGET, Reader, read_flexmap
from vedette.tflite.graph import read_graph
from vedette.tflite.kinds import KINDS
from vedette.zoo import find

MODELS = fuzz_tflite.MODELS
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="needs ../shared/data/models")
FILES = sorted(MODELS.glob("*.tflite")) if MODELS.is_dir() else []


def test_operators_have_the_formats_own_numbers() -> None:
    theirs = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
    assert dict(enumerate(KINDS)) == theirs


@pytest.mark.parametrize("path", [find("face-detector"), *FILES], ids=lambda p: p.stem)
def test_it_reads_what_the_formats_library_reads(path: Path) -> None:
    data = path.read_bytes()
    graph, model = read_graph(data), schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    theirs = model.subgraphs[0]
    assert [t.name for t in graph.tensors] == [(t.name or b"").decode() for t in theirs.tensors]
    assert [op.version for op in graph.ops] == [
        model.operatorCodes[o.opcodeIndex].version for o in theirs.operators
    ]
    assert [list(op.outputs) for op in graph.ops] == [list(o.outputs) for o in theirs.operators]
    assert list(graph.inputs) == list(theirs.inputs)
    assert list(graph.outputs) == list(theirs.outputs)
    for mine, other in zip(graph.tensors, theirs.tensors, strict=True):
        raw = model.buffers[other.buffer].data if model.buffers else None
        assert len(mine.values) == (0 if raw is None else len(raw))
        quant = other.quantization
        if quant is not None and quant.scale is not None:
            assert mine.scale == pytest.approx(float(quant.scale[0]))
            assert mine.channels == len(quant.scale)


def test_work_and_memory_are_counted() -> None:
    """By hand: a 3x3 convolution of 8 channels on 4x4x3, then a dense layer of 10 on its 128 values."""
    tensors = [
        T("image", (1, 4, 4, 3)),
        T("kernel", (8, 3, 3, 3), values=[0.0]),
        T("map", (1, 4, 4, 8)),
        T("flat", (1, 128)),
        T("weights", (10, 128), values=[0.0]),
        T("row", (1, 10)),
    ]
    ops = [
        O("CONV_2D", ["image", "kernel"], ["map"]),
        O("RESHAPE", ["map"], ["flat"]),
        O("FULLY_CONNECTED", ["flat", "weights"], ["row"]),
    ]
    graph = read_graph(draw(tensors, ["image"], ["row"], ops))
    assert graph.macs == 4 * 4 * 8 * 27 + 10 * 128
    assert graph.weight_bytes == 4 * (8 * 27 + 1280)
    assert graph.arena_bytes == 4 * (128 + 128)  # at the RESHAPE: its input and its output
    assert graph.counts == {"CONV_2D": 1, "RESHAPE": 1, "FULLY_CONNECTED": 1}


def test_names_are_the_engines() -> None:
    given, made = image(), T("made", (1, 10))
    signature = ({"pixels": "image"}, {"scores": "made"})
    plain = read_graph(chain(given, made, "SOFTMAX"))
    signed = read_graph(chain(given, made, "SOFTMAX", signature=signature))
    assert [plain.name(i) for i in (*plain.inputs, *plain.outputs)] == ["image", "made"]
    assert [signed.name(i) for i in (*signed.inputs, *signed.outputs)] == ["pixels", "scores"]


def test_a_dynamic_size_is_0() -> None:
    graph = read_graph(chain(T("image", (1, -1, -1, 3)), T("made", (1, -1, -1, 3)), "RELU"))
    assert graph.tensors[0].shape == (1, 0, 0, 3)
    assert len(graph.dynamic) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "not a TFLite model", id="nothing"),
        pytest.param(b"PK\x03\x04 a zip", "not a TFLite model", id="a zip"),
        pytest.param(b"\x08\0\0\0TFL3", "outside the file", id="the mark alone"),
        pytest.param(runnable_classifier()[:200], "outside the file", id="cut short"),
        pytest.param(b"\xff\xff\xff\x7fTFL3" + bytes(64), "outside the file", id="root far away"),
        pytest.param(chain(image(), T("a", (1,) * 17), "RELU"), "17 dimensions", id="rank"),
    ],
)
def test_what_is_no_model_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_graph(data)


def test_the_work_is_bounded() -> None:
    reader = Reader(bytes(8))
    reader.spend(BUDGET)
    with pytest.raises(ModelError, match="more entries"):
        reader.spend(1)


def test_a_flexbuffers_numbers_and_strings_are_read() -> None:
    given = {
        "num_classes": 90,
        "y_scale": 10.5,
        "name": "ssd",
        "far": 1 << 40,
        "negative": -3,
        "yes": True,
        "list": [1],
    }
    found = read_flexmap(memoryview(bytes(flexbuffers.Dumps(given))))
    assert found == {k: v for k, v in given.items() if k != "list"}


# what is attached


def test_attached_files_are_read_and_bombs_left_out() -> None:
    buffer = BytesIO(runnable_classifier())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "cat\ndog")
        archive.writestr("bomb", bytes(8_000_000))
    assert read_attached(buffer.getvalue()) == {"labels.txt": b"cat\ndog"}
    assert read_attached(runnable_classifier()) == {}


def test_a_damaged_zip_is_told() -> None:
    data = bytearray(with_zip(runnable_classifier(), {"labels.txt": b"cat\ndog"}))
    data[data.index(b"cat\ndog")] ^= 1
    with pytest.raises(ModelError, match="attached to it"):
        read_attached(bytes(data))


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        pytest.param("temp_meta.txt", b"{'names': {0: 'a'}}", {0: "a"}, id="python"),
        pytest.param("metadata.json", b'{"names": {"0": "a"}}', {"0": "a"}, id="json"),
        pytest.param("metadata.json", b'{"other": 1}', None, id="somebody else's"),
        pytest.param("labels.txt", b"a", None, id="no note"),
    ],
)
def test_ultralytics_notes_are_read(name: str, content: bytes, names: object) -> None:
    assert read_ultralytics({name: content}).get("names") == names


@pytest.mark.parametrize(
    "content", [b"{" * 5000, b"__import__('os')", b"{'names': [" + b"-" * 200_000, b"\xff"]
)
def test_notes_that_are_none_are_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"temp_meta\.txt"):
        read_ultralytics({"temp_meta.txt": content})


# compiled files


@needs_models
def test_a_compiled_file_tells_what_it_needs() -> None:
    graph = read_graph((MODELS / "mobilenet_v1_0.25_128_quant_edgetpu.tflite").read_bytes())
    compiled = read_compiled(graph)
    assert compiled is not None
    assert (compiled.min_runtime, compiled.cached_bytes, compiled.streamed_bytes) == (12, 566_912, 0)
    assert set(compiled.executables) == {"execution only", "parameter caching"}


def test_a_file_for_the_cpu_is_not_compiled() -> None:
    assert read_compiled(read_graph(runnable_classifier())) is None


# hostile files


@pytest.mark.timeout(600)
def test_no_damage_escapes() -> None:
    """`make fuzz` does a hundred thousand; here a share on files that read fast."""
    given = [one for one in fuzz_tflite.seeds() if one.cost_s < 0.02]
    report = fuzz_tflite.fuzz(2000, seed=1, given=given)
    assert report.escaped == []
    assert report.slowest_s < 5
    assert report.refused > 200  # damage is done, and seen
    assert report.recognised > 20  # and some of it is harmless
