"""The verb `vedette convert`."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedette.errors import MissingDependencyError

if TYPE_CHECKING:
    from vedette_convert.run import Outcome

__all__ = ["register"]

SHOWN = 5


def register(verbs: Any) -> None:
    """Add the verb to the `vedette` command's sub-parsers."""
    text = (
        "Turn a trained model into one self-describing .tflite, and show that it is as good as the float one."
    )
    parser = verbs.add_parser("convert", help=text, description=text)
    parser.add_argument(
        "source",
        type=Path,
        metavar="RUN",
        help="a folder that `vedette train` wrote, a .keras file, a SavedModel or a float .tflite",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.tflite")
    parser.add_argument("--form", default="int8", metavar="FORM", help="int8 (default), float16 or float32")
    parser.add_argument(
        "--io",
        default="uint8",
        metavar="TYPE",
        help="of int8: uint8 (default: uint8 in, int8 out), int8, float",
    )
    parser.add_argument("--ranges", default="minmax", metavar="RULE", help="minmax, percentile:P or mse")
    parser.add_argument("--equalize", action="store_true", help="equal channel ranges after depthwise layers")
    parser.add_argument(
        "--rounding",
        default="nearest",
        metavar="RULE",
        help="of weights: nearest (default), or gptq: later weights make up for earlier ones",
    )
    parser.add_argument(
        "--keep-float",
        action="append",
        default=[],
        metavar="REGEX",
        help="layers that stay float (repeatable)",
    )
    parser.add_argument("--calibration", metavar="DIR|URI", help="other pictures than the run's own")
    parser.add_argument("--pictures", type=int, default=200, metavar="N", help="calibrate on at most N (200)")
    parser.add_argument(
        "--contract", type=Path, metavar="FILE", help="contract.json of a source that is no run"
    )
    parser.add_argument("--fix", action="store_true", help="where it falls short, try the remedies in order")
    parser.add_argument("--no-evaluation", action="store_true", help="leave the run's own evaluation out")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.md and report.html into DIR")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if find_spec("tensorflow") is None:  # before anything is read: what is missing is known at once
        raise MissingDependencyError("converting needs TensorFlow and Keras: pip install 'vedette[convert]'.")
    from vedette_convert.quantize import Precision
    from vedette_convert.report import write_report
    from vedette_convert.run import Plan, convert

    plan = Plan(
        Precision(options.form, options.io, tuple(options.keep_float)),
        options.ranges,
        options.equalize,
        options.rounding,
        options.calibration,
        options.pictures,
    )
    outcome = convert(
        options.source,
        options.out,
        plan,
        contract=options.contract,
        fix=options.fix,
        judged=not options.no_evaluation,
        say=lambda line: print(line, flush=True),
    )
    _tell(outcome)
    if options.report:
        write_report(outcome, options.report)
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")
    return 0


def _tell(outcome: Outcome) -> None:
    done = outcome.chosen
    form = done.plan.precision.form
    if done.pictures:
        print(f"calibrated on {done.pictures} pictures: {outcome.material.origin}")
    for name, share in list(done.saturated.items())[:SHOWN]:
        print(f"saturates   {name}: {share:.2%} of its values")
    for a in done.outputs:
        print(f"{a.output:10s} {form} against float: {a.snr_db:5.1f} dB, cosine {a.cosine:.4f}")
    for a in sorted(done.layers, key=lambda a: a.snr_db)[:1]:
        print(f"worst layer {a.output}: {a.snr_db:.1f} dB")
    for m in done.judgement.metrics:
        print(f"{m.name:20s} float {m.wanted:.4f}, {form} {m.found:.4f}" + (" (judged)" if m.limit else ""))
    if not outcome.preprocessing:
        print("preprocessing was not compared: the run has no preprocessing.npz")
    if not done.judgement.metrics:
        print("the task's figures were not compared: the run names no evaluation, or it was left out")
