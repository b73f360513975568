"""Planted errors: whatever is wrong at one level, the comparison of the levels finds it."""

import numpy as np
import pytest

import rtl.engines.systolic_array.core
import rtl.engines.systolic_array.parts
from accelsim.engines import systolic_array
from accelsim.engines.systolic_array import cycle as systolic_array_cycle
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from tests.rtl.agreement import Levels, check
from tests.rtl.amaranth_bench import Pace
from tests.rtl.mutants import Mutant, load, named
from tests.rtl.test_agreement import BANK_DEPTH, CASES, TALL_CASES
from tests.sequences import random_sequence, sequence

ELEMENTS = (
    Mutant("os: operand of w", "i.a * Mux(f.ws | f.fz, self.w, i.b)", "i.a * self.w"),
    Mutant("ws, is: operand from above", "Mux(f.ws | f.fz, self.w", "Mux(f.fz, self.w"),
    Mutant("rows: operand from above", "Mux(f.ws | f.fz, self.w", "Mux(f.ws, self.w"),
    Mutant("is is not known", " | (head.work.opcode == Opcode.IS)", ""),
    Mutant("rows of operands swapped", "self.left[i], 0", "self.left[rows - 1 - i], 0"),
    Mutant("columns of operands swapped", "[self.top[j] for", "[self.top[columns - 1 - j] for"),
    Mutant("a row too few", "frame.rows >= rows - i", "frame.rows > rows - i"),
    Mutant("a row too many", "frame.rows > i", "frame.rows >= i"),
    Mutant("rows counted from the wrong end", "frame.from_top.eq(1)", "frame.from_top.eq(0)"),
    Mutant("first is missing", "Mux(f.first, 0, self.acc)", "self.acc"),
    Mutant("first on every stream", "(count == now.taps) & first_stream", "count == now.taps"),
    Mutant("w not held in ws", "Mux(f.ws, self.w, i.w)", "i.w"),
    Mutant("acc not held in ws", "Mux(f.ws, self.acc, total)", "total"),
    Mutant("values at full speed", "Mux(self.f.fz, self.b, self.a)", "self.a"),
    Mutant("sums pass the shadow", "Mux(f.cap, total, Mux(", "Mux(f.cap, self.acc, Mux("),
    Mutant("elements never freeze", "with m.If(en):", "with m.If(1):"),
    Mutant(
        "edges never freeze",
        "with m.If(self.en):\n                    m.d.sync += later.eq(frame)",
        "with m.If(1):\n                    m.d.sync += later.eq(frame)",
    ),
    Mutant(
        "the drain never freezes",
        "with m.If(self.en):\n            with m.If(frame.token.drain != 0):",
        "with m.If(1):\n            with m.If(frame.token.drain != 0):",
    ),
    Mutant(
        "drain slot one clock short",
        "obusy.eq(now.m - 1)",
        "obusy.eq(Mux(now.m > 1, now.m - 2, 0))",
    ),
    Mutant("drain slot one clock long", "obusy.eq(now.m - 1)", "obusy.eq(now.m)"),
    Mutant("drain thermometer", "self.rem > rows - i", "self.rem >= rows - i"),
    Mutant("drain without thermometer", "self.rem > rows - i", "self.rem != 0"),
    Mutant("load thermometer", "self.load.beat >= i", "self.load.beat > i"),
    Mutant("load without thermometer", " & (self.load.beat >= i)", ""),
    Mutant("swap into a drain", " & (obusy <= 1)", ""),
    Mutant("swap one clock late", "(cnt <= 1) & ~held", "(cnt == 0) & ~held"),
    Mutant("tap read one late", "now.taps + 1 - count)", "now.taps - count)"),
    Mutant("tap written one early", "now.taps - taps_left)", "now.taps - taps_left - 1)"),
    Mutant("taps end early", "(count >= 2) &", "(count >= 3) &"),
    Mutant("taps not zero for the values", "Mux(frame.tap_write, 0, value)", "value"),
    Mutant("fires one clock apart", "cnt.eq(now.n)]", "cnt.eq(now.n + 1)]"),
    Mutant("plain, but overlapped", "commands.valid & (self.quiet if", "commands.valid & (1 if"),
)  # fmt: skip

CORE = (
    Mutant("accumulate is ignored", "Mux(now.accumulate, read_port.data, 0)", "0"),
    Mutant("accumulate always", "Mux(now.accumulate, read_port.data, 0)", "read_port.data"),
    Mutant("a sum read before it is written", "transparent_for=(write_port,)", ""),
    Mutant("sums are stored and emitted", "now.store.eq(beat.beat & ~beat.emit)",
           "now.store.eq(beat.beat)"),
    Mutant("left banks never freeze", "left.en.eq(go)", "left.en.eq(1)"),
    Mutant("top banks never freeze", "top.en.eq(go)", "top.en.eq(1)"),
    Mutant("the sequencer never freezes", "EnableInserter(go)(sequencer)", "sequencer"),
    Mutant("accumulators never freeze", "EnableInserter(go)(accumulators)", "accumulators"),
    Mutant("a full result memory freezes nothing", "~(memory.full & memory.write[0])", "1"),
    Mutant(
        "a missing command freezes nothing",
        "& ~(active & ~last & sequencer.needs & ~self.commands.valid)",
        "",
    ),
    Mutant("the last column is not awaited", "(width - 1 > less)", "(width - 2 > less)"),
)  # fmt: skip

