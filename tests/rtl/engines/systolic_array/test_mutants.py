"""Planted errors: whatever is wrong at one level, the comparison of the levels finds it."""

from importlib import import_module

import numpy as np
import pytest

from accelsim.engines.systolic_array import cycle, schedule
from accelsim.errors import AccelsimError
from accelsim.hardware import SystolicArray
from rtl.engines.systolic_array import accumulators, commands, core, element, grid, sequencer
from rtl.host.driver import Stalls
from tests.engines.systolic_array import SUBJECT, random_sequence, sequence
from tests.rtl.agreement import Levels, check, levels_of
from tests.rtl.engines.systolic_array.cases import BANK_DEPTH, CASES, TALL_CASES
from tests.rtl.mutants import Mutant, load, load_last, named, planted

# The package has a function of the same name.
golden = import_module("accelsim.engines.systolic_array.golden")

ELEMENT = (
    Mutant(
        "os: operand of w",
        "Mux(f.stationary | f.half_speed, self.w, i.b)",
        "self.w",
    ),
    Mutant("ws, is: operand from above", "Mux(f.stationary | f.half_speed,", "Mux(f.half_speed,"),
    Mutant("rows: operand from above", "Mux(f.stationary | f.half_speed,", "Mux(f.stationary,"),
    Mutant("first is missing", "coming.first", "0"),
    Mutant("w not held in ws", "Mux(f.stationary, self.w, i.w)", "i.w"),
    Mutant("acc not held in ws", "m.Elif(~adding.stationary)", "m.Else()"),
    Mutant("values at full speed", "Mux(self.f.half_speed, self.b, self.a)", "self.a"),
    Mutant(
        "sums pass the shadow",
        "Mux(adding.capture, total, Mux(",
        "Mux(adding.capture, self.acc, Mux(",
    ),
    Mutant("flags are those of the operands", "self.g[2]\n", "self.g[1]\n"),
)

GRID = (
    Mutant("rows of operands swapped", "self.left[i], 0", "self.left[rows - 1 - i], 0"),
    Mutant("columns of operands swapped", "[self.top[j] for", "[self.top[columns - 1 - j] for"),
    Mutant("a row too few", "before.rows >= rows - i", "before.rows > rows - i"),
    Mutant("a row too many", "before.rows > i", "before.rows >= i"),
    Mutant(
        "drain thermometer",
        "self._remaining > rows - i",
        "self._remaining >= rows - i",
    ),
    Mutant(
        "drain without thermometer",
        "self._remaining > rows - i",
        "self._remaining != 0",
    ),
    Mutant("load thermometer", "self.load.beat >= i", "self.load.beat > i"),
    Mutant("load without thermometer", " & (self.load.beat >= i)", ""),
    Mutant("taps not zero for the values", "Mux(frame.tap_write, 0, value)", "value"),
)

COMMANDS = (
    Mutant("is is not known", " | (opcode == Opcode.IS)", ""),
    Mutant(
        "commands have room at once",
        "self.staying_opens & ~staying_lacks",
        "self.staying_opens",
    ),
    Mutant(
        "room for one word more",
        "init=self.array.result_depth)",
        "init=self.array.result_depth + 1)",
    ),
    Mutant("places never come back", "coming, first + self.handed", "coming, first"),
    Mutant("room for one fire", "Mux(tile, work.m, work.fires)", "Mux(tile, work.m, 1)"),
    Mutant("room for what is kept", "times.eq(Mux(work.emit,", "times.eq(Mux(1,"),
    Mutant("a stream of two is one", "o.one.eq(i.clocks <= 1)", "o.one.eq(i.clocks <= 2)"),
    Mutant("a stream of two is long", "o.two.eq(i.clocks <= 2)", "o.two.eq(i.clocks <= 1)"),
)

