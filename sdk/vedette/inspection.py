"""Everything that can be told of a model file: what it is and why, what it takes and gives, what it costs."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vedette.contract import MEMBER, Contract, open_model_file, read_bytes
from vedette.engines.litert import LiteRTEngine
from vedette.engines.probe import Probe, probe
from vedette.errors import ModelError
from vedette.models.golden import open_replayer
from vedette.recognise import recognise
from vedette.recognise.reading import Reading
from vedette.tflite.attached import read_attached
from vedette.tflite.compiled import read_compiled
from vedette.tflite.graph import Graph, TensorInfo, read_graph
from vedette.tflite.metadata import read_metadata
from vedette.zoo import find

__all__ = ["Reading", "inspect"]


def inspect(model: str | Path, *, reading: Reading | None = None) -> dict[str, Any]:
    """Return what a model file is, expects, returns and costs, for JSON.

    The file is read without running it; then a child process tries it, and the golden sample of a Vedette model that
    came through that is replayed. ``refused`` says why a file cannot be used, and is None where it can.

    Raises:
        SettingsError: no bundled model has that name, or a flag is not known.
        ModelError: the file is missing, damaged, or not what its own contract says.
    """
    path = find(model)
    data = read_bytes(path)
    try:
        graph, attached = read_graph(data), read_attached(data)
        facts = {**_file_facts(path, data), **_graph_facts(graph), **_extra_facts(graph, attached)}
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    carried = MEMBER.encode() in data  # a contract that was cut off leaves its name behind
    contract, origin, evidence, refused = _contract(path, data, carried, reading or Reading())
    tried = probe(path)
    if refused is None and tried.runs is False:
        refused = f"{path}: {tried.detail}"
    golden = _golden(path, contract, tried) if origin == "vedette" else "none: no Vedette contract"
    return {
        **facts,
        "contract": origin,
        **_contract_facts(contract),
        "evidence": list(evidence),
        "inputs": [_input(graph, i, contract) for i in graph.inputs],
        "outputs": [_output(graph, i, contract) for i in graph.outputs],
        "engine": tried.detail,
        "golden": golden,
        "refused": refused,
    }


def _contract(
    path: Path, data: bytes, carried: bool, reading: Reading
) -> tuple[Contract | None, str, tuple[str, ...], str | None]:
    """Return the contract, its origin, the evidence, and why the file cannot be used."""
    if carried:
        if reading != Reading():
            raise ModelError(
                f"{path} carries a Vedette contract; --head, --labels, --normalize and --color do not apply."
            )
        return open_model_file(path).contract, "vedette", (), None
    try:
        contract, evidence = recognise(data, path=path, **_flags(reading))
    except ModelError as error:
        return None, "none", (), str(error)
    return contract, "recognised", evidence, None


def _flags(reading: Reading) -> dict[str, Any]:
    """Return the reading as keyword arguments of `recognise`."""
    return {name: getattr(reading, name) for name in ("head", "labels", "normalize", "color")}


def _file_facts(path: Path, data: bytes) -> dict[str, Any]:
    return {"file": str(path), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _graph_facts(graph: Graph) -> dict[str, Any]:
    return {
        "operators": graph.counts,
        "macs": graph.macs,
        "weight_bytes": graph.weight_bytes,
        "arena_bytes": graph.arena_bytes,
        "subgraphs": graph.subgraphs,
        "dynamic_shapes": [graph.name(i) or f"tensor {i}" for i in graph.dynamic],
        "custom_operators": list(graph.customs),
        "signatures": [
            {"key": s.key, "inputs": list(s.inputs.values()), "outputs": list(s.outputs.values())}
            for s in graph.signatures
        ],
    }


def _extra_facts(graph: Graph, attached: dict[str, bytes]) -> dict[str, Any]:
    compiled, metadata = read_compiled(graph), read_metadata(graph)
    return {
        "metadata": {
            "entries": list(graph.metadata),
            "name": metadata.name,
            "description": metadata.description,
        },
        "attached": {name: len(content) for name, content in attached.items()},
        "edge_tpu": asdict(compiled) if compiled else None,
    }


def _contract_facts(contract: Contract | None) -> dict[str, Any]:
    if contract is None:
        return {"task": None, "head": None, "labels": []}
    return {
        "name": contract.name,
        "version": contract.version,
        "task": contract.task,
        "head": dict(contract.head),
        "labels": list(contract.labels),
        "threshold": contract.threshold,
        "license": contract.license,
        "training_data": list(contract.training_data),
        "metrics": dict(contract.metrics),
    }


def _tensor(graph: Graph, tensor: TensorInfo) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": graph.name(tensor.index),
        "shape": "x".join(str(n) if n else "?" for n in tensor.shape) or "unknown",
        "dtype": tensor.dtype,
    }
    if tensor.quantized:
        told.update(scale=float(f"{tensor.scale:.6g}"), zero_point=tensor.zero_point)
        told["range"] = [float(f"{v:.4g}") for v in tensor.limits]
    return told


def _input(graph: Graph, index: int, contract: Contract | None) -> dict[str, Any]:
    told = _tensor(graph, graph.tensors[index])
    if contract is None:
        return told
    image = contract.input
    fed = [
        [float(f"{(pixel - m) / s:.4g}") for pixel in (0, 255)]
        for m, s in zip(image.mean, image.std, strict=True)
    ]
    return {
        **told,
        "feeds": fed[0] if fed[0] == fed[1] == fed[2] else fed,
        "color": image.color,
        "resize": image.resize,
        "pad_value": image.pad_value,
    }


def _output(graph: Graph, index: int, contract: Contract | None) -> dict[str, Any]:
    told = _tensor(graph, graph.tensors[index])
    roles = {o.name: o for o in contract.outputs} if contract else {}
    known = roles.get(told["name"])
    if known is None:
        return told
    return {**told, "role": known.role, **({"stride": known.stride} if known.stride else {})}


def _golden(path: Path, contract: Contract | None, tried: Probe) -> str:
    """Return what the golden sample says; it is replayed only where the child process came through.

    Raises:
        ModelError: the network does not keep the contract.
        VedetteError: the answer differs.
    """
    if contract is None or contract.golden is None:
        return "none"
    if tried.runs is False:
        return f"not replayed: {tried.detail}"
    file = open_model_file(path)
    with LiteRTEngine(file.data, label=str(path)) as engine:
        return open_replayer(engine, file).replay_golden()
