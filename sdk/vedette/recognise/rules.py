"""Put the rules together: exactly one must fire; two readings, or none, end in a question to the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from vedette.contract import Contract, InputContract, OutputContract
from vedette.errors import ModelError, unknown_name
from vedette.recognise import (
    blazeface,
    classify,
    embed,
    matting,
    movenet,
    picture,
    segment,
    ssd,
    ssd_raw,
    yolo,
    yolox,
)
from vedette.recognise.facts import Facts, Found, unclear
from vedette.recognise.labels import MAX_CLASSES, Labels, fit_labels, from_mapping, parse_labels, read_labels
from vedette.recognise.pixels import choose_color, choose_normalization, parse_head
from vedette.recognise.refused import find_image, refuse
from vedette.tflite.attached import ULTRALYTICS, read_attached, read_ultralytics
from vedette.tflite.graph import Graph, read_graph
from vedette.tflite.metadata import Metadata, read_metadata

__all__ = ["HEADS", "recognise"]


class Rule(Protocol):
    """A module with the head's type, and what recognises it."""

    HEAD: str

    def match(self, facts: Facts) -> Found | None:
        """Return what the file is by this rule; None where the rule does not fire."""
        ...


HEADS: Mapping[str, Rule] = MappingProxyType(
    {
        rule.HEAD: rule
        for rule in (
            ssd,
            ssd_raw,
            yolo,
            yolox,
            blazeface,
            classify,
            segment,
            matting,
            movenet,
            picture,
            embed,
        )
    }
)
"""Type of a head -> its rule."""


def recognise(
    data: bytes,
    *,
    path: Path,
    head: str | None = None,
    labels: Path | None = None,
    normalize: str | None = None,
    color: str | None = None,
) -> tuple[Contract, tuple[str, ...]]:
    """Return what a file without a contract is, as a contract, and the sentences why. Nothing is run.

    Args:
        data: the whole file.
        path: where it is from, for its name and for messages.
        head: a key of `HEADS`, with parameters as in ``yolo:units=pixels``; the rules decide when not given.
        labels: a label file; the file's own when not given.
        normalize: see `vedette.recognise.pixels.parse_normalization`.
        color: "rgb", "bgr" or "gray".

    Raises:
        ModelError: it is damaged, cannot be run, is not recognised, or has two readings; says which flag decides.
        SettingsError: a flag is not known.
    """
    try:
        facts = _read(data, path, labels, *(parse_head(head) if head is not None else ("", {})))
        found = _decide(facts)
        found = _with_options(found, facts.options)
        names, labels_why = _labels(facts, found)
        mean, std, normalize_why = choose_normalization(facts, found, normalize)
        colors, color_why = choose_color(facts, found, color)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    image = InputContract(
        facts.graph.name(facts.image.index), facts.size_wh, colors, found.resize, found.pad_value, mean, std
    )
    outputs = tuple(OutputContract(facts.graph.name(i), role, 0) for i, role in found.outputs)
    license_ = facts.metadata.license or str(facts.ultralytics.get("license", "")) or "unknown"
    contract = Contract(
        name=path.stem,
        version=facts.metadata.version or str(facts.ultralytics.get("version", "")) or "unknown",
        task=found.task,
        head=MappingProxyType(dict(found.head)),
        input=image,
        outputs=outputs,
        labels=names,
        threshold=found.threshold,
        license=license_,
        training_data=(),
        metrics=MappingProxyType({}),
        golden=None,
    )
    resize = f"resize: {found.resize}, pad {found.pad_value}, by the rule."
    return contract, (*found.why, labels_why, normalize_why, color_why, resize)


def _read(data: bytes, path: Path, labels: Path | None, head: str, options: Mapping[str, object]) -> Facts:
    if head and head not in HEADS:
        raise unknown_name("head", head, HEADS)
    graph = read_graph(data)
    refuse(graph)
    attached = read_attached(data)
    metadata, notes = read_metadata(graph), read_ultralytics(attached)
    names = read_labels(labels) if labels else _own_labels(metadata, notes, attached)
    facts = Facts(graph, metadata, notes, find_image(graph), names, options, head)
    yolo.check_task(facts)
    return facts


