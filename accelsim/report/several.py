"""Several results of one command as one table and one file.

One network on several designs is shown layer by layer, a column for each; several networks or
inputs are lines of totals.
"""

from collections.abc import Sequence

from accelsim.phrases import milliseconds, of_batch
from accelsim.report import clocks, energy, side_by_side
from accelsim.report.output import csv_of
from accelsim.report.side_by_side import PER_IMAGE
from accelsim.report.table import (
    MODEL_NOTES,
    USE,
    Table,
    count,
    fit,
    fits,
    region_notes,
    share,
    value_notes,
    without,
)
from accelsim.request import SCHEDULE
from accelsim.result import MEMORY, Result, flat
from accelsim.side_by_side import beside

WORDS = ("network", "variant", "input", "batch", "design")
MEMORY_COLUMNS = ("with memory", "waiting")  # of designs that have one
# Left out one after another where the terminal is too narrow.
SPARED = ("params", "MACs", "waiting", "utilisation", PER_IMAGE)
NUMBERS = (
    *("cycles", PER_IMAGE, *MEMORY_COLUMNS, "ms", energy.COLUMN),
    *("utilisation", "MACs", "params"),
)


def table(results: Sequence[Result], width: int) -> Table:
    """Layers side by side where only designs differ and all columns fit; else totals."""
    if one_workload(results):
        layers = side_by_side.designs(beside(results, [*map(_size, results)]), width)
        if fits(layers, width):
            return layers
    return totals(results, width)


def one_workload(results: Sequence[Result]) -> bool:
    """Whether only the designs differ."""
    return len({_words(result)[:-1] for result in results}) == 1


def totals(results: Sequence[Result], width: int) -> Table:
    """A line for each result: what tells it from the others, and as many totals as fit."""
    words = [_words(result) for result in results]
    told = _told(words)
    rows = [
        (*(each[index] for index in told), *_numbers(result))
        for each, result in zip(words, results, strict=True)
    ]
    names = [WORDS[index] for index in told]
    memory = any(result.total_memory_cycles is not None for result in results)
    left_out = [*(() if memory else MEMORY_COLUMNS)]
    batches = any(result.batch > 1 for result in results)
    left_out += [] if batches else [PER_IMAGE]
    left_out += [energy.COLUMN] if results[0].energy_table is None else []
    columns, kept = without((*names, *NUMBERS), rows, left_out)
    columns, kept = fit(columns, kept, [name for name in SPARED if name in columns], width)
    return Table(columns, kept, names)


def _told(words: Sequence[tuple[str, ...]]) -> list[int]:
    """The places at which not all are the same."""
    return [place for place, each in enumerate(zip(*words, strict=True)) if len({*each}) > 1]


def _names(results: Sequence[Result]) -> list[str]:
    """What tells each result from the others."""
    told = _told([_words(result) for result in results])
    shown = [[_shown(result)[place] for place in told] for result in results]
    return [", ".join(filter(None, words)) for words in shown]


def title(results: Sequence[Result]) -> str:
    """What all results share."""
    words = [_shown(result) for result in results]
    shared = [word for word, *others in zip(*words, strict=True) if {*others} <= {word} and word]
    first = results[0]
    return f"{', '.join([*shared, f'timing {first.timing}'])}, fidelity {first.fidelity}"


def notes(results: Sequence[Result]) -> list[str]:
    """Sentences below the table: what was computed, the clock and the memory, what numbers mean."""
    first = results[0]
    lines = [
        f"{', '.join(filter(None, _shown(result)))}: {sentence}"
        for result in results
        for sentence in value_notes(result)
    ]
    if one_workload(results):
        lines.append("* is the least of a line.")
    with_memory = first.total_memory_cycles is not None and first.hardware.memory
    if with_memory and not one_workload(results):
        lines.append("Waiting are the layers whose memory takes longer than their engine.")
    memory = f"with {with_memory.label}" if with_memory else "memory is left out"
    about = [sentence for timing, sentence in MODEL_NOTES if timing == first.timing]
    named = [(_size(result), result.hardware.clock) for result in results]
    clock = f"{clocks.at(named)}, {memory}."
    sources = clocks.sources(each for _, each in named)
    spent = [
        energy.Spent(result.hardware, result.total_energy or {}, name)
        for result, name in zip(results, _names(results), strict=True)
    ]
    energies = energy.notes(first.energy_table, spent)
    every = (layer for result in results for layer in result.layers)
    regions = region_notes(every, of_data=first.fidelity != SCHEDULE)
    return [*lines, clock, *sources, *regions, USE, *side_by_side.TIMES, *energies, *about]


def to_csv(results: Sequence[Result]) -> str:
    """One line per result and layer, below a line of column names; batches where there are any."""
    left_out = () if any(result.batch > 1 for result in results) else ("batch",)
    names, words = without(WORDS, [_words(result) for result in results], left_out)
    about = [
        dict(zip(names, each, strict=True))
        for each, result in zip(words, results, strict=True)
        for _ in result.layers
    ]
    layers = flat([layer for result in results for layer in result.layers])
    return csv_of([each | layer for each, layer in zip(about, layers, strict=True)])


def _words(result: Result) -> tuple[str, ...]:
    about = result.network, result.variant, result.graph.size, str(result.batch)
    return *about, result.hardware.label


def _shown(result: Result) -> tuple[str, ...]:
    """The same as a sentence says them: "" for a batch of one image, and for no image."""
    network, variant, size, _, design = _words(result)
    image = "" if result.graph.input is None else size
    return network, variant, image, of_batch(result.batch).removeprefix(", "), design


def _size(result: Result) -> str:
    """What tells a design from the others: the size of its array."""
    array = result.hardware.array
    return f"{array.rows}x{array.columns}" if array else result.hardware.label


def _numbers(result: Result) -> tuple[str, ...]:
    engines = [layer for layer in result.layers if not layer.not_modelled]
    return (
        f"{result.total_cycles:,}",
        f"{result.cycles_per_image:,.1f}",
        count(result.total_memory_cycles),
        f"{sum(layer.bound_by == MEMORY for layer in engines)} of {len(engines)}",
        milliseconds(result.time_ms),
        energy.microjoules(result.total_energy_pj),
        share(result.utilization),
        f"{result.total_macs:,}",
        f"{result.total_params:,}",
    )
