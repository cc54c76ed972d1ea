"""From a model of any kind to its float network, and from that to its smaller forms."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vedette.contract import InputContract
from vedette.errors import MissingDependencyError, ModelError, SettingsError, VedetteError
from vedette.types import Image
from vedette_convert.graph import Graph, pack, read_graph, unpack
from vedette_convert.half import halve_weights
from vedette_convert.inputs import real_values
from vedette_convert.probe import Probe
from vedette_convert.ranges import Range

__all__ = ["FORMS", "INPUTS", "Precision", "float_network", "is_fake_quantized", "quantize"]

TIMEOUT_S = 1800
FORMS = ("int8", "float16", "float32")
INPUTS = {"uint8": ("uint8", "int8"), "int8": ("int8", "int8"), "float": ("float32", "float32")}
"""What ``--io`` says -> types of the input and of the outputs."""
NO_BUILTIN = (
    "which are none of TFLite's own (Flex or custom): a device's runtime lacks them. Write that part of the network "
    "with other layers, or leave it to the device's code."
)
STRANGE = (r"error: 'tf\.(\w+)' op", r'error: loc\(callsite\(fused\["(\w+):"')
"""How the converter names operators that it cannot translate."""

SOURCE_TOLERANCE = 1e-3  # of the largest value; another order of float32 additions stays far below


@dataclass(frozen=True, slots=True)
class Precision:
    """Which form a network is to have.

    Attributes:
        form: one of `FORMS`.
        io: of int8, a key of `INPUTS`.
        keep_float: layers whose name one of these expressions matches stay float, with 16-bit weights.
    """

    form: str = "int8"
    io: str = "uint8"
    keep_float: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, known in (("form", self.form, FORMS), ("io", self.io, tuple(INPUTS))):
            if value not in known:
                raise SettingsError(f"{name} is '{value}'; give one of {', '.join(known)}.")
        if self.form != "int8" and self.keep_float:
            raise SettingsError(f"the form is {self.form}: there is nothing to keep float.")


def float_network(
    source: Path, picture: Image, contract: InputContract, *, modules: Sequence[str] = ()
) -> bytes:
    """Return the float32 network of `source`: static batch 1, names of inputs and outputs kept.

    Args:
        source: a ``.keras`` file, a SavedModel folder, or a float ``.tflite``.
        picture: (h, w, 3) uint8 of the input's size; the source and the result must answer it alike.
        contract: how pixels become real values.
        modules: Python modules that register the model's own Keras layers when imported.

    Raises:
        ModelError: it has operators that TFLite lacks, a dynamic shape, several inputs, or is not float.
        MissingDependencyError: TensorFlow is not installed.
        VedetteError: the conversion failed; the converter's last words are in the message.
    """
    if source.suffix == ".tflite":
        network = _read(source)
        _check_float(read_graph(network), source)
        return _static(network, source)
    given = real_values(picture[None], contract)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("out.tflite", "picture.npy", "answers.npz")]
        np.save(paths[1], given)
        _child(source, "float", source, *paths, *modules)
        network = paths[0].read_bytes()
        with np.load(paths[2]) as answers:
            wanted = dict(answers)
    _check_float(read_graph(network), source)
    _check_answers(source, wanted, network, picture, contract)
    return network


def _static(network: bytes, source: Path) -> bytes:
    """Return `network` for batches of 1 alone, with the constants that another tool stored outside the flatbuffer."""
    model = unpack(network)
    for tensor in model.subgraphs[0].tensors:
        open_dims = () if tensor.shapeSignature is None else tensor.shapeSignature[1:]
        if any(n < 0 for n in open_dims):
            raise ModelError(
                f"{source} has tensors of dynamic size {tuple(map(int, tensor.shapeSignature))}; export it with a "
                "fixed input size."
            )
        tensor.shapeSignature = None
    return pack(model)


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {source}: {error.strerror}.") from error


def _check_float(graph: Graph, source: Path) -> None:
    custom = sorted({op.kind.partition(" ")[2] for op in graph.ops if op.kind.startswith("CUSTOM")})
    if custom:
        raise ModelError(f"{source} has the operators {', '.join(custom)}, {NO_BUILTIN}")
    given = [graph.tensors[i] for i in graph.inputs]
    if len(given) != 1 or len(given[0].shape) != 4 or given[0].shape[0] != 1:
        shapes = ", ".join(str(t.shape) for t in given)
        raise ModelError(f"{source} takes {shapes}; one picture (1, H, W, 3) of a fixed size is needed.")
    if min((n for t in graph.activations for n in t.shape), default=1) < 1:
        raise ModelError(f"{source} has tensors of dynamic size; export it with a fixed input size.")
    if given[0].dtype != "float32" or any(t.dtype == "int8" for t in graph.activations if not _fake(graph)):
        raise ModelError(
            f"{source} is quantized already (input {given[0].dtype}); give the float form that it was made from."
        )


def _fake(graph: Graph) -> bool:
    return {"QUANTIZE", "DEQUANTIZE"} <= {op.kind for op in graph.ops}


def is_fake_quantized(network: bytes) -> bool:
    """Tell whether a float network carries the ranges it was trained with (quantization-aware training)."""
    return _fake(read_graph(network))


def _check_answers(
    source: Path,
    wanted: Mapping[str, NDArray[np.float32]],
    network: bytes,
    picture: Image,
    contract: InputContract,
) -> None:
    probe = Probe(network, contract)
    probe.run(picture)
    found = probe.answers()
    if set(found) != set(wanted):
        raise ModelError(f"{source}: outputs {sorted(wanted)} became {sorted(found)} in the conversion.")
    for name, values in wanted.items():
        off = np.abs(found[name] - values).max() if values.shape == found[name].shape else np.inf
        limit = SOURCE_TOLERANCE * max(1.0, float(np.abs(values).max()))
        if not off <= limit and not is_fake_quantized(network):  # not-a-number is no agreement
            raise ModelError(
                f"{source}: the float network answers {off:.3g} away from its source in {name} (allowed {limit:.2g}): "
                "the conversion has lost its way. Export it as a .keras file or by keras.export.ExportArchive."
            )


def quantize(network: bytes, ranges: Mapping[str, Range], precision: Precision) -> bytes:
    """Return the float `network` in the form that `precision` says.

    Weights are quantized symmetrically, per channel; activations to the range that `ranges` gives for each tensor's
    full name. A network trained with fake quantization needs none.

    Raises:
        SettingsError: a layer to keep float does not exist.
        MissingDependencyError, VedetteError: as `float_network`.
    """
    if precision.form == "float32":
        return network
    if precision.form == "float16":
        return halve_weights(network)
    nodes = _float_nodes(read_graph(network), precision.keep_float)
    given, made = INPUTS[precision.io]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("in.tflite", "out.tflite", "settings.json")]
        paths[0].write_bytes(_with_ranges(network, ranges))
        paths[2].write_text(json.dumps({"input": given, "output": made, "float_nodes": nodes}))
        _child(Path("the network"), "int8", *paths)
        small = paths[1].read_bytes()
    return halve_weights(small) if nodes else small


def _float_nodes(graph: Graph, expressions: Sequence[str]) -> list[str]:
    """Return the full names of the operators to keep float."""
    nodes = []
    for text in expressions:
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise SettingsError(f"'{text}' is no regular expression: {error}.") from error
        made = [graph.tensors[op.outputs[0]] for op in graph.ops]
        hit = [t.full_name for t in made if pattern.search(t.name)]
        if not hit:
            some = ", ".join(t.name for t in made[:4])
            raise SettingsError(
                f"no layer's name matches '{text}'. Names are such as {some}; the report has all."
            )
        nodes += hit
    return sorted(set(nodes))


def _with_ranges(network: bytes, ranges: Mapping[str, Range]) -> bytes:
    """Write the ranges where the quantizer looks for what calibration saw."""
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(network)
    for tensor in model.subgraphs[0].tensors:
        found = ranges.get(tensor.name.decode())
        if found is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.min, tensor.quantization.max = [found[0]], [found[1]]
    return pack(model)


def _child(source: Path, *words: object) -> None:
    command = [sys.executable, "-m", "vedette_convert.child", *map(str, words)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise VedetteError(f"converting {source} took longer than {TIMEOUT_S} s and was stopped.") from error
    if "No module named 'tensorflow'" in done.stderr or "No module named 'keras'" in done.stderr:
        raise MissingDependencyError("converting needs TensorFlow and Keras: pip install 'vedette[convert]'.")
    if done.returncode == 0:
        return
    strange = {name for pattern in STRANGE for name in re.findall(pattern, done.stderr)}
    if strange:
        raise ModelError(f"{source} has the operators {', '.join(sorted(strange))}, {NO_BUILTIN}")
    last = (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
    if last.startswith("REFUSED: "):
        raise ModelError(f"{source}: {last.removeprefix('REFUSED: ')}")
    raise VedetteError(f"converting {source} failed: {last}")
