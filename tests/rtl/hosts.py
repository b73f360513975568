"""Hosts that send and read in orders of their own, whatever order that is.

A host decides in every clock, for every stream, whether it offers its next word, and whether it
reads. What it offers stays until it is taken. Whatever it does, it sends no command before the
words of its pass, and no word while what it overwrites may still be read, where that is its duty.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from rtl.flow.cosim import result_bits
from rtl.flow.ports import payload
from rtl.host.driver import Job
from rtl.host.job import sums

Groups = Mapping[str, npt.NDArray[np.int64]]


class Seen(NamedTuple):
    """What a host goes by in a clock.

    sent : words that the core has taken, of every stream.  read : result words.
    taken_at, read_at : clocks of the last of each; -1 before.
    passes_read, idle, valid : outputs of the core.  ready : of every stream.
    """

    clock: int
    sent: Mapping[str, int]
    read: int
    taken_at: Mapping[str, int]
    read_at: int
    passes_read: int
    idle: bool
    valid: bool
    ready: Mapping[str, bool]


class Work(NamedTuple):
    """What is to be sent and read.

    results : int64[passes], result words up to the end of each pass.
    ends : of every fill, words up to the end of each group: what a pass takes, where the core
        takes words pass by pass, else a half of the memory.
    sequences : int64[sequences], passes up to the end of each sequence.
    """

    results: npt.NDArray[np.int64]
    ends: Groups
    sequences: npt.NDArray[np.int64]

    def group(self, seen: Seen, stream: str) -> int:
        """The group of the next word of a fill."""
        return int(np.searchsorted(self.ends[stream], seen.sent[stream], "right"))

    def is_sent(self, seen: Seen, stream: str, group: int) -> bool:
        """Whether all words up to the end of a group have been taken."""
        return group < 0 or seen.sent[stream] >= self.ends[stream][group]

    def results_before(self, command: int) -> int:
        """Result words of the passes before a command."""
        return int(self.results[command - 1]) if command else 0


Offers = Callable[[Work, Seen, str], bool]
Accepts = Callable[[Work, Seen], bool]


class HostOf(NamedTuple):
    """Whether a host offers its next word on a stream, whether it reads, and how long it rests."""

    offers: Offers = lambda work, seen, stream: True
    accepts: Accepts = lambda work, seen: True
    rests: int = 0


class StuckError(Exception):
    """Nothing has happened for longer than any pass takes."""


class Play:
    """A core in Amaranth's simulator, elaborated once, played by one host after another."""

    def __init__(self, core: Any, job: Job, work: Work, patience: int) -> None:
        """With a core that is to answer within `patience` clocks."""
        self._core, self._job, self._work, self._patience = core, job, work, patience
        self._words = {"commands": _payloads(job.commands)}
        self._words |= {fill.stream: _payloads(fill.words) for fill in job.fills}
        self._simulation = Simulator(core)
        self._simulation.add_clock(1e-8)
        self._simulation.add_testbench(self._bench)
        self._has_run = False
        self._host = HostOf()
        self._results: list[int] = []

    def run(self, host: HostOf) -> npt.NDArray[np.int32]:
        """int32[result words, values]; StuckError where the core waits for what never comes."""
        self._host, self._results = host, []
        if self._has_run:  # the coroutine of a simulation that never runs would be a warning
            self._simulation.reset()
        self._has_run = True
        self._simulation.run()
        every = np.full(len(self._results), len(payload(self._core, "results")))
        return sums(self._core, every, result_bits(self._core, self._results))

    async def _bench(self, ctx: Any) -> None:
        core, host, work = self._core, self._host, self._work
        streams = {name: getattr(core, name) for name in self._words}
        offered = dict.fromkeys(streams, False)
        sent, taken_at = dict.fromkeys(streams, 0), dict.fromkeys(streams, -1)
        read_at, clock, quiet = -1, 0, 0
        while not self._is_over(sent, ctx):
            seen = Seen(
                clock, dict(sent), len(self._results), dict(taken_at), read_at,
                ctx.get(core.passes_read), bool(ctx.get(core.idle)),
                bool(ctx.get(core.results.valid)),
                {name: bool(ctx.get(stream.ready)) for name, stream in streams.items()},
            )  # fmt: skip
            for name, stream in streams.items():
                place = sent[name]
                if not offered[name] and place < len(self._words[name]):
                    may = self._may_send(seen, name) and host.offers(work, seen, name)
                    offered[name] = bool(may)
                    if offered[name]:
                        ctx.set(stream.payload.as_value(), self._words[name][place])
                ctx.set(stream.valid, offered[name])
            accepts = bool(host.accepts(work, seen))
            ctx.set(core.results.ready, accepts)
            quiet += 1
            for name, stream in streams.items():
                if offered[name] and ctx.get(stream.ready):
                    sent[name], taken_at[name], offered[name], quiet = (
                        sent[name] + 1,
                        clock,
                        False,
                        0,
                    )
            if seen.valid and accepts:
                self._results.append(ctx.get(core.results.payload.as_value()))
                read_at, quiet = clock, 0
            if quiet > self._patience + host.rests:
                raise StuckError(f"{sent} sent, {len(self._results)} words read in {clock} clocks")
            await ctx.tick()
            clock += 1

    def _may_send(self, seen: Seen, name: str) -> bool:
        """What is the duty of every host."""
        place = seen.sent[name]
        if name == "commands":
            chunk = int(self._job.command_after[place]) - 1
            return all(self._work.is_sent(seen, fill.stream, chunk) for fill in self._job.fills)
        fill = next(fill for fill in self._job.fills if fill.stream == name)
        return bool(fill.after[place] <= seen.passes_read)

    def _is_over(self, sent: Mapping[str, int], ctx: Any) -> bool:
        return (
            all(sent[name] == len(words) for name, words in self._words.items())
            and len(self._results) == self._job.results
            and bool(ctx.get(self._core.idle))
        )


