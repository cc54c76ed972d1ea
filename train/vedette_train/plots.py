"""Pictures of a run: curves, confusion, precision over recall, and a sheet of the worst answers."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vedette.types import Image

__all__ = ["draw_confusion", "draw_curves", "draw_precision", "draw_sheet"]

DPI = 110
MOST_NUMBERS = 25  # with more classes the numbers of a confusion matrix could not be read
COLUMNS = 6


def draw_curves(path: Path, log: Path) -> None:
    """Draw each column of ``log.csv`` over the epochs; nothing is drawn of a run without an epoch."""
    with log.open(newline="", encoding="utf-8") as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}  # of an epoch done twice, the later
    # runs of earlier versions have columns that nobody filled
    names = [
        name for name, value in next(iter(rows.values()), {}).items() if name != "epoch" and value != "NA"
    ]
    if not names:
        return
    figure = Figure((4.2 * len(names), 3), layout="constrained")
    for i, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), i + 1)
        axes.plot([epoch + 1 for epoch in rows], [float(row[name]) for row in rows.values()], marker=".")
        axes.set(title=name, xlabel="epoch")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=DPI)


def draw_confusion(path: Path, counts: NDArray[np.int64], labels: Sequence[str]) -> None:
    """Draw `counts` (classes, classes): row, what it is; column, what was answered."""
    side = max(4.0, 1.5 + 0.45 * len(labels))
    figure = Figure((side + 1, side), layout="constrained")
    axes: Axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="answered", ylabel="is", xticks=range(len(labels)), yticks=range(len(labels)))
    axes.set_xticklabels(labels, rotation=90)
    axes.set_yticklabels(labels)
    if len(labels) <= MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=color)
    figure.savefig(path, dpi=DPI)


def draw_precision(path: Path, curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
    """Draw precision over recall; `curves` holds recall and precision (n,) by label."""
    figure = Figure((5.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for label, (recall, precision) in curves.items():
        axes.plot(recall, precision, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=DPI)


def draw_sheet(path: Path, pictures: Sequence[tuple[Image, str]]) -> None:
    """Draw pictures, (H, W, 3) uint8 RGB of any sizes, each under its caption; nothing is drawn of none."""
    if not pictures:
        return
    rows = -(-len(pictures) // COLUMNS)
    figure = Figure((2 * COLUMNS, 2.3 * rows), layout="constrained")
    for i, (image, caption) in enumerate(pictures):
        axes = figure.add_subplot(rows, COLUMNS, i + 1)
        axes.imshow(image)
        axes.set_title(caption, fontsize=7)
        axes.set_axis_off()
    figure.savefig(path, dpi=DPI)
