"""Tables of an HLS report, in the form that users of HLS tools know."""

from accelsim.c_synthesis import Synthesis
from accelsim.hardware.clock import sentence
from accelsim.hls.reports import Report, ReportLine
from accelsim.ops import ConvTranspose2d
from accelsim.phrases import counted, of_batch
from accelsim.report.table import Table, count, fit, percent, region_note

TREE = "modules & loops"
# As HLS tools mark them: o loops, + modules.
MARKS = {"loop": "o", "task": "+", "stage": "+"}
COLUMNS = (
    TREE,
    "latency (cycles)",
    "latency (ns)",
    "iteration latency",
    "interval",
    "trip count",
    "start",
    "pragmas",
    "ports",
)
WORDS = (TREE, "pragmas", "ports")
# Left out one after another where the terminal is too narrow.
SPARED = ("start", "ports", "latency (ns)", "iteration latency", "pragmas")
RESOURCE_COLUMNS = ("resource", "multipliers", "register bits", "memory bits")


def title(synthesis: Synthesis) -> str:
    """What the tables are about."""
    network = f"{synthesis.network} {synthesis.variant}{of_batch(synthesis.batch)}"
    layer = f"{network}, layer {synthesis.layer} ({synthesis.op})"
    dataflow = f", dataflow {synthesis.dataflow}" if synthesis.dataflow else ""
    return f"{layer} on engine {synthesis.engine} of {synthesis.hardware.label}{dataflow}"


def nest(made: Report, width: int) -> Table:
    """The tree of modules and loops with their latencies, within `width` characters."""
    rows = [_row(made, row) for row in made.rows]
    columns, kept = fit(COLUMNS, rows, SPARED, width)
    return Table(columns, kept, WORDS)


def _row(made: Report, row: ReportLine) -> tuple[str, ...]:
    return (
        f"{'  ' * row.depth}{MARKS[row.kind]} {row.name}",
        f"{row.latency_cycles:,}",
        f"{made.nanoseconds(row.latency_cycles):,.0f}",
        count(row.iteration_latency_cycles),
        count(row.interval_cycles),
        count(row.trip_count),
        count(row.start_cycles),
        ", ".join(row.pragmas),
        ", ".join(row.ports),
    )


def resources(made: Report) -> Table:
    """Multipliers, flip-flops and memory, part by part."""
    rows = [
        (part.name, *map(_some, (part.multipliers, part.register_bits, part.memory_bits)))
        for part in made.resources
    ]
    total = (
        "total",
        f"{made.multipliers:,}",
        f"{sum(part.register_bits for part in made.resources):,}",
        f"{sum(part.memory_bits for part in made.resources):,}",
    )
    return Table(RESOURCE_COLUMNS, rows, ("resource",), summary=[total])


def notes(synthesis: Synthesis) -> list[str]:
    """Sentences below the tables."""
    made = synthesis.report
    microseconds = made.nanoseconds(made.latency_cycles) / 1e3
    busy, useful = percent(made.busy_utilization, 1), percent(synthesis.utilization, 1)
    multipliers = counted(made.multipliers, "multiplier is", "multipliers are")
    work = (
        f"{multipliers} {busy} busy with {counted(made.multiplies, 'multiply', 'multiplies')}, "
        f"{useful} with the layer's {counted(synthesis.live_macs, 'product')} of a weight and a "
        "value of the map."
    )
    time = (
        f"{counted(made.latency_cycles, 'cycle')}, "
        f"{microseconds:,.3f} us at {made.clock_mhz:g} MHz; "
        f"multipliers and ports allow {synthesis.bound_cycles:,} for the products."
    )
    skipped = (
        f"Of {counted(synthesis.macs, 'MAC')} with padding, {synthesis.skipped_macs:,} are "
        "skipped, as their taps lie outside the map."
        if synthesis.op != ConvTranspose2d.name
        else f"Beside {counted(synthesis.macs, 'MAC')}, {synthesis.skipped_macs:,} are skipped: "
        "products with inserted zeros, or with padding."
    )
    return [
        time,
        sentence(synthesis.hardware.clock),
        work,
        *region_note(synthesis.way, synthesis.cycles_min, synthesis.cycles_max),
        *([skipped] if synthesis.skipped_macs else []),
        "Registers of the sequencer, of the edge and of addresses are not counted."
        if not synthesis.hardware.third_party
        else "Of third-party engines only the multipliers are known.",
    ]


def _some(number: int) -> str:
    return f"{number:,}" if number else "-"
