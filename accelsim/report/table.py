"""Tables for people: what every layer costs, and what the total leaves out."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from accelsim.hardware import DepthwiseEngine
from accelsim.hardware.clock import sentence
from accelsim.ops import ConvTranspose2d
from accelsim.ops.region_conv import BUCKET
from accelsim.phrases import counted, milliseconds, of_batch
from accelsim.report import energy
from accelsim.request import CYCLE, SCHEDULE
from accelsim.result import MEMORY, LayerResult, Result, Totals
from accelsim.reuse import SENTENCE
from accelsim.study.ways import DepthwiseWays

if TYPE_CHECKING:
    from accelsim.cosimulation import Comparison
    from accelsim.numerics.certificates import Certificate
    from accelsim.saved import AnyResult

LAYER_COLUMNS = (
    *("layer", "op", "engine", "dataflow", "shape", "cycles"),
    *("any data", "bound", "share", "utilisation"),
)
RANGE = "any data"  # a column of networks whose cycles depend on data
MEMORY_COLUMNS = ("memory bytes", "with memory")  # of designs that have one
SKIPPED = "skipped"  # a column of designs that skip any MACs
ENERGY_COLUMNS = (energy.COLUMN, "most of it")  # where it is asked for
COLUMNS = (
    *(*LAYER_COLUMNS, *MEMORY_COLUMNS, "bound by", *ENERGY_COLUMNS, "MACs", SKIPPED, "params"),
)
WHY = "why"  # a column where it is asked for
WORDS = ("layer", "op", "engine", "dataflow", "shape", "bound by", ENERGY_COLUMNS[1], WHY)
# Left out one after another where the terminal is too narrow; numbers are never cut.
SPARED = (
    *("bound", "params", "engine", "shape", "MACs", SKIPPED, "memory bytes", "share", "op"),
    *("bound by", ENERGY_COLUMNS[1]),
)

# What a reader of a published model's cycles should know.
USE = (
    "Utilisation is the share of multiplier clocks that multiply a value of the map by a weight; "
    "bounds count these products too, MACs those with padding as well."
)
INSERTED = (
    "Skipped are products with padding, and with the zeros that transposed convolutions insert, on "
    "which an engine spends no multiplier; those with inserted zeros are not among the MACs."
)
_FUSECONV = "it has no drain of results, no result port and no overlap"
_SCALESIM = (
    "SCALE-Sim rounds unpadded maps up, reports a layer's last cycle counted from 0, one too few, "
    "and drains no results in os; all are kept here. Its topologies write a depthwise layer as one "
    "filter over all channels; --scalesim-depthwise per-channel counts every channel by itself."
)
MODEL_NOTES = (
    ("fuseconv-2020", f"fuseconv-2020 is the model behind the paper's figures; {_FUSECONV}."),
    ("fuseconv-2021", f"fuseconv-2021 is the model that its authors released; {_FUSECONV}."),
    ("scalesim", _SCALESIM),
)


BETWEEN = 3  # characters between two columns
DIGITS = 16  # of a hash that are shown
LONGEST_NAME = 43  # of a layer; longer ones are cut


class Table(NamedTuple):
    """A table of text.

    words : the columns that hold words, on the left; all others hold numbers, on the right.
    summary : rows below all others, behind a line left empty.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Collection[str]
    summary: Sequence[Sequence[str]] = ()


def line_width(widths: Sequence[int]) -> int:
    """Characters of a line of columns of these widths."""
    return sum(widths) + max(0, len(widths) - 1) * BETWEEN


def fit(
    columns: Sequence[str], rows: Sequence[Sequence[str]], spared: Iterable[str], width: int
) -> tuple[list[str], list[list[str]]]:
    """Columns and rows within `width` characters, without as many spared columns as it takes."""
    chosen = list(range(len(columns)))
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for name in spared:
        if line_width([widths[index] for index in chosen]) <= width:
            break
        chosen.remove(columns.index(name))
    return [columns[index] for index in chosen], [[row[index] for index in chosen] for row in rows]


def fits(table: Table, width: int) -> bool:
    """Whether a table fits within `width` characters."""
    lines = (table.columns, *table.rows, *table.summary)
    return line_width([max(map(len, cells)) for cells in zip(*lines, strict=True)]) <= width


def without(
    columns: Sequence[str], rows: Sequence[Sequence[str]], names: Collection[str]
) -> tuple[list[str], list[list[str]]]:
    """Columns and rows without the columns of these names."""
    chosen = [place for place, name in enumerate(columns) if name not in names]
    return [columns[place] for place in chosen], [[row[place] for place in chosen] for row in rows]