def _payloads(words: npt.NDArray[np.uint8]) -> list[int]:
    return [int.from_bytes(word.tobytes(), "little") for word in words]


# --- the hosts


def _every(period: int, first: int = 0) -> Callable[[Work, Seen], bool]:
    return lambda work, seen: seen.clock % period == first


def _in_bursts(on: int, off: int) -> Accepts:
    return lambda work, seen: seen.clock % (on + off) >= off


def _commands(condition: Accepts) -> Offers:
    """A condition on commands alone."""
    return lambda work, seen, stream: stream != "commands" or condition(work, seen)


def _fills(condition: Offers) -> Offers:
    """A condition on the words that fill memories."""
    return lambda work, seen, stream: stream == "commands" or condition(work, seen, stream)


def _after_results(count: int) -> Accepts:
    """So many commands at a time, then all results of theirs."""

    def may(work: Work, seen: Seen) -> bool:
        batch = seen.sent["commands"] // count * count
        return seen.read >= work.results_before(batch)

    return may


def _one_after_the_other(first: int) -> Offers:
    """Of each group all words of one memory before the first of the other."""

    def may(work: Work, seen: Seen, stream: str) -> bool:
        streams = list(work.ends)
        group = work.group(seen, stream)
        if stream == streams[first]:
            return work.is_sent(seen, streams[1 - first], group - 1)
        return work.is_sent(seen, streams[first], group)

    return may


def _by_turns(work: Work, seen: Seen, stream: str) -> bool:
    """A word of one memory, then of the other, as long as both have words of the group."""
    other = next(name for name in work.ends if name != stream)
    done = work.is_sent(seen, other, work.group(seen, stream))
    return done or seen.sent[stream] <= seen.sent[other]


