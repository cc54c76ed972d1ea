"""From a run folder, a model or a float network to a packaged file, through the gate."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vedette.engines.litert import LiteRTEngine
from vedette.errors import ModelError, SettingsError, unknown_name
from vedette_convert.compare import Agreement, compare, falls, strangers
from vedette_convert.equalize import equalize
from vedette_convert.gate import Judgement, compare_preprocessing, evaluate, judge, told
from vedette_convert.graph import read_graph
from vedette_convert.inputs import MOST_PICTURES, Material, gather
from vedette_convert.package import package
from vedette_convert.quantize import Precision, float_network, is_fake_quantized, quantize
from vedette_convert.ranges import Seen, check_rule, choose, observe, saturated
from vedette_convert.rounding import ROUNDINGS, round_weights

__all__ = ["Attempt", "Outcome", "Plan", "convert"]

COMPARED = 24
FLAT_PICTURES = 2  # a run's calibration begins with black and white
TIMED_RUNS = 15
KEPT_FLOAT = (4, 12)
WORST = 5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to convert.

    Attributes:
        precision: form, input and output types, layers kept float.
        ranges: a rule of `vedette_convert.ranges`.
        equalize: give the channels of depthwise outputs equal ranges first.
        rounding: of weights, one of `vedette_convert.rounding.ROUNDINGS`.
        calibration: a folder or source URI; the run's own pictures when not given.
        pictures: use so many at most.
    """

    precision: Precision = field(default_factory=Precision)
    ranges: str = "minmax"
    equalize: bool = False
    rounding: str = ROUNDINGS[0]
    calibration: str | None = None
    pictures: int = MOST_PICTURES

    def __post_init__(self) -> None:
        check_rule(self.ranges)
        if self.rounding not in ROUNDINGS:
            raise unknown_name("rounding", self.rounding, ROUNDINGS)
        if self.pictures < 1:
            raise SettingsError(f"pictures is {self.pictures}; give 1 or more.")

    def __str__(self) -> str:
        """Name the plan in a few words."""
        parts = [self.precision.form]
        if self.precision.form == "int8":
            kept = len(self.precision.keep_float)
            parts += [f"{self.precision.io} in", self.ranges]
            parts += ["equalized"] * self.equalize + [self.rounding] * (self.rounding != ROUNDINGS[0])
            parts += [f"{kept} expression(s) kept float"] * bool(kept)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one plan came to.

    Attributes:
        pictures: how many were calibrated on; 0 where none were needed.
        saturated: layer -> share of its values outside its range.
        outputs, layers: agreement with the float network.
        invoke_ms: median time of one inference, one thread, on this machine.
        took_s: time that converting and comparing took.
    """

    plan: Plan
    network: bytes
    pictures: int
    saturated: dict[str, float]
    outputs: Sequence[Agreement]
    layers: Sequence[Agreement]
    judgement: Judgement
    invoke_ms: float
    took_s: float

    @property
    def faults(self) -> list[str]:
        """What speaks against it; nothing where it passes the gate."""
        failing = self.judgement.failing
        return strangers(self.outputs) + ([told(failing)] if failing else [])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole conversion.

    Attributes:
        float_network: what all forms are made from.
        preprocessing: grey levels between training's and the device's fitting, for each reference.
        tried: all attempts; the last one is what was written.
    """

    material: Material
    float_network: bytes
    float_ms: float
    preprocessing: Sequence[float]
    tried: Sequence[Attempt]
    fake_quantized: bool

    @property
    def chosen(self) -> Attempt:
        """The attempt that was written."""
        return self.tried[-1]


class _Workshop:
    """One source, tried by several plans."""

    def __init__(self, source: Path, contract: Path | None, plan: Plan, judged: bool) -> None:
        self._source, self._contract = source, contract
        self.material = self._gather(plan)
        self.preprocessing = compare_preprocessing(self.material)
        material = self.material
        self.network = float_network(
            material.source, material.pictures[0], material.input, modules=material.modules
        )
        self.fake_quantized = is_fake_quantized(self.network)
        if self.fake_quantized and (plan.ranges != "minmax" or plan.equalize):
            raise SettingsError(
                f"{source} was trained with its ranges (fake quantization); leave --ranges and --equalize."
            )
        self.figures = evaluate(material, self.network) if judged else {}
        self.float_ms = _invoke_ms(self.network)
        self._seen: dict[tuple[bool, str | None, int], tuple[bytes, dict[str, Seen]]] = {}
        self._rounded: dict[tuple[bool, str | None, int], bytes] = {}

    def _gather(self, plan: Plan) -> Material:
        return gather(
            self._source, contract=self._contract, calibration=plan.calibration, count=plan.pictures
        )

    def attempt(self, plan: Plan) -> Attempt:
        """Convert by `plan`, compare, and let the run's evaluation judge."""
        start = time.monotonic()
        material = self.material
        base, ranges = self.network, {}
        seen: dict[str, Seen] = {}
        if plan.precision.form == "int8" and not self.fake_quantized:
            base, seen = self._observe(plan)
            ranges = choose(seen, plan.ranges)
        network = quantize(self._round(base, plan), ranges, plan.precision)
        varied = material.pictures[FLAT_PICTURES:] or material.pictures
        outputs, layers = compare(base, network, varied[:COMPARED], material.input)
        limits = material.contract.get("evaluation", {}).get("limits")
        found = evaluate(material, network) if self.figures and not strangers(outputs) else self.figures
        return Attempt(
            plan,
            network,
            len(material.pictures) if seen else 0,
            saturated(seen, ranges),
            outputs,
            layers,
            judge(self.figures, found, limits if self.figures else None),
            _invoke_ms(network),
            time.monotonic() - start,
        )

    def _round(self, base: bytes, plan: Plan) -> bytes:
        if plan.precision.form != "int8" or plan.rounding == ROUNDINGS[0]:
            return base
        key = (plan.equalize, plan.calibration, plan.pictures)
        if key not in self._rounded:
            self._rounded[key] = round_weights(base, self.material.pictures, self.material.input)
        return self._rounded[key]

    def _observe(self, plan: Plan) -> tuple[bytes, dict[str, Seen]]:
        key = (plan.equalize, plan.calibration, plan.pictures)
        if key not in self._seen:
            pictures, given = self.material.pictures, self.material.input
            base = equalize(self.network, pictures, given)[0] if plan.equalize else self.network
            self._seen[key] = base, observe(base, pictures, given)
        return self._seen[key]

    def remedies(self, first: Attempt) -> Iterator[Plan]:
        """Yield plans that may mend `first`, the cheapest on the device first."""
        plan = first.plan
        if plan.precision.form != "int8":
            return
        if self.fake_quantized:
            yield replace(plan, rounding="gptq")
            return
        more = replace(plan, pictures=4 * plan.pictures)
        material = self._gather(more)
        if len(material.pictures) > len(self.material.pictures):
            self.material, plan = material, more
            yield plan
        plan = replace(plan, rounding="gptq")
        yield plan
        yield replace(plan, ranges="percentile:99.999")
        yield replace(plan, equalize=True)
        worst = [re.escape(name) for name, _ in falls(read_graph(self.network), first.layers)]
        for count in KEPT_FLOAT:
            kept = tuple(f"^{name}$" for name in worst[:count])
            yield replace(plan, precision=replace(plan.precision, keep_float=kept))


