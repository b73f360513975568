"""Planted errors in the depthwise engine: the comparison of its levels finds them all."""

from importlib import import_module

import numpy as np
import pytest

from accelsim.engines.depthwise import cycle, schedule
from accelsim.errors import AccelsimError
from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise import core, issue, lanes, loader, tiles
from rtl.host.driver import Stalls
from tests.engines.depthwise import SUBJECT, random_sequence, sequence
from tests.rtl.agreement import Levels, check, levels_of
from tests.rtl.engines.depthwise.cases import CASES, flat, row
from tests.rtl.mutants import Mutant, load, load_last, named, planted

golden = import_module("accelsim.engines.depthwise.golden")  # not the function of this name

LANES = (
    Mutant("operands shifted by one less", "values >> step * bits", "values >> (step - 1) * bits"),
    Mutant("operands outside of the map", "Mux(i.mask[p], values[p], 0)", "values[p]"),
    Mutant("words in the wrong order", "Mux(i.odd_first, odd, even), Mux(i.odd_first, even, odd)",
           "even, odd"),
    Mutant("the second word is the first", "(address + 1) >> 1", "address >> 1"),
    Mutant("a sum is not begun", "Mux(i.first, 0, self.acc[p])", "self.acc[p]"),
    Mutant("a weight too early", "self.weight2.eq(self.weight1)",
           "self.weight2.eq(i.weight)"),
    Mutant("sums pass the shadow", "Mux(i.capture, total,", "Mux(i.capture, self.acc[p],"),
    Mutant("one result word too few moves", "lane.move.eq(self.beats_left > 1)",
           "lane.move.eq(self.beats_left > 2)"),
    Mutant("shadows come from the neighbour", "shadows[n + engine.result_lanes])",
           "shadows[n + 1])"),
    Mutant("lanes never freeze", "with m.If(en):", "with m.If(1):"),
    Mutant("banks never freeze", "read_port.en.eq(en)", "read_port.en.eq(1)"),
    Mutant("a mask too early", "lane.mask.eq(self.mask2)", "lane.mask.eq(self.mask1)"),
    Mutant("even and odd words swapped when filled", "lane.write_even.eq(Mux(fill.address[0], 0,",
           "lane.write_even.eq(Mux(~fill.address[0], 0,"),
    Mutant("parts of a word swapped", "fill.part == place // port",
           "fill.part == n * pixels // port"),
)  # fmt: skip

ISSUE = (
    Mutant("results are not awaited", "(~final | (self.drain_left <= 1))", "1"),
    Mutant("results are awaited too short", "drain_left <= 1", "drain_left <= 2"),
    Mutant("results are awaited too long", "drain_left <= 1", "drain_left == 0"),
    Mutant("kernel rows follow too late", "work.fw - self.columns_behind_first",
           "work.fw - self.columns_behind_first + 1"),
    Mutant("columns go on in the next row", "self.tap_x.eq(self.left_x)",
           "self.tap_x.eq(self.tap_x + work.dw)"),
    Mutant("rows of a dilated kernel side by side", "self.tap_y + work.dh",
           "self.tap_y + 1"),
    Mutant("pixels above the map", "(y < work.h) &", ""),
    Mutant("pixels beside the map", "& (x < work.w)", ""),
    Mutant("pixels that are no output", "inside[p].eq(is_output)", "inside[p].eq(1)"),
    Mutant("the map is a row longer", "room.eq(self.size - 1 +", "room.eq(self.size +"),
    Mutant("the map is a row shorter", "room.eq(self.size - 1 +", "room.eq(self.size - 2 +"),
    Mutant("first position rounded down", "before + self.dilation - 1", "before"),
    Mutant("a kernel position too few", "Mux(last < self.kernel, last + 1",
           "Mux(last < self.kernel, last"),
    Mutant("a tile that ends in the next row", "last.y > command.bottom, first.y == rows.high",
           "last.y > command.bottom, (rows.high == rows.high)"),
    Mutant("a tile beyond the map", "Mux(beyond, command.bottom, last.y)", "last.y"),
    Mutant("columns beyond the map", "Mux(one_row, _least(first.x, command.right), 0)",
           "Mux(one_row, first.x, 0)"),
    Mutant("result words rounded down", "(channels + together - 1)", "channels"),
)  # fmt: skip

