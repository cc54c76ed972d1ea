"""TFLite metadata: what a file says of its inputs and outputs.

Field numbers are those of tflite-support's `metadata_schema.fbs`, identifier M001.
"""

from __future__ import annotations

from dataclasses import dataclass

from vedette.tflite.flat import Reader, Table
from vedette.tflite.graph import Graph

__all__ = ["FileNote", "Metadata", "TensorNote", "read_metadata"]

NAME = "TFLITE_METADATA"
NORMALIZATION = 1  # ProcessUnitOptions
IMAGE = 2  # ContentProperties
COLORS = {1: "rgb", 2: "gray"}
LABEL_KINDS = {2: "axis labels", 3: "value labels"}  # AssociatedFileType


@dataclass(frozen=True, slots=True)
class FileNote:
    """An associated file: its name in the zip, and "axis labels", "value labels" or "" for what is no labels."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class TensorNote:
    """What is said of one input or output; empty where nothing is. real = (pixel - mean) / std."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    color: str
    files: tuple[FileNote, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file's TFLite metadata says; all empty where it has none."""

    name: str = ""
    description: str = ""
    version: str = ""
    license: str = ""
    inputs: tuple[TensorNote, ...] = ()
    outputs: tuple[TensorNote, ...] = ()
    files: tuple[FileNote, ...] = ()

    @property
    def label_files(self) -> tuple[str, ...]:
        """Names of the attached label files, those of outputs first."""
        notes = [*(f for note in self.outputs for f in note.files), *self.files]
        return tuple(dict.fromkeys(f.name for f in notes if f.kind))


def read_metadata(graph: Graph) -> Metadata:
    """Return the metadata of a file's main subgraph.

    Raises:
        ModelError: it is damaged.
    """
    data = graph.metadata.get(NAME, memoryview(b""))
    if len(data) < 8:
        return Metadata()
    root = Reader(data, budget=200_000).root()
    main = next(iter(root.tables(3)), None)
    return Metadata(
        root.text(0),
        root.text(1),
        root.text(2),
        root.text(5),
        tuple(_tensor(t) for t in main.tables(2)) if main else (),
        tuple(_tensor(t) for t in main.tables(3)) if main else (),
        (*_files(root, 6), *(_files(main, 4) if main else ())),
    )


def _tensor(table: Table) -> TensorNote:
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    for unit in table.tables(4):
        options = unit.table(1)
        if unit.number(0, "B") == NORMALIZATION and options:
            mean, std = (tuple(map(float, options.numbers(slot, "f", limit=16))) for slot in (0, 1))
    content = table.table(3)
    image = content.table(1) if content and content.number(0, "B") == IMAGE else None
    color = COLORS.get(image.number(0, "b"), "") if image else ""
    return TensorNote(table.text(0), mean, std, color, _files(table, 6))


def _files(table: Table, slot: int) -> tuple[FileNote, ...]:
    return tuple(FileNote(t.text(0), LABEL_KINDS.get(t.number(2, "b"), "")) for t in table.tables(slot))
