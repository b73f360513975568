"""Planted errors in the depthwise engine: the comparison of its levels finds them all."""

from importlib import import_module
from itertools import product

import numpy as np
import pytest

from accelsim.engines.depthwise import cycle, schedule
from accelsim.errors import AccelsimError
from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise import commands, core, issue, lanes, loader, pixels, queue, reach, tiles
from rtl.host.driver import Stalls
from tests.engines.depthwise import SUBJECT, random_sequence, sequence
from tests.rtl.agreement import Levels, check, levels_of
from tests.rtl.engines.depthwise.cases import CASES, flat, row
from tests.rtl.mutants import Mutant, load, load_last, named, planted
from tests.rtl.units import one_unit

golden = import_module("accelsim.engines.depthwise.golden")  # not the function of this name

LANES = (
    Mutant("operands shifted by one less", "values >> step * bits", "values >> (step - 1) * bits"),
    Mutant("operands outside of the map", "Mux(self.mask[p], values[p], 0)", "values[p]"),
    Mutant("words in the wrong order", "low, high = Mux(self.odd_first, odd, even),",
           "low, high = even,"),
    Mutant("the second word is the first", "self.word1 + 1", "self.word1"),
    Mutant("a sum is not begun", "Mux(i.first, 0, total)", "total"),
    Mutant("a weight too early", "self.operand[p] * self.weights[-1]",
           "self.operand[p] * self.weights[-2]"),
    Mutant("sums pass the shadow", "Mux(i.capture, total,", "Mux(i.capture, self.acc[p],"),
    Mutant("one result word too few moves", "self.moves.eq(beats_left > 2)",
           "self.moves.eq(beats_left > 3)"),
    Mutant("shadows come from the neighbour", "shadows[n + engine.result_lanes])",
           "shadows[n + 1])"),
    Mutant("a mask too early", "lane.mask.eq(self.masks[-1])", "lane.mask.eq(self.masks[-2])"),
    Mutant("a shift too early", "lane.shift.eq(self.shifts[-1])",
           "lane.shift.eq(self.shifts[-2])"),
    Mutant("even and odd words swapped when filled", "even=Mux(fill.address[0], 0,",
           "even=Mux(~fill.address[0], 0,"),
    Mutant("parts of a word swapped", "fill.part == place // port",
           "fill.part == n * pixels // port"),
)  # fmt: skip

ISSUE = (
    Mutant("results are not awaited", "drained & self.room)", "self.room)"),
    Mutant("results are awaited too short", "self.drain_left <= 2", "self.drain_left <= 3"),
    Mutant("two results are awaited too short", "self.reserved <= 2", "self.reserved <= 3"),
    Mutant("results are awaited too long", "self.drain_left <= 2", "self.drain_left <= 1"),
    Mutant("a single result is awaited", "self.head.beats <= 1", "0"),
    Mutant("there is always room", "drained & self.room)", "drained)"),
    Mutant("a tile in front takes no room", "ends_short & self.room_behind",
           "ends_short & self.room"),
    Mutant("operands are not awaited", "orders.valid & (self.loaded | ~orders.payload.head.begins)",
           "orders.valid"),
    Mutant("columns go on in the next row", "self.left.eq(row_left)",
           "self.left.eq(self.left - dw)"),
    Mutant("rows of a dilated kernel side by side", "self.top.eq(self.top - dh)",
           "self.top.eq(self.top - 1)"),
    Mutant("one row ends the tile", "self.is_last.eq(counts.one)",
           "self.is_last.eq(counts.one_row)"),
    Mutant("one column ends the tile", "self.is_last.eq(counts.one)",
           "self.is_last.eq(counts.one_column)"),
    Mutant("any row is the last", "self.in_last_row & (self.columns_left < 0)",
           "self.columns_left < 0"),
    Mutant("pixels above the map", "~(above | below", "~(below"),
    Mutant("pixels below the map", "above | below |", "above |"),
    Mutant("pixels on the left of the map", "| before | behind", "| behind"),
    Mutant("pixels on the right of the map", "before | behind)", "before)"),
    Mutant("pixels that are no output", "& pixels.inside[p]", ""),
    Mutant("a tile is placed too early", "self.follows[-1]\n", "self.follows[-2]\n"),
)  # fmt: skip