SEQUENCER = (
    Mutant("rows counted from the wrong end", "frame.from_top.eq(1)", "frame.from_top.eq(0)"),
    Mutant("sums always begin", "is_first.eq(~command.work.accumulate)", "is_first.eq(1)"),
    Mutant("kept sums drain", "sends.eq(head.emit)", "sends.eq(1)"),
    Mutant("first on every stream", "(clocks == taps) & stream.is_first",
     "clocks == taps"),
    Mutant(
        "drain slot one clock short",
        "self._drain_left.eq(stream.results - 1)",
        "self._drain_left.eq(Mux(stream.results > 1, stream.results - 2, 0))",
    ),
    Mutant(
        "drain slot one clock long",
        "self._drain_left.eq(stream.results - 1)",
        "self._drain_left.eq(stream.results)",
    ),
    Mutant(
        "a drain that begins is not seen",
        "Mux(stream.sending, head.follows,",
        "Mux(0, head.follows,",
    ),
    Mutant("swap into a drain", " & self._drains_soon", ""),
    Mutant("swap one clock late", "_drains_soon & stream.two", "_drains_soon & stream.one"),
    Mutant(
        "a swap behind a short stream is late",
        "stream.two.eq(self._tile.one)",
        "stream.two.eq(0)",
    ),
    Mutant("tap read one late", "behind_taps - clocks)", "work.taps - clocks)"),
    Mutant("tap written one early", "- stream.taps_remaining)", "- stream.taps_remaining - 1)"),
    Mutant("taps end early", "more.eq(~stream.one)", "more.eq(~stream.two)"),
    Mutant(
        "fires one clock apart",
        "stream.length),\n                stream.work.n,",
        "stream.length),\n                stream.work.n + 1,",
    ),
    Mutant("plain, but overlapped", "~under_way & (wait == 0)", "1"),
    Mutant("plain, a clock early", "latency - 4),", "latency - 5),"),
)  # fmt: skip

ACCUMULATORS = (
    Mutant("accumulate is ignored", "adds.eq(beat.beat & beat.accumulate)", "adds.eq(0)"),
    Mutant("accumulate always", "adds.eq(beat.beat & beat.accumulate)", "adds.eq(beat.beat)"),
    Mutant("a sum read before it is written", "again[age].eq(same)", "again[age].eq(0)"),
    Mutant("the oldest of several sums is read",
           "Mux(adding.again[0], total,", "Mux(adding.again[0] & ~adding.again[1], total,"),
    Mutant("a sum in a register is read", "fetches.eq(adds & ~found)", "fetches.eq(adds)"),
    Mutant("sums are stored and emitted", "now.store.eq(beat.beat & ~beat.emit)",
           "now.store.eq(beat.beat)"),
    Mutant("the last column is not awaited", "before_last.eq(width - 1)",
           "before_last.eq(width - 2)"),
)  # fmt: skip

CORE = (
    Mutant("a sequence ends with its last start", "(accumulators.tail == 0)", "1"),
    Mutant("the next sequence is not held back", "& ~(all_started & ~done)", "& 1"),
    Mutant("waiting is not busy", "busy_cycles + active", "busy_cycles + (active & ~stalls)"),
)  # fmt: skip

SCHEDULE = (
    Mutant("os ends late", "offset=p.k - 1 + latency", "offset=p.k + latency"),
    Mutant("os ends early", "offset=p.k - 1 + latency", "offset=p.k - 2 + latency"),
    Mutant("ws, is end late", "offset=latency)", "offset=latency + 1)"),
    Mutant("ws, is end early", "offset=latency)", "offset=latency - 1)"),
    Mutant("rows ends late", "offset=first - 1 + latency", "offset=first + latency"),
    Mutant("rows ends early", "offset=first - 1 + latency", "offset=first - 2 + latency"),
    Mutant("os leaves a port free", '("left", "top")),\n            Stage("drain"',
           '("top",)),\n            Stage("drain"'),
    Mutant("a tile waits for its stream", "until=(1, -1)", "until=(1, 0)"),
    Mutant("no clock for the swap", "after=p.k + 1", "after=p.k"),
    Mutant("kept sums drain", "p.opcode in STATIONARY or p.emit", "True"),
    Mutant("fires drain as one", '"earlier fires", p.fires - 1', '"earlier fires", 0'),
)  # fmt: skip

