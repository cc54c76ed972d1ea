"""What a conversion came to, as Markdown and as one HTML file that opens offline."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedette_convert.compare import Agreement, falls
from vedette_convert.edgetpu import Placement, predict
from vedette_convert.graph import Graph, read_graph
from vedette_convert.half import halve_weights
from vedette_convert.package import replace_file
from vedette_convert.run import Attempt, Outcome

__all__ = ["write_report"]

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}
th{background:#f3f3f3}svg{max-width:100%}"""
PLOT_WH = (900, 260)
PLOT_TOP_DB = 60.0


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, a table (first row: its head) and a plot as SVG; any may be empty."""

    title: str
    text: str = ""
    rows: Sequence[Sequence[str]] = ()
    plot: str = ""


def write_report(outcome: Outcome, folder: Path) -> None:
    """Write ``report.md`` and ``report.html`` into `folder`, which is made.

    Raises:
        SinkError: they cannot be written.
    """
    sections = list(_sections(outcome))
    for name, text in (("report.md", _markdown(sections)), ("report.html", _html(sections))):
        with replace_file(folder / name) as part:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")


def _sections(outcome: Outcome) -> Iterator[Section]:
    graph, wanted = read_graph(outcome.chosen.network), read_graph(outcome.float_network)
    yield _head(outcome)
    yield Section("Forms", "Time: median, one thread, on the machine that converted.", _forms(outcome))
    yield _tensors(outcome, wanted)
    yield _metrics(outcome)
    yield _graph(graph)
    yield _edgetpu(graph, predict(graph))


def _head(outcome: Outcome) -> Section:
    done, material = outcome.chosen, outcome.material
    lines = [f"Made from `{material.source.name}` as: {done.plan}."]
    if outcome.fake_quantized:
        lines.append("The model was trained with fake quantization: its own ranges are used, no pictures.")
    if done.pictures:
        lines.append(f"Calibrated on {done.pictures} pictures: {material.origin}.")
        over = [f"{name} {share:.2%}" for name, share in done.saturated.items()]
        lines.append(f"Layers that saturate (share of values cut off): {', '.join(over) or 'none'}.")
    if outcome.preprocessing:
        worst = max(outcome.preprocessing)
        lines.append(
            f"Preprocessing: training's and the device's fitting of {len(outcome.preprocessing)} pictures differ by at "
            f"most {worst:.3f} grey levels on average."
        )
    else:
        lines.append("Preprocessing was not compared: the run has no preprocessing.npz.")
    return Section(f"Conversion of {material.contract['name']}", "\n".join(lines))


def _forms(outcome: Outcome) -> list[Sequence[str]]:
    half = halve_weights(outcome.float_network)
    rows: list[Sequence[str]] = [("form", "bytes", "ms", "verdict")]
    rows += [
        ("float32", f"{len(outcome.float_network):,}", f"{outcome.float_ms:.2f}", "the reference"),
        ("float16", f"{len(half):,}", "", "size only, where it is not the form asked for"),
    ]
    return rows + [_attempt_row(attempt) for attempt in outcome.tried]


def _attempt_row(attempt: Attempt) -> Sequence[str]:
    verdict = "; ".join(attempt.faults) or "passes"
    return (str(attempt.plan), f"{len(attempt.network):,}", f"{attempt.invoke_ms:.2f}", verdict)


def _tensors(outcome: Outcome, wanted: Graph) -> Section:
    done = outcome.chosen
    rows: list[Sequence[str]] = [("tensor", "SNR dB", "cosine", "lost in this layer dB")]
    lost = dict(falls(wanted, done.layers))
    rows += [(f"output {a.output}", f"{a.snr_db:.1f}", f"{a.cosine:.5f}", "") for a in done.outputs]
    rows += [
        (a.output, f"{a.snr_db:.1f}", f"{a.cosine:.5f}", f"{lost[a.output]:.1f}" if a.output in lost else "")
        for a in done.layers
    ]
    worst = min(done.layers, key=lambda a: a.snr_db, default=None)
    text = f"Worst layer: {worst.output}, {worst.snr_db:.1f} dB." if worst else ""
    return Section("Tensors, on identical input", text, rows, _plot(done.layers))


def _plot(layers: Sequence[Agreement]) -> str:
    """Return bars of SNR in the order of the graph."""
    width, height = PLOT_WH
    step = (width - 40) / max(1, len(layers))
    bars = []
    for k, layer in enumerate(layers):
        tall = max(0.0, min(layer.snr_db, PLOT_TOP_DB)) / PLOT_TOP_DB * (height - 30)
        name = html.escape(f"{layer.output}: {layer.snr_db:.1f} dB")
        place = f'x="{36 + k * step:.1f}" y="{height - 10 - tall:.1f}" width="{step * 0.8:.1f}" height="{tall:.1f}"'
        bars.append(f'<rect {place} fill="#47a"><title>{name}</title></rect>')
    lines = []
    for db in range(0, int(PLOT_TOP_DB) + 1, 20):
        y = height - 10 - db / PLOT_TOP_DB * (height - 30)
        lines.append(
            f'<line x1="32" x2="{width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/><text x="0" y="{y + 4:.1f}" '
            f'font-size="11">{db} dB</text>'
        )
    body = "".join(lines + bars)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="SNR of each layer">{body}</svg>'


def _metrics(outcome: Outcome) -> Section:
    metrics = outcome.chosen.judgement.metrics
    if not metrics:
        return Section("The task's figures", "Not compared: the run names no evaluation, or it was left out.")
    rows: list[Sequence[str]] = [("figure", "float", outcome.chosen.plan.precision.form, "loss", "allowed")]
    rows += [
        (m.name, f"{m.wanted:.4f}", f"{m.found:.4f}", f"{m.wanted - m.found:+.4f}", _limit(m.limit))
        for m in metrics
    ]
    return Section("The task's figures", "Both forms through the SDK, on the same pictures.", rows)


def _limit(limit: float | None) -> str:
    return "not judged" if limit is None else f"{limit:g}"


def _graph(graph: Graph) -> Section:
    counts, macs = Counter(op.kind for op in graph.ops), Counter[str]()
    for op in graph.ops:
        macs[op.kind] += op.macs
    versions = {op.kind: op.version for op in graph.ops}
    rows: list[Sequence[str]] = [("operator", "version", "count", "million MACs")]
    rows += [(k, str(versions[k]), str(n), f"{macs[k] / 1e6:.2f}") for k, n in counts.most_common()]
    text = (
        f"{graph.macs / 1e6:.1f} million multiply-accumulates; {graph.weight_bytes:,} bytes of constants; at least "
        f"{graph.arena_bytes:,} bytes of activations at once."
    )
    return Section("Network", text, rows)


def _edgetpu(graph: Graph, placed: Placement) -> Section:
    lines = [
        f"{len(placed.mapped)} of {len(graph.ops)} operators would run on the TPU: a prediction from known rules, not "
        "compiled and not run."
    ]
    lines += [f"The compiler would refuse the model: {why}." for why in placed.fatal]
    rows: list[Sequence[str]] = [("operator on the CPU", "output", "why")]
    rows += [
        (graph.ops[k].kind, graph.tensors[graph.ops[k].outputs[0]].name, why)
        for k, why in sorted(placed.why_not.items())
    ]
    return Section("Edge TPU", "\n".join(lines), rows if len(rows) > 1 else ())


def _markdown(sections: Sequence[Section]) -> str:
    parts = []
    for k, section in enumerate(sections):
        parts += [f"{'##' if k else '#'} {section.title}", section.text]
        if section.rows:
            head, *body = [[cell.replace("|", "\\|") for cell in row] for row in section.rows]
            table = [head, ["---"] * len(head), *body]
            parts.append("\n".join(f"| {' | '.join(row)} |" for row in table))
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(sections: Sequence[Section]) -> str:
    parts = []
    for k, section in enumerate(sections):
        level = "h2" if k else "h1"
        parts.append(f"<{level}>{html.escape(section.title)}</{level}>")
        parts += [f"<p>{html.escape(line)}</p>" for line in section.text.splitlines()]
        parts.append(section.plot)
        for n, row in enumerate(section.rows):
            cells = "".join(f"<{'td' if n else 'th'}>{html.escape(c)}</{'td' if n else 'th'}>" for c in row)
            parts.append(f"{'' if n else '<table>'}<tr>{cells}</tr>")
        parts.append("</table>" if section.rows else "")
    title = html.escape(sections[0].title)
    head = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    )
    return head + "\n".join(part for part in parts if part) + "</html>\n"