REACH = (
    Mutant("the map is a row longer", "y_room=steps.y_size - 1", "y_room=steps.y_size"),
    Mutant("the map is a column shorter", "x_room=steps.x_size - 1",
           "x_room=steps.x_size - 2"),
    Mutant("first position rounded down", "y_pad=tile.pt + tile.dh", "y_pad=tile.pt + 1"),
    Mutant("a kernel position too few", '"end": axis.kernel - 2', '"end": axis.kernel - 3'),
    Mutant("positions beyond the map", '"last_in_map": axis.last < axis.kernel',
           '"last_in_map": 0'),
    Mutant("kernels that end above the map", "& less(axis.first, axis.kernel)", ""),
    Mutant("kernels that begin below the map", '"met": axis.inside &', '"met":'),
    Mutant("nothing lies between", "~less(axis.last, axis.first)", "1"),
    Mutant("a tile that ends in the next row",
           "Mux(compared.beyond, compared.at_bottom, compared.at_last)", "1"),
    Mutant("a tile beyond the map", "Mux(compared.beyond, compared.bottom,",
           "Mux(0, compared.bottom,"),
    Mutant("columns beyond the map", "Mux(compared.first_outside,", "Mux(0,"),
    Mutant("the last column is that of the map", "Mux(ends_inside,", "Mux(0,"),
    Mutant("no pixel is the last of its row", "new_row=tile.ahead_x == 0", "new_row=0"),
    Mutant("kernel rows follow too late", "found.end - found.columns",
           "found.end - found.columns + 1"),
    Mutant("one row is one column", "counts.one.eq(one_row & one_column)",
           "counts.one.eq(one_row)"),
    Mutant("entries of the first kernel row", "entry = Mux(skips,", "entry = Mux(0,"),
)  # fmt: skip

PIXELS = (
    Mutant("a wrap stays in its row", "Mux(wraps, step.over_y, step.y)", "step.y"),
    Mutant("pixels go on beyond the map", "Mux(wraps, folded, pixel.x + step.x)",
           "pixel.x + step.x"),
    Mutant("steps of one wrap", "_folded(Mux(wraps, step.over_x << 1, folded))", "folded"),
    Mutant("all pixels are outputs", "~(found.below | found.behind)", "~found.behind"),
)  # fmt: skip

COMMANDS = (
    Mutant("a wrap stays in its row", "command.stride_y + command.work.sh", "command.stride_y"),
    Mutant("mode flat ends its rows", "(i.opcode == DepthwiseOpcode.FLAT) |", ""),
    Mutant("the last row is left out", "i.oh - 3", "i.oh - 4"),
    Mutant("a row of one tile goes on", "i.row_tiles == 1", "0"),
    Mutant("a command that is not taken is kept", "comes.eq(self.i.valid & self.i.ready)",
           "comes.eq(self.i.valid)"),
    Mutant("tiles of the command in front", "read.eq(read + self.begun)", "read.eq(read)"),
)  # fmt: skip

TILES = (
    Mutant("a wrap too late", "wraps = wrapped_x >= 0", "wraps = wrapped_x > 0"),
    Mutant("rows of mode row follow without a gap", "below = row_word + kept.command.row_words",
           "below = word + 1"),
    Mutant("one row ends the pass", "ends_row & in_last_row", "in_last_row"),
    Mutant("any row is the last", "ends_row & in_last_row", "ends_row"),
    Mutant("strides of one", "below_y.eq(next_y + of.command.work.sh)", "below_y.eq(next_y + 1)"),
    Mutant("every tile begins its pass", "begins.eq(~stays)", "begins.eq(1)"),
    Mutant("a tile goes on from its row", "goes_on.eq(~take & ~ends_row)",
           "goes_on.eq(~take)"),
    Mutant("a tile is gone before it was sent", "moved.eq(self.room)", "moved.eq(1)"),
)  # fmt: skip

