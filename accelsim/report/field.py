"""The study of the field: what every operator costs, as a table, and what follows from it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from accelsim.ops.papers.base import DYNAMIC, FOLDABLE, INFERENCE, Reported
from accelsim.report.table import Table, fit, percent
from accelsim.study.operators import OperatorCost

COLUMNS = (
    *("variant", "class", "layers", "cycles", "x baseline", "with memory", "MACs", "params"),
    *("weight bytes", "map bytes", "utilisation", "top-1"),
)
WORDS = ("variant", "class")
SPARED = ("with memory", "map bytes", "params", "layers", "class", "weight bytes", "utilisation")
HEAD = (
    "Layers are those in whose place the operator stands; x baseline compares cycles. Bytes are of "
    "all kernels and of all maps, a byte a value."
)
CITED = (
    "Top-1 is what authors report, in percent, and in brackets its distance from their own "
    "baseline; it is of their training, not computed here. Sources:"
)
SAME = 0.005  # a change that is less than half a percent is none


def table(entries: Sequence[OperatorCost], width: int) -> Table:
    """A line for every variant that applies, the baseline first, within `width` characters."""
    known = [entry for entry in entries if entry.cycles is not None]
    spared: Sequence[str] = SPARED
    columns = [*COLUMNS]
    rows = [[*_row(entry, known[0])] for entry in known]
    for name in ("with memory", "top-1"):
        at = columns.index(name)
        if all(row[at] in ("", "-") for row in rows):
            columns.pop(at)
            rows = [[*row[:at], *row[at + 1 :]] for row in rows]
            spared = tuple(each for each in spared if each != name)
    columns, rows = fit(columns, rows, spared, width)
    return Table(columns, rows, WORDS)


def _row(entry: OperatorCost, plain: OperatorCost) -> tuple[str, ...]:
    assert entry.cycles is not None
    assert plain.cycles is not None
    top1 = "" if entry.reported is None else _points(entry.reported)
    return (
        entry.variant,
        entry.cost_class or "",
        "" if entry is plain else f"{entry.replaced:,}",
        f"{entry.cycles:,}",
        f"{entry.cycles / plain.cycles:.3f}",
        "" if entry.memory_cycles is None else f"{entry.memory_cycles:,}",
        f"{entry.macs:,}",
        f"{entry.params:,}",
        f"{entry.weight_bytes:,}",
        f"{entry.map_bytes:,}",
        percent(entry.utilization or 0, 1),
        top1,
    )


def _points(reported: Reported) -> str:
    gain = "" if reported.gain is None else f"({reported.gain:+.2f})"
    return " ".join(filter(None, ("" if reported.top1 is None else f"{reported.top1:.2f}", gain)))


def title(entries: Sequence[OperatorCost], design: str, form: str = INFERENCE) -> str:
    """What was studied."""
    trained = "" if form == INFERENCE else f", form {form}"
    return f"{entries[0].network} with every operator of the papers, {design}{trained}"


def notes(entries: Sequence[OperatorCost]) -> list[str]:
    """Sentences below the table: what an architect should conclude of every operator; sources."""
    plain = entries[0]
    lines = [
        HEAD,
        "",
        *(f"{entry.variant}: {conclusion(entry, plain)}" for entry in entries[1:] if entry.cycles),
    ]
    refused = [entry for entry in entries if entry.cycles is None]
    if refused:
        lines += ["", "Not in the table:"]
        lines += [f"{entry.variant}: {entry.why_not}." for entry in refused]
    cited: dict[tuple[str, str], dict[str, None]] = {}
    for entry in entries:
        if entry.reported is not None:
            said = entry.reported.dataset, entry.reported.source
            cited.setdefault(said, {})[str(entry.operator)] = None
    if cited:
        sources = (
            f"{source} on {dataset} ({', '.join(names)})"
            for (dataset, source), names in cited.items()
        )
        lines += ["", f"{CITED} {'; '.join(sources)}."]
    return lines


def conclusion(entry: OperatorCost, plain: OperatorCost) -> str:
    """What follows for an architect, in one sentence."""
    cycles, macs, weights = (
        _ratio(getattr(entry, name), getattr(plain, name))
        for name in ("cycles", "macs", "weight_bytes")
    )
    said = f"{_change(cycles, 'cycles')}, {_change(macs, 'MACs')}, {_change(weights, 'weights')}"
    verdict = _verdict(entry, plain, cycles, macs)
    if entry.reported is not None and entry.reported.gain is not None:
        verdict += f"; its authors report {entry.reported.gain:+.2f} points of top-1"
    return f"{said}; {verdict}."


def _verdict(entry: OperatorCost, plain: OperatorCost, cycles: float, macs: float) -> str:
    beside = (entry.beside_cycles or 0) / (entry.cycles or 1)
    if entry.cost_class == DYNAMIC and beside >= SAME:
        return (
            f"{_percent(beside)} of its cycles make gates and kernels of every image, before the "
            "layers that take them can begin"
        )
    if abs(cycles - 1) < SAME:
        what = "once it is folded" if entry.cost_class == FOLDABLE else "on this design"
        return f"it costs nothing {what}"
    if cycles < 1 and macs < 1:
        kept = (1 - cycles) / (1 - macs)
        if kept >= 1 - SAME:
            return "every multiply that it saves, and more, is saved in clocks"
        before, after = plain.utilization or 0.0, entry.utilization or 0.0
        return (
            f"{_percent(kept)} of what it saves in MACs is saved in clocks, as utilisation goes "
            f"from {_percent(before)} to {_percent(after)}"
        )
    if cycles < 1:
        return "its layers suit the engines better, though it saves no multiplies"
    if macs < 1:
        return "it saves multiplies and takes more clocks: this design runs its layers worse"
    return "what it gains has to be worth it"


def _ratio(number: int | None, base: int | None) -> float:
    return (number or 0) / (base or 1)


def _change(ratio: float, what: str) -> str:
    if abs(ratio - 1) < SAME:
        return f"the same {what}"
    if ratio >= 2:
        return f"{ratio:.1f} x the {what}"
    return f"{_percent(abs(ratio - 1))} {'more' if ratio > 1 else 'fewer'} {what}"


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.0095 else 1}f} %"


def records(entries: Sequence[OperatorCost]) -> list[dict[str, Any]]:
    """Entries by their fields, those of an accuracy behind reported_."""
    names = ("dataset", "top1", "gain", "source")
    rows = []
    for entry in entries:
        row = asdict(entry)
        del row["reported"]
        rows.append(
            row | {f"reported_{name}": getattr(entry.reported, name, None) for name in names}
        )
    return rows