def _one_stream_at_a_time(work: Work, seen: Seen, stream: str) -> bool:
    """By the clock; a stream has eight clocks."""
    streams = ["commands", *work.ends]
    return streams[seen.clock // 8 % len(streams)] == stream


def _primes(work: Work, seen: Seen, stream: str) -> bool:
    return seen.clock % dict(zip(["commands", *work.ends], (3, 5, 7), strict=True))[stream] == 0


def _sequence_of(work: Work, seen: Seen) -> int:
    return int(np.searchsorted(work.sequences, seen.sent["commands"], "right"))


def _when_idle_between_sequences(work: Work, seen: Seen) -> bool:
    """The first command of a sequence once the one before is over; the others at once."""
    begins = seen.sent["commands"] in (0, *work.sequences.tolist())
    waited = seen.clock > seen.taken_at["commands"] + 3  # idle falls behind the first command
    return not begins or (seen.idle and (waited or seen.clock < 3))


def _rested(clocks: int) -> Accepts:
    """Commands so many clocks after the one before."""
    return lambda work, seen: seen.clock >= seen.taken_at["commands"] + clocks


HOSTS = {
    # The first two stopped cores that froze as a whole for what was missing.
    "a command after all results of the one before": HostOf(_commands(_after_results(1))),
    "the words of one memory, then those of the other": HostOf(_fills(_one_after_the_other(0))),
    "the other way round": HostOf(_fills(_one_after_the_other(1))),
    "words by turns": HostOf(_fills(_by_turns)),
    "as fast as it can": HostOf(),
    "two commands, then their results": HostOf(_commands(_after_results(2))),
    "three commands, then their results": HostOf(_commands(_after_results(3))),
    "commands late": HostOf(_commands(_rested(60)), rests=60),
    "commands very late": HostOf(_commands(_rested(200)), rests=200),
    "commands once those before have been read": HostOf(
        _commands(lambda work, seen: seen.passes_read >= seen.sent["commands"])
    ),
    "a command ahead of those that have been read": HostOf(
        _commands(lambda work, seen: seen.passes_read + 1 >= seen.sent["commands"])
    ),
    "sequences one by one, told by idle": HostOf(_commands(_when_idle_between_sequences)),
    "offers only to who is ready": HostOf(lambda work, seen, stream: seen.ready[stream]),
    "offers only to who was not ready": HostOf(
        lambda work, seen, stream: not seen.ready[stream] or seen.clock % 3 == 0
    ),
    "one stream at a time": HostOf(_one_stream_at_a_time, rests=24),
    "streams in coprime clocks": HostOf(_primes, _every(11), rests=11),
    "words one in nine clocks": HostOf(_fills(lambda work, seen, _: seen.clock % 9 == 0), rests=9),
    "words in bursts": HostOf(_fills(lambda work, seen, _: seen.clock % 96 < 32), rests=64),
    "words once the command before has been taken": HostOf(
        _fills(lambda work, seen, stream: seen.clock > seen.taken_at["commands"] + 20), rests=20
    ),
    "reads one word in seventeen clocks": HostOf(accepts=_every(17), rests=17),
    "reads every other clock": HostOf(accepts=_every(2), rests=2),
    "reads in bursts": HostOf(accepts=_in_bursts(7, 90), rests=90),
    "reads first after a long time": HostOf(accepts=lambda work, seen: seen.clock > 600, rests=600),
    "reads when everything is there": HostOf(
        accepts=lambda work, seen: seen.sent["commands"] == len(work.results)
    ),
    "reads when the sequence is over": HostOf(
        _commands(lambda work, seen: seen.read >= _results_of_sequences(work, seen)),
        lambda work, seen: seen.idle,
        rests=500,
    ),
    "reads only what is there": HostOf(accepts=lambda work, seen: seen.valid),
    "rests after every word": HostOf(
        accepts=lambda work, seen: seen.clock > seen.read_at + 5, rests=5
    ),
    "reads a word, then sends a command": HostOf(
        _commands(lambda work, seen: seen.clock % 2 == 0), _every(2, 1), rests=2
    ),
    "everything in bursts, out of step": HostOf(
        lambda work, seen, stream: seen.clock % 64 < 32, _in_bursts(32, 31), rests=64
    ),
}


def _results_of_sequences(work: Work, seen: Seen) -> int:
    """Result words of the sequences before the one whose command is next."""
    before = _sequence_of(work, seen)
    return work.results_before(int(work.sequences[before - 1])) if before else 0