GOLDEN = (
    Mutant("words of os in order", ".astype(np.int64))[::-1]", ".astype(np.int64))"),
    Mutant("tiles upside down", "[::-1].astype(np.int64)", ".astype(np.int64)"),
    Mutant("windows in order", "out[:, ::-1, ::-1]", "out[:, ::-1]"),
    Mutant("accumulate is ignored", "words += accumulator", "accumulator"),
    Mutant("kept sums are lost", "words + kept if", "words if"),
)

# Compiled anew for each, so a few only, and none that waits for ever.
CYCLE = (
    Mutant("drain slot one clock long", "drain_left = work.m - 1", "drain_left = work.m"),
    Mutant("results leave a clock late", "port, number - 1 + rows +", "port, number + rows +"),
)


LEVELS = levels_of(SUBJECT)


def verdict(levels: Levels) -> None:
    """AssertionError if the levels do not agree on explicit and random sequences, at any pace.

    The shortest comes first, since most errors need no more.
    """
    rng = np.random.default_rng(9)
    tall = SystolicArray(6, 2, max_taps=4, bank_depth=BANK_DEPTH)
    work = [sequence(rng, tall, passes) for passes in TALL_CASES.values()]
    check(SUBJECT, tall, work, levels=levels)
    plain = SystolicArray(2, 3, max_taps=4, overlap=False, bank_depth=BANK_DEPTH)
    work = [random_sequence(rng, plain, 5) for _ in range(2)]
    check(SUBJECT, plain, work, levels=levels)
    array = SystolicArray(3, 4, accumulator_depth=16, bank_depth=BANK_DEPTH)
    work = [sequence(rng, array, passes) for passes in CASES.values()]
    stalls = Stalls(0.2, 0.1, 0.1, 0.9, seed=1)
    check(SUBJECT, array, work, stalls, trace=True, levels=levels)


def assert_caught(levels: Levels) -> None:
    with pytest.raises((AssertionError, AccelsimError)):
        verdict(levels)


PARTS = {
    element: ELEMENT,
    grid: GRID,
    commands: COMMANDS,
    sequencer: SEQUENCER,
    accumulators: ACCUMULATORS,
    core: CORE,
}


@planted(PARTS)
def test_error_in_the_hardware_is_caught(part, mutant, tmp_path, monkeypatch):
    twin = load_last(PARTS, part, mutant, tmp_path, monkeypatch)
    assert_caught(LEVELS._replace(core=twin.Core))


@named(SCHEDULE)
def test_error_in_the_schedule_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(LEVELS._replace(nest=load(schedule, mutant, tmp_path, monkeypatch).nest))


@named(GOLDEN)
def test_error_in_golden_is_caught(mutant, tmp_path, monkeypatch):
    assert_caught(LEVELS._replace(golden=load(golden, mutant, tmp_path, monkeypatch).golden))


@pytest.mark.full
@named(CYCLE)
def test_error_in_the_register_accurate_simulation_is_caught(mutant, tmp_path, monkeypatch):
    twin = load(cycle, mutant, tmp_path, monkeypatch)
    assert_caught(LEVELS._replace(simulate=twin.simulate))


@pytest.mark.full
def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    """The same way through copies of the sources, unchanged."""
    copied = {
        name: getattr(load(module, None, tmp_path, monkeypatch), name)
        for name, module in (("golden", golden), ("nest", schedule), ("simulate", cycle))
    }
    twin = load_last(PARTS, None, None, tmp_path, monkeypatch)
    verdict(Levels(core=twin.Core, **copied))