SCHEDULE = (
    Mutant("os ends late", "offset=p.k - 1 + rows", "offset=p.k + rows"),
    Mutant("os ends early", "offset=p.k - 1 + rows", "offset=p.k - 2 + rows"),
    Mutant("ws, is end late", "offset=rows)", "offset=rows + 1)"),
    Mutant("ws, is end early", "offset=rows)", "offset=rows - 1)"),
    Mutant("rows ends late", "offset=first - 1 + rows", "offset=first + rows"),
    Mutant("rows ends early", "offset=first - 1 + rows", "offset=first - 2 + rows"),
    Mutant("os leaves a port free", '("left", "top")),\n            Stage("drain"',
           '("top",)),\n            Stage("drain"'),
    Mutant("a tile waits for its stream", "until=(1, -1)", "until=(1, 0)"),
    Mutant("no clock for the swap", "after=p.k + 1", "after=p.k"),
    Mutant("fires drain as one", '"earlier fires", p.fires - 1', '"earlier fires", 0'),
)  # fmt: skip

GOLDEN = (
    Mutant("words of os in order", ".astype(np.int64))[::-1]", ".astype(np.int64))"),
    Mutant("tiles upside down", "[::-1].astype(np.int64)", ".astype(np.int64)"),
    Mutant("windows in order", "out[:, ::-1, ::-1]", "out[:, ::-1]"),
    Mutant("accumulate is ignored", "found += accumulator", "accumulator"),
)

# Compiled anew for each, so a few only, and none that waits for ever.
CYCLE = (
    Mutant("drain slot one clock long", "shadow_busy = work.m - 1", "shadow_busy = work.m"),
    Mutant("the first frame of rows meets a tap", "elif views.w == HELD:", "elif False:"),
)


def verdict(levels: Levels) -> None:
    """AssertionError if the levels do not agree on explicit and random sequences, at any pace.

    The shortest comes first, since most errors need no more.
    """
    rng = np.random.default_rng(9)
    tall = SystolicArray(6, 2, max_taps=4, bank_depth=BANK_DEPTH)
    check(tall, [sequence(rng, tall, passes) for passes in TALL_CASES.values()], levels=levels)
    plain = SystolicArray(2, 3, max_taps=4, overlap=False, bank_depth=BANK_DEPTH)
    check(plain, [random_sequence(rng, plain, 5) for _ in range(2)], levels=levels)
    array = SystolicArray(3, 4, accumulator_depth=16, bank_depth=BANK_DEPTH)
    work = [sequence(rng, array, passes) for passes in CASES.values()]
    check(array, work, Pace(0.05, 40, seed=1), trace=True, levels=levels)


def assert_caught(levels: Levels) -> None:
    with pytest.raises((AssertionError, UnsupportedError)):
        verdict(levels)


@named(ELEMENTS)
def test_error_in_the_array_is_caught(mutant, tmp_path, monkeypatch):
    load(rtl.engines.systolic_array.parts, mutant, tmp_path, monkeypatch)
    core = load(rtl.engines.systolic_array.core, None, tmp_path, monkeypatch)
    assert_caught(Levels(core=core.Core))


@named(CORE)
def test_error_in_the_core_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(
        Levels(core=load(rtl.engines.systolic_array.core, mutant, tmp_path, monkeypatch).Core)
    )


@named(SCHEDULE)
def test_error_in_the_schedule_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(Levels(cycles=load(systolic_array, mutant, tmp_path, monkeypatch).cycles))


@named(GOLDEN)
def test_error_in_golden_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(Levels(golden=load(systolic_array, mutant, tmp_path, monkeypatch).golden))


@named(CYCLE)
def test_error_in_the_register_accurate_simulation_is_caught(mutant, tmp_path, monkeypatch):
    twin = load(systolic_array_cycle, mutant, tmp_path, monkeypatch)
    assert_caught(Levels(simulate=twin.simulate))


def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    """The same way through copies of the sources, unchanged."""
    load(rtl.engines.systolic_array.parts, None, tmp_path, monkeypatch)
    core = load(rtl.engines.systolic_array.core, None, tmp_path, monkeypatch)
    schedule = load(systolic_array, None, tmp_path, monkeypatch)
    verdict(Levels(golden=schedule.golden, cycles=schedule.cycles, core=core.Core))