def _invoke_ms(network: bytes) -> float:
    times = []
    with LiteRTEngine(network, threads=1) as engine:
        for _ in range(TIMED_RUNS):
            start = time.perf_counter()
            engine.invoke()
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def convert(
    source: Path,
    out: Path,
    plan: Plan | None = None,
    *,
    contract: Path | None = None,
    fix: bool = False,
    judged: bool = True,
    say: Say = lambda _line: None,
) -> Outcome:
    """Convert `source` by `plan`, hold the result against the float network, and write it to `out` if it passes.

    Args:
        source: a run folder, a ``.keras`` file, a SavedModel folder or a float ``.tflite``.
        out: the packaged model; untouched unless all went well.
        plan: int8 by min-max when not given.
        contract: a ``contract.json`` for a source that is no run.
        fix: where the plan fails the gate, try the remedies in order.
        judged: let the run's own evaluation compare both forms, where it names one.
        say: told of each attempt.

    Raises:
        ModelError: the result fails the gate; the message names the remedies. Or the source cannot be converted.
        VedetteError: a file of the run is missing or damaged.
        SettingsError, MissingDependencyError, SinkError: see `vedette.errors`.
    """
    plan = plan or Plan()
    shop = _Workshop(source, contract, plan, judged)
    tried = [shop.attempt(plan)]
    say(_line(tried[-1], tried[0]))
    for remedy in shop.remedies(tried[0]) if fix and tried[0].faults else ():
        tried.append(shop.attempt(remedy))
        say(_line(tried[-1], tried[0]))
        if not tried[-1].faults:
            break
    if tried[-1].faults:
        raise _refusal(tried, shop, fix)
    outcome = Outcome(
        shop.material, shop.network, shop.float_ms, shop.preprocessing, tried, shop.fake_quantized
    )
    package(outcome.chosen.network, _with_metrics(outcome), shop.material.golden, out)
    return outcome


def _with_metrics(outcome: Outcome) -> dict[str, object]:
    metrics = outcome.chosen.judgement.metrics
    contract = {
        k: v for k, v in outcome.material.contract.items() if k not in ("evaluation", "keras_modules")
    }
    if not metrics:
        return contract
    form = outcome.chosen.plan.precision.form
    told_of = {"float": {m.name: m.wanted for m in metrics}, form: {m.name: m.found for m in metrics}}
    return {**contract, "metrics": told_of}


def _line(attempt: Attempt, first: Attempt) -> str:
    """Return what an attempt came to, and what it costs against the first."""
    verdict = "; ".join(attempt.faults) or "passes"
    cost = len(attempt.network) - len(first.network), attempt.invoke_ms - first.invoke_ms
    more = "" if attempt is first else f" ({cost[0]:+,} bytes, {cost[1]:+.2f} ms)"
    return f"{attempt.plan}: {len(attempt.network):,} bytes, {attempt.invoke_ms:.2f} ms{more}: {verdict}"


def _refusal(tried: Sequence[Attempt], shop: _Workshop, fix: bool) -> ModelError:
    faults = "; ".join(tried[0].faults)
    worst = sorted(tried[0].layers, key=lambda a: a.snr_db)[:1]
    where = f" Worst layer: {worst[0].output}, {worst[0].snr_db:.1f} dB." if worst else ""
    names = ", ".join(n for n, _ in falls(read_graph(shop.network), tried[0].layers)[:WORST])
    if fix:
        return ModelError(
            f"the converted network falls short: {faults}.{where} No remedy was enough ({len(tried) - 1} tried): train "
            "with fake quantization (docs/convert.md), or allow more loss in the contract's evaluation."
        )
    return ModelError(
        f"the converted network falls short: {faults}.{where} In this order: calibrate on more pictures "
        "(--calibration, --pictures), --rounding gptq, --ranges percentile:99.999, --equalize, --keep-float for the "
        f"layers that lose most ({names}), train with fake quantization. --fix tries all but the last."
    )
