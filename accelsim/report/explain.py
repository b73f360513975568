"""Why layers take their cycles, in tables and sentences."""

from accelsim.explanations import (
    IDLE,
    PADDING,
    PRODUCTS,
    SURPLUS,
    Explanation,
    Reason,
)
from accelsim.hls.account import Kind
from accelsim.phrases import counted, of_batch, significant
from accelsim.report import energy
from accelsim.report.table import Table, fit, percent, region_note

# What parts are for, in a few words and in more; names of loops, ports and stages fill the rest.
BRIEF: dict[str, str] = {
    PRODUCTS: "multipliers are busy",
    PADDING: "taps outside the map",
    SURPLUS: "surplus products",
    IDLE: "few {name}s filled",
    Kind.LOOP: "{name}",
    Kind.PORT: "waits for port {name}",
    Kind.STAGE: "waits for {name}",
    Kind.DRAIN: "fills and drains",
}
FULL: dict[str, str] = {
    PRODUCTS: "products with values of the map",
    PADDING: "products with taps outside the map",
    SURPLUS: "surplus products: zeros of blocks, thrown away",
    IDLE: "{name}s left idle while others multiply",
    Kind.LOOP: "no multiply: {name}",
    Kind.PORT: "waiting for port {name}, held by a pass before",
    Kind.STAGE: "waiting for {name} of the same pass",
    Kind.DRAIN: "filling and draining the engine",
}
# The same where a name says more than that something is waited for.
BRIEF_OF: dict[tuple[str, str], str] = {
    (Kind.PORT, "result"): "short K: results bound",
    (Kind.STAGE, "load"): "short streams: stationary load",
}

PART_COLUMNS = ("where multiplier clocks go", "multiplier clocks", "share")
WAY_COLUMNS = ("engine", "dataflow", "cycles", "times the chosen")
ENERGY_COLUMNS = ("access", "times", "pJ each", energy.COLUMN, "share")
PASS_COLUMNS = ("passes", "of", "clocks of its stages", "filled")
SPARED = ("filled", "clocks of its stages")  # left out where the terminal is too narrow
MOST_PASSES = 6  # kinds that are shown


def why(reason: Reason) -> str:
    """A reason in a few words."""
    part, filled = reason
    words = BRIEF_OF.get((part.kind, part.name)) or BRIEF[part.kind].format(name=part.name)
    if filled is None:
        return words
    one = f"one {filled.side} filled"
    if part.kind != IDLE:
        return f"{words}, {one}"
    return one if filled.used == 1 else f"{words} ({filled.used} of {filled.size})"


def title(made: Explanation) -> str:
    """What the tables are about."""
    dataflow = f", dataflow {made.dataflow}" if made.dataflow else ""
    return (
        f"{made.network} {made.variant}{of_batch(made.batch)}, layer {made.layer} ({made.op}) on "
        f"engine {made.engine} "
        f"of {made.hardware.label}{dataflow}: {counted(made.cycles, 'cycle')}, {why(made.reason)}"
    )


def parts(made: Explanation) -> Table:
    """Where the clocks of all multipliers go; the last row is what they add up to."""
    whole = made.multiplier_clocks
    rows = [
        (
            FULL[part.kind].format(name=part.name),
            f"{part.multiplier_clocks:,}",
            percent(part.multiplier_clocks, whole),
        )
        for part in made.parts
    ]
    sizes = f"{made.multipliers:,} multipliers x {counted(made.cycles, 'cycle')}"
    total = (sizes, f"{whole:,}", percent(whole, whole))
    return Table(PART_COLUMNS, rows, PART_COLUMNS[:1], summary=[total])


def ways(made: Explanation) -> Table:
    """The layer in every dataflow that is allowed."""
    rows = [
        (
            way.engine,
            way.dataflow or "-",
            "impossible" if way.cycles is None else f"{way.cycles:,}",
            "-" if way.cycles is None else f"{way.cycles / made.cycles:.2f}",
        )
        for way in made.ways
    ]
    return Table(WAY_COLUMNS, rows, WAY_COLUMNS[:2])


def energies(made: Explanation) -> Table:
    """What the layer spends, kind by kind of access, the most first; no rows without energy."""
    accesses, spent = made.accesses or {}, made.energy or {}
    whole = sum(spent.values())
    kinds = sorted((kind for kind in spent if accesses[kind]), key=lambda kind: -spent[kind])
    rows = [
        (
            kind,
            f"{accesses[kind]:,}",
            significant(spent[kind] / accesses[kind]),
            energy.microjoules(spent[kind]),
            percent(spent[kind], whole),
        )
        for kind in kinds
    ]
    total = ("total", "", "", energy.microjoules(whole), percent(whole, whole))
    return Table(ENERGY_COLUMNS, rows, ENERGY_COLUMNS[:1], summary=[total])


def passes(made: Explanation, width: int) -> Table:
    """The passes that the layer is cut into, the most frequent first, within `width` characters."""
    rows = [
        (
            f"{each.trips:,}",
            each.name,
            ", ".join(f"{name} {clocks:,}" for name, clocks in each.stages.items()),
            " x ".join(f"{side.used} of {counted(side.size, side.side)}" for side in each.filled),
        )
        for each in made.passes[:MOST_PASSES]
    ]
    columns, kept = fit(PASS_COLUMNS, rows, SPARED, width)
    return Table(columns, kept, PASS_COLUMNS[1:])


def notes(made: Explanation, worst: bool) -> list[str]:
    """Sentences below the tables; `worst` is whether no layer was asked for."""
    sentences = []
    if worst:
        sentences.append(
            f"{made.layer} loses the most cycles of all layers; run --why --sort lost ranks them."
        )
    sentences.append(
        f"Multipliers and ports of the engine allow {counted(made.bound_cycles, 'cycle')}; the "
        f"layer has {made.macs:,} dense multiply-accumulates."
    )
    sentences += region_note(made.way, made.cycles_min, made.cycles_max)
    if (whole := made.with_zeros) is not None:
        takes = f", {counted(whole.cycles, 'cycle')}" if whole.cycles else ""
        sentences.append(
            "As one convolution of the map with zeros inserted it would have "
            f"{counted(whole.macs, 'multiply-accumulate')}{takes}."
        )
    if left := sum(each.trips for each in made.passes[MOST_PASSES:]):
        sentences.append(f"{counted(left, 'more pass', 'more passes')} of other sizes.")
    sentences += [
        f"{way.dataflow or way.engine} cannot run it: {way.refusal}."
        for way in made.ways
        if way.refusal
    ]
    memory = made.hardware.memory
    if memory is None or made.memory_cycles is None:
        sentences.append("Memory off chip is left out.")
    else:
        waits = "waits for memory" if made.memory_cycles > made.cycles else "does not wait for it"
        clocks = counted(made.memory_cycles, "cycle")
        sentences.append(f"With {memory.label} it takes {clocks}, and {waits}.")
    spent = energy.Spent(made.hardware, made.energy or {})
    return [*sentences, *energy.notes(made.energy_table, [spent])]
