"""How well faces are told apart, and what it costs: the embedder through the SDK, against the teacher, on people val.

    python bench/face_id.py EMBEDDER.tflite --data ../shared/data [--run RUN] [--roc roc.png] [--json]
    python bench/face_id.py --teacher --data ../shared/data

The 320 people of `faces/people`, split val, whom the train split does not have: all pairs of photos of one person, and
200,000 pairs of two people, drawn by a seed. TAR is the share of the former whose score lies above the one that the
share FAR of the latter reach; EER where both errors are equal; accuracy in ten folds of 300 + 300 pairs, by the
threshold that is best on the other nine.

- labelled / found: aligned by the labelled landmarks, or by those of the bundled detector; of several faces that which
  is nearest to the labelled one. Where it finds none, all pairs of the photo score -1 (the share is told).
- plain; 24px: the photo shrunk by area until the labelled box is 24 px high; dark: in 1/20 of the light, with a
  sensor's noise (`vedette_train.data.face_views.faint`), drawn by a seed.
- teacher: dlib's stored descriptors of the plain photos, by Euclidean distance and by cosine, in the same pairs.

``--run`` adds the float network of a run folder and writes its figures and those of the model, as plain and found, to
the run's ``metrics.json``. Times are medians of one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import vedette
from vedette.ops.faces import align
from vedette_train.data.embed import LabelledFace, nearest, read_descriptors, read_labelled
from vedette_train.data.face_views import faint
from vedette_train.data.faces import label_rows
from vedette_train.evaluate_embed import Pairs, cosines, draw_pairs, roc, verification

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
Embed = Callable[[Image], Floats]
SMALL_PX, DARK_GAIN = 24, 0.05
TIMED = 100
RATES = [10 ** (-k / 4) for k in range(17)]


def views(data: Path, faces: list[LabelledFace], kind: str) -> Iterator[tuple[Image, Floats]]:
    """Yield each photo as `kind` shows it, and its labelled landmarks there."""
    heights = {row["file"]: float(row["y2"]) - float(row["y1"]) for row in label_rows(data, "people")}
    for i, face in enumerate(faces):
        image = vedette.read_image(face.path)
        if kind == "24px":
            factor = SMALL_PX / heights[face.file]
            small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            scale = np.array(small.shape[1::-1], np.float32) / image.shape[1::-1]
            yield small, face.points * scale.astype(np.float32)
        else:
            dark = faint(image, DARK_GAIN, np.random.default_rng(i)) if kind == "dark" else image
            yield dark, face.points


def embedded(
    data: Path, faces: list[LabelledFace], kind: str, detector: Any, embeds: Mapping[str, Embed]
) -> dict[tuple[str, str], Floats]:
    """Return embeddings (n, d) by landmarks and form; NaN where no face was found."""
    crops: dict[str, list[Image]] = {"labelled": [], "found": []}
    lost = []
    for i, (image, points) in enumerate(views(data, faces, kind)):
        crops["labelled"].append(align(image, points[None])[0])
        found = detector.detect(image)
        marks = nearest(found.landmarks, points) if len(found) else None
        lost += [i] if marks is None else []
        crops["found"].append(align(image, (points if marks is None else marks)[None])[0])
    results = {}
    for form, embed in embeds.items():
        for landmarks, aligned in crops.items():
            rows = embed(np.stack(aligned))
            if landmarks == "found":
                rows[lost] = np.nan
            results[form, landmarks] = rows
    return results


def judged(embeddings: Floats, pairs: Pairs) -> dict[str, Any]:
    """Return the figures of embeddings, the share of photos without one, and the ROC."""
    genuine, impostor = cosines(embeddings, pairs.genuine), cosines(embeddings, pairs.impostor)
    lost = float(np.isnan(embeddings[:, 0]).mean())
    return {**verification(genuine, impostor), "lost": round(lost, 4), "roc": roc(genuine, impostor, RATES)}


def teacher(data: Path, faces: list[LabelledFace], pairs: Pairs) -> dict[str, dict[str, Any]]:
    """Return the figures of the stored descriptors."""
    told = read_descriptors(data, "people")
    plain = np.stack([told[face.file][0] for face in faces])
    away = [-np.linalg.norm(plain[p[:, 0]] - plain[p[:, 1]], axis=1) for p in (pairs.genuine, pairs.impostor)]
    euclidean = {**verification(*away), "lost": 0.0, "roc": roc(*away, RATES)}
    return {"teacher plain euclidean": euclidean, "teacher plain cosine": judged(plain, pairs)}


def times(faces: list[LabelledFace], detector: Any, embedder: Any) -> dict[str, float]:
    """Return the median milliseconds of each step for one face."""
    spent: dict[str, list[float]] = {"detect_ms": [], "align_ms": [], "embed_ms": []}
    for face in faces[:TIMED]:
        image, start = vedette.read_image(face.path), time.perf_counter()
        detector.detect(image)
        middle = time.perf_counter()
        aligned = align(image, face.points[None])
        end = time.perf_counter()
        embedder.embed_aligned(aligned)
        for name, took in zip(spent, (middle - start, end - middle, time.perf_counter() - end), strict=True):
            spent[name].append(took * 1000)
    return {name: round(statistics.median(values), 3) for name, values in spent.items()}


def float_embed(run: Path) -> Embed:
    """Return what the float network of a run answers."""
    import keras

    from vedette_train.export_embed import FloatEmbedder

    return FloatEmbedder(keras.saving.load_model(run / "model.keras", compile=False)).embed_aligned


def measure(
    options: argparse.Namespace, faces: list[LabelledFace], pairs: Pairs
) -> tuple[dict[str, Any], Any]:
    """Return the figures by name, and the times, of the model that the command line names."""
    with (
        vedette.load(options.detector, threads=1) as detector,
        vedette.load_as(vedette.FaceEmbedder, options.model, threads=1) as embedder,
    ):
        embeds: dict[str, Embed] = {"int8": embedder.embed_aligned}
        if options.run:
            embeds["float"] = float_embed(options.run)
        results = {}
        for kind in ("plain", "24px", "dark"):
            found = embedded(options.data, faces, kind, detector, embeds)
            for (form, landmarks), rows in found.items():
                results[f"{form} {kind} {landmarks}"] = judged(rows, pairs)
        took = times(faces, detector, embedder)
    if options.run:
        told = {
            form: {k: v for k, v in results[f"{form} plain found"].items() if k != "roc"} for form in embeds
        }
        (options.run / "metrics.json").write_text(json.dumps(told, indent=1))
    return results, took


def draw_roc(path: Path, results: Mapping[str, Any]) -> None:
    """Draw true accepts over false ones of the plain photos."""
    from matplotlib.figure import Figure

    figure = Figure((6, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, figures in results.items():
        if " plain " in name:
            axes.semilogx(*zip(*figures["roc"], strict=True), label=name)
    axes.set(xlabel="false-accept rate", ylabel="true-accept rate", ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def show(results: Mapping[str, Any], took: Mapping[str, float]) -> None:
    """Print a table."""
    names = ("accuracy", "tar_1e2", "tar_1e3", "tar_1e4", "eer", "lost")
    print(f"{'':24s}", *(f"{name:>8s}" for name in names))
    for name, figures in results.items():
        print(f"{name:24s}", *(f"{figures[key]:8.4f}" for key in names))
    if took:
        print(
            "a face, one thread:", ", ".join(f"{k.removesuffix('_ms')} {v:.2f} ms" for k, v in took.items())
        )


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", help="the embedder's .tflite file")
    parser.add_argument("--teacher", action="store_true", help="the teacher alone")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--detector", default="face-detector", help="whose landmarks are used")
    parser.add_argument(
        "--run", type=Path, help="also measure this run's float network; writes its metrics.json"
    )
    parser.add_argument("--roc", type=Path, help="draw the curves into this picture")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.data / "faces").is_dir() or (options.model is None) != options.teacher:
        print(
            f"give EMBEDDER or --teacher, and --data with faces/ (no faces/ in {options.data}?)",
            file=sys.stderr,
        )
        return 2
    faces = read_labelled(options.data, "people", split="val")
    pairs = draw_pairs([face.person for face in faces])
    results, took = ({}, {}) if options.teacher else measure(options, faces, pairs)
    results |= teacher(options.data, faces, pairs)
    if options.roc:
        draw_roc(options.roc, results)
    if options.json:
        print(
            json.dumps(
                {"figures": results, "times": took, "pairs": [len(pairs.genuine), len(pairs.impostor)]}
            )
        )
    else:
        show(results, took)
    return 0


if __name__ == "__main__":
    sys.exit(main())
