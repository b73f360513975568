"""Whatever a host does, the core comes to an end, in the clocks of the plain machine."""

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from accelsim.engines.depthwise import ENGINE
from accelsim.engines.depthwise.cycle import simulate
from accelsim.engines.depthwise.golden import golden
from accelsim.engines.depthwise.schedule import tile_count
from accelsim.hardware import DepthwiseEngine
from accelsim.hls.nest import times
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode, DepthwisePass, columns
from rtl.engines.depthwise import job
from tests.engines.base import Sequence
from tests.engines.depthwise import random_engine, sequence, small_sequence
from tests.naive import depthwise as plain
from tests.rtl.engines.depthwise.hosts import (
    COMMANDS,
    MAP,
    RESULTS,
    TAPS,
    Answer,
    Crossed,
    Offers,
    StuckError,
    answer,
)

SHAPES = ((1, 1), (2, 3), (1, 8), (8, 1), (4, 3))
POINT = DepthwisePass(DepthwiseOpcode.ROW, 2, 1, 1, 1, 1)
SQUARE = DepthwisePass(DepthwiseOpcode.ROW, 2, 4, 6, 4, 6, 3, 3, 1, 1, 1, 1, 1, 1)
LONG = DepthwisePass(DepthwiseOpcode.FLAT, 3, 9, 7, 9, 7, 1, 5, pl=2)
NARROW = DepthwiseEngine(3, 4, fill_port=5, bank_depth=64, tap_depth=64)
WIDE = DepthwiseEngine(3, 4, bank_depth=512, tap_depth=256)


def filled(crossed: Crossed) -> bool:
    """All words are in the memories."""
    return all(crossed.sent[fill] == crossed.of[fill] for fill in (MAP, TAPS))


def at_random(seed: int, idle: dict[str, float], fills_first: bool) -> Offers:
    """Idle with so large a probability on every stream; memories without a port are full before."""
    draw = random.Random(seed).random

    def offers(stream: str, clock: int, crossed: Crossed) -> bool:
        if fills_first and stream in (MAP, TAPS):
            return True
        if fills_first and stream == COMMANDS and not filled(crossed):
            return False
        return draw() >= idle.get(stream, 0)

    return offers


def check(engine: DepthwiseEngine, work: Sequence, offers: Offers) -> Answer:
    """Values are right, and counters and times those of the plain machine."""
    done = answer(engine, work, offers)
    about = f"{engine}\n{work.passes}"
    expected = golden(engine, work.commands, *work.memories)
    assert np.array_equal(done.words[work.used], expected[work.used]), about
    host = done.host if engine.fill_port else done.host._replace(maps=None, taps=None)
    machine = plain.Machine(engine, work.commands, *work.memories, host=host)
    for _ in plain.run(machine):
        pass
    assert (done.busy, done.stalls) == (machine.busy, machine.stalls), about
    assert (done.started, done.retired) == (machine.started, machine.retired), about
    assert done.busy <= ENGINE.cycles(engine, work.passes) + done.stalls, about
    return done


def check_late_commands(engine: DepthwiseEngine, work: Sequence, offers: Offers) -> int:
    """The same, and all levels agree if they are told when commands came; clocks that it cost."""
    done = check(engine, work, offers)
    earliest = [max(0, at + job.lead(engine)) for at in done.crossed[COMMANDS]]
    started, retired = times(ENGINE.nest(engine, work.passes, ""), earliest)
    run = simulate(engine, work.commands, *work.memories, earliest=earliest)
    for level in ((started, retired), (run.started, run.retired)):
        assert [clocks.tolist() for clocks in level] == [done.started, done.retired]
    assert done.busy == retired[-1] - started[0]
    return done.busy - ENGINE.cycles(engine, work.passes)