def layers(
    result: Result,
    width: int,
    shown: Sequence[LayerResult] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Table:
    """Cycles of layers that an engine runs, and the totals of all, within `width` characters.

    Parameters
    ----------
    shown : which of them, in this order; None for all.
    reasons : why layers take their cycles, by name; None for no such column.
    """
    if shown is None:
        shown = [layer for layer in result.layers if not layer.not_modelled]
    why = reasons or {}
    rows = [(*_row(result, layer), why.get(layer.name, "")) for layer in shown]
    left_out = {
        *(MEMORY_COLUMNS if result.total_memory_cycles is None else ()),
        *(() if result.total_skipped_macs else (SKIPPED,)),
        *(() if result.total_cycles_min < result.total_cycles_max else (RANGE,)),
        *((WHY,) if reasons is None else ()),
        *(ENERGY_COLUMNS if result.energy_table is None else ()),
    }
    columns, kept = without((*COLUMNS, WHY), [*rows, (*_totals(result), "")], left_out)
    columns, kept = fit(columns, kept, [name for name in SPARED if name not in left_out], width)
    return Table(columns, kept[:-1], WORDS, summary=kept[-1:])


def title(result: Result) -> str:
    """What the table is about."""
    return (
        f"{result.network} {result.variant}{of_batch(result.batch)}, {result.hardware.label}, "
        f"timing {result.timing}, fidelity {result.fidelity}"
    )


def _row(result: Result, layer: LayerResult) -> tuple[str, ...]:
    network = result.graph
    shapes = " + ".join(show(shape) for shape in network.in_shapes(network.layer(layer.name)))
    return (
        brief(layer.name),
        layer.op,
        layer.engine,
        layer.dataflow or "-",
        f"{shapes} > {show(network.shape(layer.name))}",
        f"{layer.cycles:,}",
        span(layer.cycles_min, layer.cycles_max),
        count(layer.bound_cycles),
        percent(layer.cycles, result.total_cycles),
        share(layer.utilization),
        count(layer.offchip_bytes),
        count(layer.memory_cycles),
        layer.bound_by or "-",
        energy.microjoules(layer.energy_pj),
        energy.most(layer.energy),
        f"{layer.macs:,}",
        count(layer.skipped_macs),
        f"{layer.params:,}",
    )


def _totals(result: Result) -> tuple[str, ...]:
    bounds = [layer.bound_cycles or 0 for layer in result.layers]
    return (
        *("total", "", "", "", ""),
        f"{result.total_cycles:,}",
        span(result.total_cycles_min, result.total_cycles_max),
        f"{sum(bounds):,}" if any(bounds) else "-",
        percent(result.total_cycles, result.total_cycles),
        share(result.utilization),
        count(result.total_offchip_bytes),
        count(result.total_memory_cycles),
        "",
        energy.microjoules(result.total_energy_pj),
        energy.most(result.total_energy),
        f"{result.total_macs:,}",
        f"{result.total_skipped_macs:,}",
        f"{result.total_params:,}",
    )


def notes(
    result: Result,
    depthwise: DepthwiseWays | None,
    baseline: Result | None = None,
) -> list[str]:
    """Sentences below the table: time, comparisons, and what the cycles leave out.

    Parameters
    ----------
    depthwise : the depthwise layers of the result as they ran, and in every way.
    baseline : the same layers of the network without its variant, to compare with.
    """
    clock = sentence(result.hardware.clock)
    sentences = [time(result), *per_image(result), clock]
    sentences += [*_memory_notes(result), *value_notes(result)]
    sentences += region_notes(result.layers, of_data=result.fidelity != SCHEDULE)
    if baseline is not None and result.total_cycles:
        sentences.append(_against(result, baseline))
    sentences += _depthwise_note(depthwise)
    engine = result.hardware.depthwise
    wide = engine is None or not engine.fill_port
    if engine:
        sentences.append(f"The depthwise engine has {ports(engine)}.")
    sentences += use_notes(result)
    filled = [layer.read_bytes for layer in result.layers if layer.read_bytes is not None]
    if filled:
        sentences.append(
            f"Operand banks are filled with {counted(sum(filled), 'byte')}, "
            "copies by im2col included; "
            f"filling is {'not on the clock' if wide else 'on the clock of that engine only'}."
        )
    sentences += _host_notes(result)
    sentences += energy.notes(
        result.energy_table, [energy.Spent(result.hardware, result.total_energy or {})]
    )
    sentences += [about for timing, about in MODEL_NOTES if timing == result.timing]
    return sentences


def _host_notes(result: Result) -> list[str]:
    """What the cycles leave out, and layers that are no work."""
    sentences = []
    hosted = Counter(layer.op for layer in result.layers if layer.not_modelled)
    graph = result.graph
    addressed = {x.op.name for x in graph.layers if x.op.alias(*graph.in_shapes(x)) is not None}
    aliases = Counter({op: hosted.pop(op) for op in sorted(addressed) if op in hosted})
    hosted.update(graph.layer(layer.name).activation for layer in result.layers)
    del hosted["none"]
    if hosted:
        sentences.append(f"Not modelled, on the host at 0 cycles: {listed(hosted)}.")
    if aliases:
        sentences.append(f"Address aliases, no work: {listed(aliases)}.")
    return sentences


def region_notes(layers: Iterable[LayerResult], of_data: bool = False) -> list[str]:
    """How kernels that differ from region to region are computed, and of what data cycles are.

    of_data : whether they are of data that went in.
    """
    ways = Counter(layer.way for layer in layers if layer.way is not None)
    if not ways:
        return []
    sentence = f"Layers with a kernel for every region of the map: {listed(ways)}"
    if BUCKET in ways:
        what = "those of this" if of_data else "the most for any"
        sentence += f"; cycles of {BUCKET} depend on data, and are {what} data"
    return [f"{sentence}. Regions are compared, and pixels gathered, by the host that fills banks."]


def region_note(way: str | None, least: int, most: int) -> list[str]:
    """The same of one layer, whose cycles are the most."""
    if way is None:
        return []
    if least == most:
        return [f"The kernel of every region of the map is computed by {way}, whatever the data."]
    between = f"by {way}, in {least:,} to {most:,} cycles; here are those that take the most"
    return [f"The kernel of every region of the map is computed {between}."]


def time(result: Totals) -> str:
    """The time of a result, and with what memory, in one sentence."""
    clock = f"at {result.hardware.clock_mhz:g} MHz"
    if result.total_memory_cycles is None:
        return f"{milliseconds(result.computing_ms)} ms {clock} computing; memory is left out."
    assert result.hardware.memory is not None
    return (
        f"{milliseconds(result.computing_ms)} ms {clock} computing, "
        f"{milliseconds(result.time_ms)} ms with {result.hardware.memory.label}."
    )


def per_image(result: Totals) -> list[str]:
    """What an image of a batch takes, where there are several."""
    if result.batch == 1:
        return []
    each = milliseconds(result.time_ms / result.batch)
    cycles = f"{result.cycles_per_image:,.1f} cycles"
    return [
        f"All is of a batch of {result.batch:,} images: {cycles} and {each} ms for each of them."
    ]


def _memory_notes(result: Result) -> list[str]:
    """Which layers wait for memory, and by what model."""
    if result.total_memory_cycles is None:
        return []
    engines = [layer for layer in result.layers if not layer.not_modelled]
    waiting = sum(layer.bound_by == MEMORY for layer in engines)
    host = sum(layer.memory_cycles or 0 for layer in result.layers if layer.not_modelled)
    hosted = f", and {counted(host, 'clock')} go to maps of the host's layers" if host else ""
    return [f"Layers that wait for memory: {waiting} of {len(engines)}{hosted}.", SENTENCE]


def value_notes(result: Result) -> list[str]:
    """What was computed, and whether the levels agree on it."""
    if result.computed is None:
        return []
    sentences = []
    compared = [layer for layer in result.layers if layer.values_equal is not None]
    if result.fidelity != CYCLE:
        sentences.append(
            "Values are those of the operators' references, cycles those of the schedule; "
            f"--fidelity {CYCLE} runs the registers and compares."
        )
    elif compared:
        sums = result.batch * sum(prod(result.graph.shape(layer.name)) for layer in compared)
        wrong = [layer.name for layer in compared if not layer.values_equal]
        agreed = f"differ from golden in {', '.join(wrong)}" if wrong else "all equal to golden"
        sentences.append(
            f"{counted(len(compared), 'layer')} register by register: {counted(sums, 'sum')}, "
            f"{agreed}."
        )
    layer, shape, least, most, digest, dtype = result.computed
    ends = "" if least is None else f" values {short(least)} to {short(most)},"
    sentences.append(
        f"Output of {layer}: {dtype} {show(shape)},{ends} sha256 {digest[:DIGITS]} "
        f"(seed {result.seed}; --json has all digits)."
    )
    return [*sentences, *certificate_notes(result.certificates), *result.graph.caveats]


def certificate_notes(certificates: Mapping[str, "Certificate"]) -> list[str]:
    """Whether what follows the sums is what the runtimes of these layers do, for every input."""
    wrong = [name for name, each in certificates.items() if not each.exact]
    exact = len(certificates) - len(wrong)
    sentences = []
    if exact:
        inputs = sum(each.inputs for each in certificates.values() if each.exact)
        sentences.append(
            f"Post-processing of {counted(exact, 'layer')} equals the rule of the runtime for each "
            f"of {inputs:,} inputs: sums of every channel, values, or pairs of values."
        )
    for name in wrong:
        each = certificates[name]
        sentences.append(
            f"Post-processing of {name} differs from the rule of its runtime for "
            f"{each.different:,} of {each.inputs:,} inputs; the first is "
            f"{', '.join(map(str, each.first or ()))}."
        )
    return sentences


def use_notes(result: "AnyResult") -> list[str]:
    """What utilisation means, what engines skip, and why a utilisation is missing."""
    shown = [layer for layer in result.layers if not layer.not_modelled]
    sentences = [USE] if shown else []
    if any(layer.op == ConvTranspose2d.name for layer in shown):
        sentences.append(INSERTED)
    elif result.total_skipped_macs:
        part = percent(result.total_skipped_macs, result.total_macs)
        sentences.append(
            f"Skipped are MACs with padding on which an engine spends no multiplier, {part} of all."
        )
    if any(layer.utilization is None for layer in shown):
        sentences.append(
            f"Where no utilisation stands, {result.timing} counts fewer clocks than the products "
            "need."
        )
    return sentences


def ports(engine: DepthwiseEngine) -> str:
    """The ports of a depthwise engine in words."""
    width, results = engine.fill_port, engine.results_per_clock or engine.pixels
    fill = f"of {counted(width, 'operand')} a clock" if width else "as wide as it takes"
    return f"a fill port {fill} and gives {counted(results, 'result')} a clock"


def listed(kinds: Counter[str]) -> str:
    """Numbers of kinds, the most frequent first."""
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _against(result: Result, baseline: Result) -> str:
    """How the speed compares with the baseline's; also with memory, where both have one."""
    ratio = baseline.total_cycles / result.total_cycles
    slower = ", slower than it" if ratio < 1 else ""
    cycles = counted(baseline.total_cycles, "cycle")
    sentence = f"{ratio:.2f} x the baseline's speed ({cycles}){slower}"
    before, after = baseline.total_memory_cycles, result.total_memory_cycles
    if before is not None and after:
        sentence += f"; with memory {before / after:.2f} x ({counted(before, 'clock')})"
    return f"{sentence}."


def _depthwise_note(depthwise: DepthwiseWays | None) -> list[str]:
    """Cycles of the depthwise layers as the table has them, and on an array left with less."""
    if depthwise is None:
        return []
    ran = ", ".join(f"{count} {how}" for how, count in depthwise.ran.most_common())
    as_run = f"{counted(depthwise.cycles, 'cycle')} as run ({ran})"
    others = "; ".join(
        f"{way.dataflow} ({way.label}) {'impossible' if cycles is None else f'{cycles:,}'}"
        for way, cycles in depthwise.on_array.items()
    )
    layers = depthwise.ran.total()
    return [f"Depthwise layers ({layers}): {as_run}. On the array, by --dataflow: {others}."]


def levels(comparison: "Comparison") -> Table:
    """Cycles and values of one layer at every level."""
    values = {True: "equal", False: "differ"}
    rows = [
        ("golden", "-", "expected"),
        ("schedule", f"{comparison.cycles.schedule:,}", "-"),
        ("cycle", f"{comparison.cycles.cycle:,}", values[comparison.cycle_equal]),
        ("rtl", f"{comparison.cycles.rtl:,}", values[comparison.rtl_equal]),
    ]
    if comparison.output is not None:
        rows.append(("output", "-", values[comparison.output.equal]))
    return Table(("level", "cycles", "values"), rows, words=("level", "values"))


def output_notes(comparison: "Comparison") -> list[str]:
    """What became of the sums of the RTL, where a program follows them."""
    if comparison.output is None:
        return []
    dtype, values, steps, on_rtl, equal = comparison.output
    where = "on the RTL of a post-processing unit" if on_rtl else "by the golden model"
    by = f" by {', '.join(steps)}, {where}" if steps else ""
    agrees = "equal to golden" if equal else "which differ from golden"
    made = f"{counted(values, 'value')} of {dtype}, made of the sums of the RTL"
    return [f"Output: {made}{by}, {agrees}."]


def span(least: int, most: int) -> str:
    """From one number to another; a dash where they are the same."""
    return f"{least:,} to {most:,}" if least < most else "-"


def count(number: int | None) -> str:
    """A number, or a dash for none."""
    return "-" if number is None else f"{number:,}"


def short(number: float | None) -> str:
    """A number as far as float32 tells it from others; a dash for none."""
    if number is None:
        return "-"
    return f"{number:,}" if isinstance(number, int) else f"{number:.7g}"


def brief(name: str) -> str:
    """A name that some exporters make of all that they fused, cut in its middle."""
    if len(name) <= LONGEST_NAME:
        return name
    half = (LONGEST_NAME - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def show(shape: Sequence[int]) -> str:
    """A shape as c x h x w."""
    return "x".join(str(size) for size in shape)


def share(part: float | None) -> str:
    """A share in percent; a dash where there is none."""
    return "-" if part is None else percent(part, 1)


def percent(part: float, whole: float) -> str:
    """The part of the whole in percent; a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
