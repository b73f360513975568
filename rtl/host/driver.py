"""The host of a core: what it sends on which stream and when, whatever simulates the core.

This module is loaded by the simulator of the Verilog, so it knows neither Amaranth nor cocotb.
"""

import random
from collections.abc import Callable
from dataclasses import astuple, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.errors import AccelsimError
from rtl.host.chunks import Int

Bytes = npt.NDArray[np.uint8]

REPORT_EVERY = 1000  # clocks between reports of progress
UNDEFINED = 2  # a bit that is neither 0 nor 1

# The files of a job in the directory that the environment variable names.
DIRECTORY = "ACCELSIM_BENCH"
JOB, RESULTS, PROGRESS = "job.npz", "results.npz", "progress"
RETURNED = ("bits", "busy_cycles", "stall_cycles", "commands_taken", "results_taken")  # in RESULTS

NOTHING = -1
_NEVER = 1 << 62


@dataclass(frozen=True)
class Stalls:
    """How often the host is idle where it could act: probabilities per clock, seeded.

    commands, first_fill, second_fill : of not offering a word that could be sent; fills are those
        of the core in the order of its ports, by turns where it has more of them.
    results : of not accepting a word.
    """

    commands: float = 0.0
    first_fill: float = 0.0
    second_fill: float = 0.0
    results: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("commands", "first_fill", "second_fill", "results"):
            if not 0 <= getattr(self, name) < 1:
                raise AccelsimError(
                    f"stalls of {name} are a probability below 1, not {getattr(self, name)!r}"
                )


class Fill(NamedTuple):
    """What the host sends on a stream that fills a memory of the core.

    stream : its name.
    words : uint8[words, bytes], the payloads, bit 0 first.
    after : int64[words], passes that must have been read before.
    ends : int64[chunks], words that have been sent when a chunk is complete.
    always_ready : whether the core takes a word in every clock.
    """

    stream: str
    words: Bytes
    after: Int
    ends: Int
    always_ready: bool


