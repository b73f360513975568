"""The host of a core: what it sends on which stream and when, whatever simulates the core.

This module is loaded by the simulator of the Verilog, so it knows neither Amaranth nor cocotb.
"""

import random
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.errors import AccelsimError
from rtl.chunks import Int

Bytes = npt.NDArray[np.uint8]

STREAMS = ("commands", "left_fill", "top_fill")
REPORT_EVERY = 1000  # result words between reports of progress
UNDEFINED = 2  # a bit that is neither 0 nor 1

# The files of a job in the directory that the environment variable names.
DIRECTORY = "ACCELSIM_BENCH"
JOB, RESULTS, PROGRESS = "job.npz", "results.npz", "progress"

NOTHING = -1
_NEVER = 1 << 62


@dataclass(frozen=True)
class Stalls:
    """How often the host is idle where it could act: probabilities per clock, seeded.

    commands, left, top : of not offering a word that could be sent.
    results : of not accepting a word.
    """

    commands: float = 0.0
    left: float = 0.0
    top: float = 0.0
    results: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("commands", "left", "top", "results"):
            if not 0 <= getattr(self, name) < 1:
                raise AccelsimError(
                    f"stalls of {name} are a probability below 1, not {getattr(self, name)!r}"
                )


class Job(NamedTuple):
    """Everything that the host sends, as bits, and what it waits for.

    commands, left_fill, top_fill : uint8[words, bytes], the payloads, bit 0 first.
    command_after : int64[passes], chunks whose words must be in the banks before.
    left_after, top_after : int64[words], passes that must have been read before.
    left_ends, top_ends : int64[chunks], words that have been sent when a chunk is complete.
    results : result words that the core returns.
    patience : clocks after which a core that does nothing is stuck.
    """

    commands: Bytes
    left_fill: Bytes
    top_fill: Bytes
    command_after: Int
    left_after: Int
    top_after: Int
    left_ends: Int
    top_ends: Int
    results: int
    patience: int


def save_job(path: Path, job: Job, stalls: Stalls) -> None:
    """Write a job and its stalls for a simulator in another process."""
    values = np.array(astuple(stalls), np.float64)
    np.savez(path, stalls=values, allow_pickle=False, **job._asdict())


def load_job(path: Path) -> tuple[Job, Stalls]:
    """Read what `save_job` wrote."""
    with np.load(path) as file:
        fields = {name: file[name] for name in Job._fields}
        commands, left, top, results, seed = file["stalls"].tolist()
    fields["results"] = int(fields["results"])
    fields["patience"] = int(fields["patience"])
    return Job(**fields), Stalls(commands, left, top, results, int(seed))


class Wires(Protocol):
    """The ports of a simulated core between two clock edges.

    Valid and payload of its results and its counters depend on registers only. Ready of the
    fills is constant; ready of the commands may depend on the command that is offered.
    """

    def commands_ready(self) -> bool:
        """Whether the core takes a command."""

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

    results : payloads of the result words, as the simulator gives them.
    """

    def __init__(self, job: Job, stalls: Stalls) -> None:
        draw = random.Random(stalls.seed).random
        self._commands = _Source("commands", job.commands, job.command_after, stalls.commands, draw)
        self._left = _Source("left_fill", job.left_fill, job.left_after, stalls.left, draw)
        self._top = _Source("top_fill", job.top_fill, job.top_after, stalls.top, draw)
        self._ends = list(zip(job.left_ends.tolist(), job.top_ends.tolist(), strict=True))
        self._filled = 0
        self._read = 0
        self._job = job
        self._idle = stalls.results
        self._draw = draw
        self._accepting: bool | None = None
        self._clocks = 0
        self._last_state: tuple[int, ...] = ()
        self.results: list[Any] = []

    def drive(self, wires: Wires) -> bool:
        """Drive the inputs for the coming clock edge; whether `sample` must let them settle."""
        self._clocks += 1
        if self._clocks % self._job.patience == 0:
            self._check_progress(wires)
        if max(self._left.waits_for, self._top.waits_for) > self._read:
            self._read = wires.passes_read()
        while self._filled < len(self._ends) and self._is_filled(*self._ends[self._filled]):
            self._filled += 1
        before = self._commands.offered
        self._commands.offer(wires, self._filled)
        self._left.sent += self._left.offer(wires, self._read)
        self._top.sent += self._top.offer(wires, self._read)
        accepting = not (self._idle and self._draw() < self._idle)
        if accepting is not self._accepting:
            wires.accept(accepting)
            self._accepting = accepting
        return self._commands.offered not in (before, NOTHING)

    def sample(self, wires: Wires) -> bool:
        """Note what the coming clock edge transfers; False once the sequence is over."""
        if self._commands.offered != NOTHING and wires.commands_ready():
            self._commands.sent += 1
        if self._accepting and (word := wires.result()) is not None:
            self.results.append(word)
        return not self._is_over(wires)

    def _is_filled(self, left: int, top: int) -> bool:
        return self._left.sent >= left and self._top.sent >= top

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
            *(source.sent for source in (self._commands, self._left, self._top)),
            len(self.results),
            wires.passes_read(),
        )
        if state == self._last_state:
            raise AccelsimError(
                f"the core is stuck after {self._clocks} clocks with {len(self.results)} of "
                f"{self._job.results} result words"
            )
        self._last_state = state


class _Source:
    """The host's end of one stream into the core.

    sent : words that the core has taken, counted by the caller.
    offered : index of the word on the wires, NOTHING if there is none.
    """

    def __init__(
        self, stream: str, words: Bytes, after: Int, idle: float, draw: Callable[[], float]
    ) -> None:
        self._stream = stream
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

    def offer(self, wires: Wires, reached: int) -> bool:
        """Drive the stream for the coming clock edge; whether a word is offered."""
        index = self.sent
        if self.offered == index:
            return True  # valid stays until the word is taken
        if self._after[index] > reached or (self._idle and self._draw() < self._idle):
            if self.offered != NOTHING:
                wires.drive(self._stream, None)
                self.offered = NOTHING
            return False
        wires.drive(self._stream, int.from_bytes(self._words[index].tobytes(), "little"))
        self.offered = index
        return True
