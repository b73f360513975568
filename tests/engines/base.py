"""What the tests know of an engine with registers, beyond its records in accelsim and rtl."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines import Engine
from accelsim.hardware import Operands
from accelsim.numerics import Integers
from rtl.engines.base import CoreOf

Ints = npt.NDArray[np.int64]
Registers = Mapping[str, npt.NDArray[Any]]  # by name: values of Amaranth, or what they were


class Sequence(NamedTuple):
    """Passes with their data.

    commands : int64[passes, fields].
    memories : what they point to, as the golden model of the engine takes it.
    used : bool[result words, values], what means something.
    """

    passes: tuple[Any, ...]
    commands: Ints
    memories: tuple[Integers, ...]
    used: npt.NDArray[np.bool_]


class Kind(NamedTuple):
    """One way in which an engine works, on random passes.

    sizes : sizes(rng, shape) of an engine.
    sequence : sequence(rng, sizes, passes), everything that this engine can do.
    small : the same, of few clocks.
    """

    sizes: Callable[[np.random.Generator, tuple[int, int]], Any]
    sequence: Callable[[np.random.Generator, Any, int], Sequence]
    small: Callable[[np.random.Generator, Any, int], Sequence]


class Log(NamedTuple):
    """Clocks of a run of sequences, one after another, as the host counts them.

    commands, results : in which words crossed the ports of the core.
    fills : the same, by stream; those of which a word is taken in every clock are left out.
    over : the last clock of every sequence.
    """

    commands: list[int]
    fills: Mapping[str, list[int]]
    results: list[int]
    over: list[int]


@dataclass(frozen=True, eq=False)
class Subject:
    """An engine under test.

    engine, core : its records in accelsim.engines and rtl.engines.
    plain : the module of its plain machine, in tests.naive; None where there is none.
    kinds : by name.
    sequence : sequence(rng, sizes, passes), the passes with random operands.
    memories : memories(rng, sizes), the same engine with memories of other depths.
    deep : depths of the memories in which no sequence of the tests waits for room.
    extreme : extreme(rng, sizes, p), a pass in which one more field is as large as it may be.
    registers : registers(core), those that are compared; None where they are compared otherwise.
    check_registers : check_registers(simulate, sizes, sequence, words, trace, clock), with an
        AssertionError unless the simulation has the registers of the RTL at the start of a clock.
        `words` are those of the RTL; `trace` its registers at clocks 0 .. busy cycles, one more
        axis in front.
    first_registers : first_registers(rng, sizes), random ones to begin with; None where those of
        reset are the only ones.
    from_reset : whether only those of the first sequence behind reset are known.
    counted : counted(sizes, sequences, log), the busy and the stall cycles of every sequence by the
        plain machine; None where a core is frozen meanwhile.
    """

    engine: Engine
    core: CoreOf
    plain: ModuleType | None
    kinds: Mapping[str, Kind]
    sequence: Callable[[np.random.Generator, Any, tuple[Any, ...]], Sequence]
    memories: Callable[[np.random.Generator, Any], Any]
    deep: Mapping[str, int]
    extreme: Callable[[np.random.Generator, Any, Any], Any]
    registers: Callable[[Any], Registers] | None = None
    check_registers: Callable[..., None] | None = None
    first_registers: Callable[[np.random.Generator, Any], Registers] | None = None
    from_reset: bool = False
    counted: Callable[[Any, list[Sequence], Log], list[tuple[int, int]]] | None = None

    @property
    def name(self) -> str:
        return self.engine.name


def random_operands(rng: np.random.Generator) -> Operands:
    """The usual widths half of the time, else any; some accumulators hold hardly a product."""
    if rng.random() < 0.5:
        return Operands()
    bits = int(rng.integers(8, 17))
    return Operands(bits, int(rng.integers(2 * bits, 33)))


def at_most(
    limits: Callable[[Any, Any], str | None], sizes: Any, of: Callable[[int], Any], highest: int
) -> Any:
    """The pass of(n) with the largest n up to `highest` that the limits let pass, by bisection."""
    low, high = 1, highest + 1
    assert limits(sizes, of(low)) is None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if limits(sizes, of(middle)) is None else (low, middle)
    return of(low)


def signals(shape: tuple[int, ...], of: Callable[..., Any]) -> npt.NDArray[Any]:
    """The values of Amaranth at every place of a shape."""
    table = np.empty(shape, object)
    for place in np.ndindex(*shape):
        table[place] = of(*place)
    return table