class Job(NamedTuple):
    """Everything that the host sends, as bits, and what it waits for.

    commands : uint8[words, bytes], the payloads, bit 0 first.
    command_after : int64[passes], chunks whose words must be in the memories before.
    fills : the streams beside the commands.
    results : result words that the core returns.
    patience : clocks after which a core that does nothing is stuck.
    """

    commands: Bytes
    command_after: Int
    fills: tuple[Fill, ...]
    results: int
    patience: int

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams into the core."""
        return "commands", *(fill.stream for fill in self.fills)

    @property
    def words(self) -> int:
        """All that the host sends and gets, of which at most one a clock on every stream."""
        return len(self.commands) + sum(len(fill.words) for fill in self.fills) + self.results


def save_job(path: Path, job: Job, stalls: Stalls) -> None:
    """Write a job and its stalls for a simulator in another process."""
    values: dict[str, Any] = job._asdict() | {"stalls": np.array(astuple(stalls), np.float64)}
    values["fills"] = len(job.fills)
    for index, fill in enumerate(job.fills):
        values |= {f"{name}_{index}": value for name, value in fill._asdict().items()}
    np.savez(path, allow_pickle=False, **values)


def load_job(path: Path) -> tuple[Job, Stalls]:
    """Read what `save_job` wrote."""
    with np.load(path) as file:
        fills = tuple(
            Fill(
                str(file[f"stream_{index}"]),
                file[f"words_{index}"],
                file[f"after_{index}"],
                file[f"ends_{index}"],
                bool(file[f"always_ready_{index}"]),
            )
            for index in range(int(file["fills"]))
        )
        numbers = int(file["results"]), int(file["patience"])
        job = Job(file["commands"], file["command_after"], fills, *numbers)
        commands, first, second, results, seed = file["stalls"].tolist()
    return job, Stalls(commands, first, second, results, int(seed))


class Wires(Protocol):
    """The ports of a simulated core between two clock edges.

    Valid and payload of its results and its counters depend on registers only. Ready of a stream
    may depend on what is offered on all of them.
    """

    def ready(self, stream: str) -> bool:
        """Whether the core takes the word offered on a stream."""

    def passes_read(self) -> int:
        """Passes whose operands have been read completely."""

    def idle(self) -> bool:
        """Whether no sequence is under way."""

    def result(self) -> Any:
        """Payload of the result stream, None if it is not valid."""

    def drive(self, stream: str, word: int | None) -> None:
        """Offer a word on a stream into the core, or withdraw valid."""

    def accept(self, ready: bool) -> None:
        """Drive ready of the result stream."""


class Host:
    """One clock of the host after another; the same for every simulator.

    clocks : that have been driven.
    results : payloads of the result words, as the simulator gives them.
    commands_taken, results_taken : the clocks at whose end each was, as `clocks` counts them.
    fills_taken : likewise, by stream, of those that are not taken in every clock.
    """

    def __init__(self, job: Job, stalls: Stalls) -> None:
        draw = random.Random(stalls.seed).random
        self._commands = _Source("commands", job.commands, job.command_after, stalls.commands, draw)
        turns = cycle((stalls.first_fill, stalls.second_fill))
        self._fills = [
            _Source(fill.stream, fill.words, fill.after, idle, draw)
            for fill, idle in zip(job.fills, turns, strict=False)
        ]
        self._always_ready = [
            source for source, fill in zip(self._fills, job.fills, strict=True) if fill.always_ready
        ]
        self._asking = [
            source for source in (self._commands, *self._fills) if source not in self._always_ready
        ]
        self._ends = list(zip(*(fill.ends.tolist() for fill in job.fills), strict=True))
        self._filled = 0
        self._read = 0
        self._job = job
        self._idle = stalls.results
        self._draw = draw
        self._accepting: bool | None = None
        self.clocks = 0
        self._last_state: tuple[int, ...] = ()
        self.results: list[Any] = []
        self.commands_taken: list[int] = []
        self.results_taken: list[int] = []
        self.fills_taken: dict[str, list[int]] = {
            fill.stream: [] for fill in job.fills if not fill.always_ready
        }

    def drive(self, wires: Wires) -> bool:
        """Drive the inputs for the coming clock edge; whether `sample` must let them settle."""
        self.clocks += 1
        if self.clocks % self._job.patience == 0:
            self._check_progress(wires)
        if max([source.waits_for for source in self._fills]) > self._read:
            self._read = wires.passes_read()
        while self._filled < len(self._ends) and self._is_filled(self._ends[self._filled]):
            self._filled += 1
        before = [source.offered for source in self._asking]
        self._commands.offer(wires, self._filled)
        for source in self._fills:
            source.offer(wires, self._read)
        for source in self._always_ready:
            source.sent += source.offered != NOTHING
        accepting = not (self._idle and self._draw() < self._idle)
        if accepting is not self._accepting:
            wires.accept(accepting)
            self._accepting = accepting
        offered = [source.offered for source in self._asking]
        return offered != before and max(offered) != NOTHING

    def sample(self, wires: Wires) -> bool:
        """Note what the coming clock edge transfers; False once the sequence is over."""
        for source in self._asking:
            if source.offered != NOTHING and wires.ready(source.stream):
                source.sent += 1
                if source is self._commands:
                    self.commands_taken.append(self.clocks)
                else:
                    self.fills_taken[source.stream].append(self.clocks)
        if self._accepting and (word := wires.result()) is not None:
            self.results.append(word)
            self.results_taken.append(self.clocks)
            if len(self.results) > self._job.results:
                raise AccelsimError(f"the core returns more than {self._job.results} result words")
        return not self._is_over(wires)

    def _is_filled(self, ends: tuple[int, ...]) -> bool:
        return all(source.sent >= end for source, end in zip(self._fills, ends, strict=True))

    def _is_over(self, wires: Wires) -> bool:
        passes = len(self._job.commands)
        return (
            len(self.results) >= self._job.results
            and self._commands.sent == passes
            and wires.passes_read() == passes
            and wires.idle()
        )

    def _check_progress(self, wires: Wires) -> None:
        state = (
            *(source.sent for source in (self._commands, *self._fills)),
            len(self.results),
            wires.passes_read(),
        )
        if state == self._last_state:
            raise AccelsimError(
                f"the core is stuck after {self.clocks} clocks with {len(self.results)} of "
                f"{self._job.results} result words"
            )
        self._last_state = state


class _Source:
    """The host's end of one stream into the core.

    stream : its name.  sent : words that the core has taken, counted by the caller.
    offered : index of the word on the wires, NOTHING if there is none.
    """

    def __init__(
        self, stream: str, words: Bytes, after: Int, idle: float, draw: Callable[[], float]
    ) -> None:
        self.stream = stream
        self._words = words
        self._after = [*after.tolist(), _NEVER]
        self._idle = idle
        self._draw = draw
        self.offered = NOTHING
        self.sent = 0

    @property
    def waits_for(self) -> int:
        """What must have been reached before the next word may be sent."""
        after: int = self._after[self.sent] if self.sent < len(self._words) else 0
        return after

    def offer(self, wires: Wires, reached: int) -> None:
        """Drive the stream for the coming clock edge."""
        index = self.sent
        if self.offered == index:
            return  # valid stays until the word is taken
        if self._after[index] > reached or (self._idle and self._draw() < self._idle):
            if self.offered != NOTHING:
                wires.drive(self.stream, None)
                self.offered = NOTHING
            return
        wires.drive(self.stream, int.from_bytes(self._words[index].tobytes(), "little"))
        self.offered = index
