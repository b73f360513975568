"""What the hardware of an engine is to everybody else: simulators, host, generated files."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from amaranth.lib.wiring import Component

from rtl.flow.manual import Chapter
from rtl.host.chunks import Int
from rtl.host.driver import Job
from rtl.host.job import Memory
from rtl.host.starts import Room, Taken, could_start


@dataclass(frozen=True, eq=False)
class CoreOf:
    """The hardware of an engine; `sizes` is its record in accelsim.hardware.

    name : of the engine, as in accelsim.engines.
    core : core(sizes, shared=False, units=0), the engine with its memories behind stream ports.
        With `shared` its repeated part is an instance of one module, for Verilog; with `units` its
        commands wait for the progress of so many units (rtl.lib.waits).
    memories : memories(sizes, commands, *contents), what a sequence keeps in the memories of the
        core; AccelsimError where it is not one sequence.
    job : job(sizes, core, commands, memories), what the host sends.
    used : used(sizes, commands), int64[result words], sums of every word that mean something.
    lead : lead(sizes), clocks from the one in which an idle core takes a command to the first
        operand of its pass.
    room : room(sizes, commands), what passes need of the result memory before they start; None
        where they start without it.
    pause : pause(sizes), clocks at least from the last result of a sequence to the first operand
        of the next.
    chapter : chapter(sizes, core), what the generated page says.
    opcodes : of its passes; None where there is one kind of them.
    repeated : repeated(sizes), the name of the module that it repeats, and the module; None where
        there is none.
    """

    name: str
    core: Callable[..., Any]
    memories: Callable[..., tuple[Memory, ...]]
    job: Callable[[Any, Any, Int, Any], Job]
    used: Callable[[Any, Int], Int]
    chapter: Callable[[Any, Any], Chapter]
    lead: Callable[[Any], int]
    pause: Callable[[Any], int]
    room: Callable[[Any, Int], Room] | None = None
    opcodes: type[IntEnum] | None = None
    repeated: Callable[[Any], tuple[str, Component]] | None = None

    def could_start(self, sizes: Any, commands: Int, taken: Taken) -> Int:
        """int64[passes], clocks before which passes could not start, on the clock of `taken`."""
        room = None if self.room is None else self.room(sizes, commands)
        return could_start(taken, self.lead(sizes), room)

    def shared(self, sizes: Any) -> tuple[tuple[str, Component], ...]:
        """Names and modules of what its Verilog has once, however often it is used."""
        return () if self.repeated is None else (self.repeated(sizes),)
