"""Hosts of the systolic array's core in any order: nothing stops it, and its counters are exact.

A pass starts when its ports are free, its command is there, and so is room for its results; what
has started goes on. So the clocks in which the core has taken commands and its host has taken
result words say when every pass starts, at every level.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.sim import Simulator

from accelsim.engines.systolic_array import ENGINE
from accelsim.engines.systolic_array.cycle import simulate
from accelsim.hardware import SystolicArray
from accelsim.hls.nest import times
from accelsim.passes import ArrayPass, Opcode, array_words
from rtl.engines.systolic_array import CORE
from rtl.engines.systolic_array.core import TO_READER
from rtl.flow.cosim import AmaranthWires, result_bits
from rtl.flow.ports import payload
from rtl.host.job import sums
from rtl.host.starts import Taken, earliest
from tests.engines.base import Sequence
from tests.engines.systolic_array import random_array, random_sequence, sequence
from tests.naive import systolic_array as plain
from tests.naive.array_passes import result_words

OS, WS, IS, ROWS = Opcode
ARRAY = SystolicArray(3, 2, accumulator_depth=16, bank_depth=1024)


class Seen(NamedTuple):
    """What a host has done and got: words sent and results taken, and what the core says.

    filled : all words of the banks have been sent.
    """

    clock: int
    commands: int
    fills: dict[str, int]
    filled: bool
    results: int
    passes_read: int


Wish = Callable[[Seen], bool]  # whether a host acts in this clock


class Told(NamedTuple):
    """What a core did: results, clocks from the first start on, and its counters."""

    words: Any
    earliest: Any
    busy: int
    stalls: int
    read: list[int]  # the clock at which so many passes had been read
    taken: Taken


def tell(
    array: SystolicArray,
    work: Sequence,
    sends: Wish = lambda seen: True,
    fills: Callable[[Seen, str], bool] = lambda seen, stream: True,
    reads: Wish = lambda seen: True,
    most: int = 6000,
) -> Told:
    """What the core does where the host acts as it wishes, AssertionError if it is not done."""
    core = CORE.core(array)
    held = CORE.memories(array, work.commands, *work.memories)
    job = CORE.job(array, core, work.commands, held)
    assert all(len(fill.ends) == 1 for fill in job.fills), "half of the banks hold all words"
    streams = {fill.stream: fill.words for fill in job.fills} | {"commands": job.commands}
    sent, results = dict.fromkeys(streams, 0), []
    commands_taken, results_taken, read = [], [], []
    counters: list[int] = []

    async def host(ctx: Any) -> None:
        wires = AmaranthWires(core, ctx, tuple(streams))
        offering = dict.fromkeys(streams, False)
        for clock in range(most):
            filled = {name: count for name, count in sent.items() if name != "commands"}
            ends = all(len(streams[name]) == count for name, count in filled.items())
            seen = Seen(clock, sent["commands"], filled, ends, len(results), wires.passes_read())
            read.append(seen.passes_read)
            for name, words in streams.items():
                if not offering[name]:
                    wish = sends(seen) if name == "commands" else fills(seen, name)
                    offering[name] = sent[name] < len(words) and bool(wish)
                    word = words[sent[name]].tobytes() if offering[name] else b""
                    wires.drive(name, int.from_bytes(word, "little") if word else None)
            accepts = bool(reads(seen))
            wires.accept(accepts)
            if (word := wires.result()) is not None and accepts:
                results.append(word)
                results_taken.append(clock)
            for name in streams:
                if offering[name] and (name != "commands" or wires.ready(name)):
                    commands_taken.extend([clock] * (name == "commands"))
                    sent[name] += 1
                    offering[name] = False
            await ctx.tick()
            done = len(results) == job.results and sent["commands"] == len(job.commands)
            if done and wires.idle() and wires.passes_read() == len(job.commands):
                counters.extend((ctx.get(core.busy_cycles), ctx.get(core.stall_cycles)))
                return

    simulation = Simulator(core)
    simulation.add_clock(1e-8)
    simulation.add_testbench(host)
    simulation.run()
    assert counters, f"after {most} clocks {len(results)} of {job.results} results: {sent}"
    taken = Taken(np.array(commands_taken), np.array(results_taken))
    clocks = CORE.could_start(array, work.commands, taken)
    width = np.full(len(results), len(payload(core, "results")))
    words = sums(core, width, result_bits(core, results))
    return Told(words, earliest(clocks, int(clocks[0])), *counters, read, taken)


def check(array: SystolicArray, work: Sequence, told: Told) -> None:
    """Values by naive loops; clocks by schedule, registers and the plain machine."""
    memories = (memory.astype(np.int64) for memory in work.memories)
    words = result_words(array, work.commands, *memories)
    assert np.array_equal(told.words[work.used], words[work.used])
    started, retired = times(ENGINE.nest(array, work.passes, ""), told.earliest)
    assert told.busy == retired[-1] - started[0]
    run = simulate(array, work.commands, *work.memories, earliest=told.earliest)
    assert run.busy_cycles == told.busy
    lead = CORE.lead(array)
    sent = earliest(told.taken.commands + lead, int(told.taken.commands[0]) + lead)
    machine = plain.Machine(array, work.commands, *work.memories, sent=sent, room=told.earliest)
    for _ in plain.run(machine):
        pass
    assert machine.retired[-1] - machine.started[0] == told.busy
    assert machine.stalls == told.stalls


def pace(rng: np.random.Generator) -> Wish:
    """A host that acts in some clocks, or in bursts between pauses of many."""
    share = rng.choice((0.02, 0.2, 0.8, 1.0))
    length = int(rng.choice((1, 7, 60)))
    turns = rng.random(6000 // length + 1) < share
    return lambda seen: turns[seen.clock // length]


@pytest.mark.parametrize("seed", range(8))
def test_counters_of_any_host_are_those_of_the_plain_machine(seed):
    """Hosts that are slow with commands and results; all operands are there before."""
    rng = np.random.default_rng((21, seed))
    array = random_array(rng, tuple(rng.integers(1, 5, 2).tolist()), overlap=seed % 4 != 0)
    work = random_sequence(rng, array, int(rng.integers(1, 10)))
    slow, reads = pace(rng), pace(rng)

    def sends(seen: Seen) -> bool:
        return seen.filled and (slow(seen) or seen.clock > 4000)

    check(array, work, tell(array, work, sends, reads=lambda s: reads(s) or s.clock > 4500))


MIXED = (
    ArrayPass(OS, 3, 2, 5),
    ArrayPass(WS, 7, 2, 3),
    ArrayPass(ROWS, 2, 2, 3, taps=2, streams=2),
    ArrayPass(OS, 2, 2, 4, emit=0),
    ArrayPass(OS, 2, 2, 3, accumulate=1),
    ArrayPass(IS, 6, 1, 2, emit=0),
    ArrayPass(IS, 6, 1, 3, accumulate=1),
    ArrayPass(ROWS, 1, 2, 2, taps=1, fires=3),
)


def results_before(passes: tuple[ArrayPass, ...]) -> list[int]:
    """Result words of the passes before each."""
    return np.cumsum([0] + [array_words(p).results for p in passes]).tolist()


ORDERS: dict[str, dict[str, Wish]] = {
    # The command after the results of the one before: it was never ready.
    "a command after the results": {
        "sends": lambda seen: seen.results >= results_before(MIXED)[seen.commands]
    },
    "a command after the reading": {"sends": lambda seen: seen.passes_read >= seen.commands},
    "results after all commands": {"reads": lambda seen: seen.commands == len(MIXED)},
    "results before and after a pause": {"reads": lambda seen: not 30 < seen.clock < 400},
    "commands before and after a pause": {"sends": lambda seen: not 9 < seen.clock < 300},
    "commands one in a hundred clocks": {"sends": lambda seen: seen.clock % 100 == 40},
    "results one in fifty clocks": {"reads": lambda seen: seen.clock % 50 == 0},
    "commands and results by turns": {
        "sends": lambda seen: seen.clock % 40 < 20,
        "reads": lambda seen: seen.clock % 40 >= 20,
    },
    "two commands, then their results": {
        "sends": lambda seen: seen.results >= results_before(MIXED)[seen.commands // 2 * 2]
    },
    "a result for a command": {"reads": lambda seen: seen.results <= 4 * seen.commands},
}


@pytest.mark.parametrize("order", ORDERS)
def test_no_order_of_a_host_stops_the_core(order):
    """Fills come first; then every order ends, with exact counters."""
    array, work = ARRAY, sequence(np.random.default_rng(3), ARRAY, MIXED)
    wishes = dict(ORDERS[order])
    sends = wishes.pop("sends", lambda seen: True)
    told = tell(array, work, sends=lambda seen: seen.filled and sends(seen), **wishes)
    check(array, work, told)


FILLS: dict[str, Callable[[Seen, str], bool]] = {
    "top first": lambda seen, stream: stream == "top_fill" or seen.clock > 100,
    "left first": lambda seen, stream: stream == "left_fill" or seen.clock > 100,
    "by turns": lambda seen, stream: (seen.clock % 2 == 0) == (stream == "left_fill"),
}


@pytest.mark.parametrize("order", FILLS)
def test_fills_come_in_any_order(order):
    """The banks are always ready, whatever comes first; a command waits for neither."""
    work = sequence(np.random.default_rng(4), ARRAY, MIXED)
    told = tell(ARRAY, work, lambda seen: seen.filled, FILLS[order])
    check(ARRAY, work, told)


def test_results_come_and_passes_are_read_though_no_command_follows():
    """What has started is read, and delivered, in as many clocks as the generated page says."""
    passes = (ArrayPass(OS, 3, 2, 9), ArrayPass(WS, 20, 2, 3), ArrayPass(OS, 1, 1, 1))
    work = sequence(np.random.default_rng(5), ARRAY, passes)
    last = 700
    told = tell(ARRAY, work, lambda s: s.filled and (s.commands < 2 or s.clock >= last))
    check(ARRAY, work, told)
    first, second = told.taken.commands[:2].tolist()
    assert second - first == 1
    two = ENGINE.cycles(ARRAY, passes[:2])
    results = np.searchsorted(told.taken.results, last)
    assert results == array_words(passes[0]).results + array_words(passes[1]).results
    assert told.taken.results[results - 1] == first + CORE.lead(ARRAY) + two - 1 + TO_READER
    assert told.read[first + CORE.lead(ARRAY) + two] == 2


def test_a_tile_of_one_row_lets_the_next_load_at_once():
    """So that its command is missing from the first clock of the sequence on."""
    passes = (ArrayPass(WS, 2, 2, 1), ArrayPass(IS, 3, 1, 1))
    work = sequence(np.random.default_rng(8), ARRAY, passes)
    told = tell(ARRAY, work, lambda seen: seen.filled and seen.clock % 50 == 0)
    check(ARRAY, work, told)
    second = told.taken.commands[1] - told.taken.commands[0]
    assert told.stalls == second - 1


def test_passes_wait_for_room_and_start_as_soon_as_a_word_is_taken():
    """A reader that takes nothing until no pass can start, then a word in ten clocks."""
    passes = (ArrayPass(OS, 3, 2, 2), ArrayPass(WS, 5, 2, 2), ArrayPass(ROWS, 2, 2, 2, taps=1)) * 12
    work = sequence(np.random.default_rng(7), ARRAY, passes)
    told = tell(
        ARRAY, work, lambda seen: seen.filled, reads=lambda s: s.clock > 500 and s.clock % 10 == 0
    )
    check(ARRAY, work, told)
    assert results_before(passes)[-1] > ARRAY.result_depth
    assert told.stalls > 300


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_no_pass_waits_for_room_while_the_reader_takes_every_word(overlap):
    """Passes with as many results as the limits allow, in every order of two."""
    array = SystolicArray(4, 3, bank_depth=1 << 13, overlap=overlap)
    streamed, fired = array.most_streamed, array.most_fired // array.rows
    longest = (
        ArrayPass(WS, streamed, 3, 1),
        ArrayPass(ROWS, 4, 4 - 1, 2, taps=1, fires=1),
        ArrayPass(ROWS, 3, 3, 3, taps=2, fires=array.most_fired // 3),
        ArrayPass(OS, 4, 3, 1),
    )
    assert fired > 1
    order = [0, 0, 1, 1, 2, 2, 3, 3, 0, 2, 0, 3, 1, 0, 1, 2, 1, 3, 2, 3, 0, 0, 0]
    passes = tuple(longest[place] for place in order)
    work = sequence(np.random.default_rng(6), array, passes)
    told = tell(array, work, lambda seen: seen.filled)
    assert told.stalls == 0
    assert told.busy == ENGINE.cycles(array, passes)