TILES = (
    Mutant("a wrap too late", "wraps = x >= command.wrap", "wraps = x > command.wrap"),
    Mutant("a wrap stays in its row", "Mux(wraps, command.work.sh, 0)", "0"),
    Mutant(
        "rows of mode row follow without a gap",
        "tile.word.eq(row_word + command.row_words)",
        "tile.word.eq(tile.word + 1)",
    ),
    Mutant("mode flat ends its rows", "past_row & ~flat", "past_row"),
    Mutant(
        "the last row is left out",
        "end.eq((first.y > command.bottom) |",
        "end.eq((first.y >= command.bottom) |",
    ),
    Mutant("strides of one", "Pixel(tile.y[0] + command.work.sh", "Pixel(tile.y[0] + 1"),
)

LOADER = (
    Mutant("a half is filled while it is read", "(passes_held <= 1)", "(passes_held <= 2)"),
    Mutant(
        "a half is released a clock early",
        "(passes_held <= 1)",
        "(passes_held - self.released <= 1)",
    ),
    Mutant("a pass begins without its last tap", "(taps_left <= 1)", "(taps_left <= 2)"),
    Mutant(
        "a pass begins without its last word", "((words_left == 1) & word_end)", "(words_left == 1)"
    ),
    Mutant(
        "all lanes are filled",
        "operands_left.eq(command.work.channels * ",
        "operands_left.eq(engine.lanes * ",
    ),
    Mutant("no half is ever released", "passes_held + take - self.released", "passes_held + take"),
)

CORE = (
    Mutant("a full result memory freezes nothing", "~((held == RESULT_DEPTH) & lanes.write)", "1"),
    Mutant(
        "a missing command freezes nothing",
        "& ~(begun & ~last & commands.ready & ~self.commands.valid)",
        "",
    ),
    Mutant("a missing word freezes nothing", "& ~missing", ""),
    Mutant(
        "a word is taken twice",
        "self.map_fill.ready.eq(map_needed & go)",
        "self.map_fill.ready.eq(map_needed)",
    ),
    Mutant("the generator never freezes", "EnableInserter(go)(self.generator)", "self.generator"),
    Mutant("the issue stage never freezes", "EnableInserter(go)(issue)", "issue"),
    Mutant("the loader never freezes", "EnableInserter(go)(loader)", "loader"),
    Mutant(
        "the tap memory never freezes",
        "taps.read.eq(go & issue.slot.valid)",
        "taps.read.eq(issue.slot.valid)",
    ),
)

SCHEDULE = (
    Mutant("a register more", "PIPELINE = 4", "PIPELINE = 5"),
    Mutant("a pass starts late", "LOADED = 1", "LOADED = 2"),
    Mutant("a half is free late", "RELEASED = 1", "RELEASED = 2"),
    Mutant("results are not awaited", "if drain > run.clocks:", "if False:"),
    Mutant("an empty tile takes no clock", "max(1, self.rows * self.columns)",
           "self.rows * self.columns"),
    Mutant("taps are filled in no time", "max(words(engine, p) * beats, p.fh * p.fw)",
           "words(engine, p) * beats"),
)  # fmt: skip

GOLDEN = (
    Mutant("kernels upside down", "* w[ky, kx]", "* w[p.fh - 1 - ky, kx]"),
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
    check(SUBJECT, engine, [sequence(rng, engine, tiny * 2)], Stalls(commands=0.9), levels=levels)
    check(SUBJECT, engine, [sequence(rng, engine, short)], stalls, trace=True, levels=levels)
    for port in (5, 12):
        engine = DepthwiseEngine(3, 4, 8, fill_port=port, bank_depth=128)
        work = [sequence(rng, engine, tiny * 2), sequence(rng, engine, short)]
        check(SUBJECT, engine, work, levels=levels)
        check(SUBJECT, engine, work, stalls, trace=True, levels=levels)
    engine = DepthwiseEngine(2, 3, 6)
    check(SUBJECT, engine, [random_sequence(rng, engine, 8) for _ in range(2)], levels=levels)


def assert_caught(levels: Levels) -> None:
    with pytest.raises((AssertionError, AccelsimError)):
        verdict(levels)


# The core, which imports the others, comes last.
PARTS = {lanes: LANES, tiles: TILES, issue: ISSUE, loader: LOADER, core: CORE}


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


@named(CYCLE)
def test_error_in_the_register_accurate_simulation_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(LEVELS._replace(simulate=load(cycle, mutant, tmp_path, monkeypatch).simulate))


def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    """The same way through copies of the sources, unchanged."""
    levels = Levels(
        golden=load(golden, None, tmp_path, monkeypatch).golden,
        nest=load(schedule, None, tmp_path, monkeypatch).nest,
        simulate=load(cycle, None, tmp_path, monkeypatch).simulate,
        core=load_last(PARTS, None, None, tmp_path, monkeypatch).DepthwiseCore,
    )
    verdict(levels)