QUEUE = (
    Mutant("more tiles than it holds", "self.room.eq(free >= 0)", "self.room.eq(1)"),
    Mutant("tiles that are not written", "(written >= 0) &", ""),
    Mutant("a tile takes the place of another", "& ~(fetched & kept)", ""),
    Mutant("a tile waits for one that is kept", "& ~(fetched & kept)", "& ~kept"),
    Mutant("a tile overtakes another", "Mux(kept, second, first)", "first"),
    Mutant("every tile ends its sequence", "place.ends & place.command.last",
           "place.command.last"),
    Mutant("a tile without taps sees the map", "Mux(where.met, where.y + size.h, 0)",
           "where.y + size.h"),
    Mutant("pixels of the tile in front", "self.pixels.pixels, took[2]",
           "self.pixels.pixels, took[1]"),
)  # fmt: skip

LOADER = (
    Mutant("a half is filled while it is read", "room = passes_held <= 1",
           "room = passes_held <= 2"),
    Mutant("a half is released a clock early", "RELEASE_STAGES = 1", "RELEASE_STAGES = 0"),
    Mutant("a half is released a clock late", "RELEASE_STAGES = 1", "RELEASE_STAGES = 2"),
    Mutant("a pass begins without its last tap", "one[0] & one[1]", "one[0]"),
    Mutant("a pass begins without its last word", "one[0] & one[1]", "one[1]"),
    Mutant("a pass begins before its last word is written",
           'f"{name}_ended", counter.ends, 1', 'f"{name}_ended", counter.ends, 0'),
    Mutant("no half is ever released", "passes_held + take - released", "passes_held + take"),
    Mutant("the second of two passes is lost", "filling.eq(self.begin | waiting)",
           "filling.eq(self.begin)"),
    Mutant("streams run apart", "(map_.over & (taps.over | taps.dry)) | (taps.over & map_.dry)",
           "map_.over | taps.over"),
    Mutant("a missing command is no stall", "(self.more & ~commands.valid &", "(0 &"),
    Mutant("a missing word is no stall", "map_.dry | taps.dry |", "taps.dry |"),
)  # fmt: skip

CORE = (
    Mutant("a word too many is reserved", "self.issue.reserved + self.memory.handed",
           "self.issue.reserved + self.memory.handed - self.issue.begins"),
    Mutant("room for one word less", "self.memory.depth + lanes // -together",
           "self.memory.depth + lanes // -together - 1"),
    Mutant("a missing command is no stall", "self.issue.empty & ~closed",
           "self.issue.empty & 0"),
    Mutant("waiting for room is no stall", "(missing & ~issued) | issue.crowded",
           "missing & ~issued"),
    Mutant("waits behind the last tap", "(missing & ~issued)", "missing"),
    Mutant("the next sequence begins at once", "head, closed = queued.valid & ~last",
           "head, closed = queued.valid"),
    Mutant("a word is lost", "queued.o.ready.eq(take)", "queued.o.ready.eq(1)"),
)  # fmt: skip

SCHEDULE = (
    Mutant("a register more", "PIPELINE = 10", "PIPELINE = 11"),
    Mutant("a pass starts late", "LOADED = 6", "LOADED = 7"),
    Mutant("a half is free late", "RELEASED = 2", "RELEASED = 3"),
    Mutant("results are not awaited", "if drain > run.clocks:", "if False:"),
    Mutant("an empty tile takes no clock", "max(1, self.rows * self.columns)",
           "self.rows * self.columns"),
    Mutant("taps are filled in no time", "max(words(engine, p) * beats, p.fh * p.fw)",
           "words(engine, p) * beats"),
)  # fmt: skip

GOLDEN = (
    Mutant("kernels upside down", "ky * p.dh - p.pt, p.h", "(p.fh - 1 - ky) * p.dh - p.pt, p.h"),
    Mutant("lanes before tiles", "transpose(0, 2, 3, 1)", "transpose(2, 0, 3, 1)"),
)

CYCLE = (Mutant("results are awaited too long", "tile.beats if final", "tile.beats + 1 if final"),)


LEVELS = levels_of(SUBJECT)