def _own_labels(metadata: Metadata, notes: Mapping[str, Any], attached: Mapping[str, bytes]) -> Labels | None:
    """Return the labels that came with the file: Ultralytics' names, the metadata's file, or the only text attached."""
    if notes:
        names = notes["names"]
        return (
            from_mapping(names, origin="Ultralytics' metadata")
            if isinstance(names, dict | list) and names
            else None
        )
    texts = [name for name in attached if name.endswith((".txt", ".pbtxt")) and name not in ULTRALYTICS]
    noted = [name for name in metadata.label_files if name in attached]
    chosen = noted[:1] or (texts if len(texts) == 1 else [])
    return parse_labels(attached[chosen[0]], origin=f"{chosen[0]} inside the file") if chosen else None


def _decide(facts: Facts) -> Found:
    """Return what the one rule that fires says.

    Raises:
        ModelError: none does, or several do.
    """
    if facts.forced:
        found = HEADS[facts.forced].match(facts)
        if found is None:
            raise ModelError(f"it does not fit --head {facts.forced}: {_shapes(facts.graph)}.")
        return found
    all_found = [found for rule in HEADS.values() if (found := rule.match(facts))]
    if len(all_found) == 1:
        return all_found[0]
    if all_found:
        names = [str(found.head["type"]) for found in all_found]
        raise unclear(
            f"it can be read in {len(names)} ways ({_shapes(facts.graph)}).", *(f"--head {n}" for n in names)
        )
    fitting = _fitting(facts)
    if fitting:
        raise unclear(f"no rule says what it is: {_shapes(facts.graph)}.", *(f"--head {n}" for n in fitting))
    raise ModelError(
        f"no rule knows a network like this: {_shapes(facts.graph)}. Heads that are read: {', '.join(HEADS)}."
    )


def _fitting(facts: Facts) -> list[str]:
    """Return the heads that would do if they were asked for."""
    fitting = []
    for name, rule in HEADS.items():
        try:
            if rule.match(replace(facts, forced=name)):
                fitting.append(name)
        except ModelError:
            fitting.append(name)  # it would do, and have a question of its own
    return fitting


def _shapes(graph: Graph) -> str:
    sides = (("input", graph.inputs), ("outputs", graph.outputs))
    told = (
        f"{side} {', '.join(f'{graph.tensors[i].shape} {graph.tensors[i].dtype}' for i in ids)}"
        for side, ids in sides
    )
    return ", ".join(told)


def _with_options(found: Found, options: Mapping[str, object]) -> Found:
    """Return `found` with the parameters given by `--head` laid over its own.

    Raises:
        SettingsError: a parameter is not known; the nearest is named.
    """
    for key in options:
        if key not in found.head or key == "type":
            raise unknown_name(f"parameter of head {found.head['type']}", key, set(found.head) - {"type"})
    if not options:
        return found
    told = ", ".join(f"{key}={value}" for key, value in options.items())
    return replace(found, head={**found.head, **options}, why=(*found.why, f"as given: {told}."))


def _labels(facts: Facts, found: Found) -> tuple[tuple[str, ...], str]:
    if found.classes is None:
        if facts.names is not None and not found.labels and found.task == "object-detection":
            return facts.names.names, f"labels: {len(facts.names.names)} from {facts.names.origin}."
        return (
            found.labels,
            "labels: the family's own." if found.labels else "labels: none, the task has no classes.",
        )
    if not 0 < found.classes <= MAX_CLASSES:
        raise ModelError(f"it says that it tells {found.classes} classes apart; it is damaged.")
    if facts.names is not None:
        return fit_labels(facts.names, found.classes, background=found.background)
    numbered = tuple(f"class {i}" for i in range(found.classes))
    return (
        numbered,
        f"labels: none came with the file, so its {found.classes} classes are numbered (--labels FILE).",
    )