@pytest.mark.parametrize("fill", [False, True], ids=["banks", "fill port"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_stream_at_any_pace(shape, fill):
    rng = np.random.default_rng([*shape, fill])
    engine = random_engine(rng, shape, fill, depth=1 << 10)
    for seed in range(2):
        work = small_sequence(rng, engine, int(rng.integers(1, 6)))
        idle = {name: float(rng.choice((0, 0.5, 0.9, 0.97))) for name in (COMMANDS, RESULTS)}
        idle |= {name: float(rng.choice((0, 0.3, 0.8))) for name in (MAP, TAPS)}
        check(engine, work, at_random(seed, idle, not fill))


@pytest.mark.parametrize("fill", [False, True], ids=["banks", "fill port"])
def test_late_commands_alone(fill):
    """A fill port has a host with the words of every pass before its command."""
    rng = np.random.default_rng(fill)
    costs = []
    for seed, shape in enumerate(SHAPES[1:4]):
        engine = random_engine(rng, shape, fill, depth=1 << 10)
        work = small_sequence(rng, engine, 4)
        costs.append(check_late_commands(engine, work, at_random(seed, {COMMANDS: 0.97}, not fill)))
    assert max(costs) > 30


# ---- orders -----------------------------------------------------------------------------------


class Ends(NamedTuple):
    """Words of a sequence up to and with every pass, by port."""

    of: dict[str, list[int]]

    @classmethod
    def of_work(cls, engine: DepthwiseEngine, work: Sequence) -> "Ends":
        column = columns(DepthwiseCommand)
        words, parts, entries, beats = (
            work.commands[:, column[name]] for name in ("words", "parts", "entries", "beats")
        )
        tiles = [tile_count(engine, p) for p in work.passes]
        counts = {
            MAP: words * parts, TAPS: entries, RESULTS: beats * tiles,
            COMMANDS: np.ones_like(beats),
        }  # fmt: skip
        return cls({name: np.cumsum(count).tolist() for name, count in counts.items()})

    def ended(self, stream: str, crossed: Crossed) -> int:
        """Passes of which all words have crossed a port: the next word is of the one behind."""
        return sum(end <= crossed.sent[stream] for end in self.of[stream])


Rule = Callable[[str, int, Crossed, Ends], bool]


def after(first: str, second: str, passes: int = 1) -> Rule:
    """Words of `first` once `second` has sent those of the same so many passes."""

    def rule(stream: str, clock: int, crossed: Crossed, ends: Ends) -> bool:
        if stream != first:
            return True
        group = ends.ended(first, crossed) // passes
        wanted = min((group + 1) * passes, len(ends.of[first]))
        return ends.ended(second, crossed) >= wanted

    return rule


def behind(first: str, second: str, passes: int) -> Rule:
    """Words of `first` once `second` has sent those of all passes but so many before."""

    def rule(stream: str, clock: int, crossed: Crossed, ends: Ends) -> bool:
        return stream != first or ends.ended(second, crossed) > ends.ended(first, crossed) - passes

    return rule


def every(clocks: int, *streams: str) -> Rule:
    """A word of these in so many clocks."""
    return lambda stream, clock, crossed, ends: stream not in streams or clock % clocks == 0


def bursts(clocks: int, *streams: str) -> Rule:
    """So many clocks of words, then as many without, in turn for each of the streams."""

    def rule(stream: str, clock: int, crossed: Crossed, ends: Ends) -> bool:
        if stream not in streams:
            return True
        return clock // clocks % len(streams) == streams.index(stream)

    return rule


def from_clock(start: int, *streams: str) -> Rule:
    """Nothing on these before a clock."""
    return lambda stream, clock, crossed, ends: stream not in streams or clock >= start


ALL = COMMANDS, MAP, TAPS, RESULTS
ANY_ENGINE: dict[str, Rule] = {
    "everything at once": lambda stream, clock, crossed, ends: True,
    "a command once the results of those before it are read": behind(COMMANDS, RESULTS, 1),
    "two commands ahead of the results": behind(COMMANDS, RESULTS, 2),
    "a command when the passes before it have been read": (
        lambda stream, clock, crossed, ends: (
            stream != COMMANDS or crossed.passes_read == crossed.sent[COMMANDS]
        )
    ),
    "commands now and then": every(61, COMMANDS),
    "commands in pairs, long apart": bursts(90, COMMANDS, ""),
    "a reader that comes late": from_clock(500, RESULTS),
    "a reader of every seventh clock": every(7, RESULTS),
    "a reader in bursts": bursts(50, RESULTS, ""),
    "reads and sends in turn": bursts(20, COMMANDS, RESULTS),
    "everything seldom": every(11, *ALL),
    "each stream in its turn": bursts(9, *ALL),
}
FILL_PORT: dict[str, Rule] = {
    "the map of a pass, then its taps": after(TAPS, MAP),
    "the taps of a pass, then its map": after(MAP, TAPS),
    "maps of two passes, then their taps": after(TAPS, MAP, 2),
    "taps of two passes, then their maps": after(MAP, TAPS, 2),
    "a map when its pass is the next to be read": behind(MAP, RESULTS, 1),
    "words once their command is taken": after(MAP, COMMANDS),
    "words long before their command": from_clock(300, COMMANDS),
    "commands long before their words": from_clock(300, MAP, TAPS),
    "taps long before the map": from_clock(300, MAP),
    "the map long before the taps": from_clock(300, TAPS),
    "a slow map": every(5, MAP),
    "slow taps": every(17, TAPS),
    "map and taps in turn": bursts(1, MAP, TAPS),
    "map and taps in long turns": bursts(40, MAP, TAPS),
}
PASSES = (SQUARE, POINT, LONG, POINT, SQUARE, SQUARE)


def run_order(
    engine: DepthwiseEngine, rule: Rule, seed: int, passes: tuple[DepthwisePass, ...] = PASSES
) -> None:
    work = sequence(np.random.default_rng(seed), engine, passes)
    ends = Ends.of_work(engine, work)

    def offers(stream: str, clock: int, crossed: Crossed) -> bool:
        # Words must be there before the command that reads them.
        waits = stream == COMMANDS and not filled(crossed)
        if not engine.fill_port and (waits or stream in (MAP, TAPS)):
            return not waits
        return rule(stream, clock, crossed, ends)

    check(engine, work, offers)


@pytest.mark.parametrize("name", ANY_ENGINE)
def test_orders_without_a_fill_port(name):
    run_order(WIDE, ANY_ENGINE[name], 1)


@pytest.mark.parametrize("name", [*ANY_ENGINE, *FILL_PORT])
def test_orders_with_a_fill_port(name):
    run_order(NARROW, (ANY_ENGINE | FILL_PORT)[name], 2)


def test_a_pass_waits_for_its_taps_behind_one_of_a_single_tap():
    """Its map and its first tile are there long before, and the other tap has just come in."""
    run_order(NARROW, from_clock(300, TAPS), 4, (POINT, SQUARE))


def test_more_than_the_memories_hold_waits():
    """A third map comes in only once the first pass has ended, which takes its taps."""
    with pytest.raises(StuckError):
        run_order(NARROW, after(TAPS, MAP, 3), 3)