def verdict(levels: Levels) -> None:
    """AssertionError if the levels do not agree; the shortest sequences come first."""
    rng, stalls = np.random.default_rng(9), Stalls(0.2, 0.2, 0.2, 0.4)
    engine = DepthwiseEngine(3, 4)
    passes = tuple(p for name in CASES if "large" not in name for p in CASES[name])
    short = tuple(p for p in passes if p.fh * p.fw < 30)
    tiny = (row(1, 1, 1, 1, 1), flat(1, 2, 2, 2, 2), row(3, 2, 4, 2, 4, 3, 3), flat(1, 1, 2, 1, 1))
    # No kernel row meets the map, the last tile goes on below it, and taps take long to come in.
    between = row(2, 2, 5, 1, 5, 2, 3, 1, 1, 8, 1, 4)
    below = flat(2, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1)
    # A tile that ends rows below the only one, which no row of the kernel but the last meets; and
    # one of several rows, of which each kernel row meets others.
    alone = flat(1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 2)
    dilated = flat(1, 3, 1, 3, 1, 3, 1, 1, 1, 2, 1, 2)
    tiny += (between, below, alone, dilated, row(1, 3, 3, 3, 3, 5, 5, 1, 1, 1, 1, 2, 2))
    waits = Stalls(commands=0.9), Stalls(results=0.9)
    ports = [DepthwiseEngine(3, 4, 8, fill_port=port, bank_depth=128) for port in (5, 12)]
    for each, late in product((engine, *ports), waits):
        check(SUBJECT, each, [sequence(rng, each, tiny * 2)], late, levels=levels)
    # Tiles of one tap and one result word, of which the last finds the result memory full; and
    # results of five words, behind a pass that comes late, while a tile of one tap waits for one
    # of many.
    thin = DepthwiseEngine(1, 4)
    work = sequence(rng, thin, (row(1, 3, 44, 3, 44),))
    check(SUBJECT, thin, [work], Stalls(results=0.98), levels=levels)
    tall, wide = DepthwiseEngine(5, 4), row(1, 1, 17, 1, 5, 1, 17, 1, 4)
    work = sequence(rng, tall, (wide, row(1, 1, 1, 1, 1), row(5, 1, 9, 1, 9)))
    check(SUBJECT, tall, [work], units=one_unit((0, 1, 0), (8,)), levels=levels)
    check(SUBJECT, engine, [sequence(rng, engine, short)], trace=True, levels=levels)
    for engine in ports:
        work = [sequence(rng, engine, tiny * 2), sequence(rng, engine, short)]
        check(SUBJECT, engine, work, trace=True, levels=levels)
        for late in (stalls, *waits):
            check(SUBJECT, engine, work, late, levels=levels)
    engine = DepthwiseEngine(2, 3, 6)
    check(SUBJECT, engine, [random_sequence(rng, engine, 8) for _ in range(2)], levels=levels)


def assert_caught(levels: Levels) -> None:
    with pytest.raises((AssertionError, AccelsimError)):
        verdict(levels)


# The core, which imports the others, comes last.
PARTS = {
    lanes: LANES, commands: COMMANDS, tiles: TILES, pixels: PIXELS, reach: REACH, queue: QUEUE,
    issue: ISSUE, loader: LOADER, core: CORE,
}  # fmt: skip


@planted(PARTS)
def test_error_in_the_hardware_is_caught(part, mutant, tmp_path, monkeypatch):
    twin = load_last(PARTS, part, mutant, tmp_path, monkeypatch)
    assert_caught(LEVELS._replace(core=twin.DepthwiseCore))


@named(SCHEDULE)
def test_error_in_the_schedule_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(LEVELS._replace(nest=load(schedule, mutant, tmp_path, monkeypatch).nest))


@named(GOLDEN)
def test_error_in_golden_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(LEVELS._replace(golden=load(golden, mutant, tmp_path, monkeypatch).golden))


@pytest.mark.full
@named(CYCLE)
def test_error_in_the_register_accurate_simulation_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(LEVELS._replace(simulate=load(cycle, mutant, tmp_path, monkeypatch).simulate))


@pytest.mark.full
def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    """The same way through copies of the sources, unchanged."""
    levels = Levels(
        golden=load(golden, None, tmp_path, monkeypatch).golden,
        nest=load(schedule, None, tmp_path, monkeypatch).nest,
        simulate=load(cycle, None, tmp_path, monkeypatch).simulate,
        core=load_last(PARTS, None, None, tmp_path, monkeypatch).DepthwiseCore,
    )
    verdict(levels)
