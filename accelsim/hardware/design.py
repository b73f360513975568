"""A design: named engines, a clock, and a memory off chip."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accelsim.errors import HardwareError
from accelsim.hardware.clock import ASSUMED, USER, Clock, clock_of
from accelsim.hardware.depthwise import DepthwiseEngine
from accelsim.hardware.memory import Memory
from accelsim.hardware.operands import Operands
from accelsim.hardware.sizes import Sizes
from accelsim.hardware.systolic_array import SystolicArray

if TYPE_CHECKING:
    from accelsim.hardware.third_party import ThirdPartyEngine

CLOCK_MHZ = 500.0  # assumed of a design of which nothing is known
SLOWEST_MHZ, FASTEST_MHZ = 0.001, 100_000


@dataclass(frozen=True, init=False, eq=False)
class Hardware:
    """A design: engines of different names, and what all of them share.

    Designs are equal if their engines, clocks and memories are, wherever the clocks are from.

    engines : one that runs every layer, and those beside it that run some kinds of layers. Each
        has ports of its own. Third-party engines are counted by models and have no RTL.
    clock_mhz : of all of them, if the user says one.
    memory : buffers on chip and the port to the memory off chip; None leaves memory out.
    array, depthwise : the same by name, for a design of our own engines.
    given : a clock and its source; None for that which is known of the engines.
    assumed_mhz : the clock where none is given and none known of such engines.
    """

    engines: tuple[Sizes, ...]
    memory: Memory | None
    given: Clock | None
    assumed_mhz: float

    def __init__(
        self,
        array: SystolicArray | None = None,
        clock_mhz: float | None = None,
        depthwise: DepthwiseEngine | None = None,
        engines: Iterable[Sizes] = (),
        memory: Memory | None = None,
        given: Clock | None = None,
        assumed_mhz: float = CLOCK_MHZ,
    ) -> None:
        if not isinstance(engines, Iterable):
            raise HardwareError(f"engines of a design are a tuple of records, not {engines!r}")
        if (second := getattr(clock_mhz, "name", None)) is not None:
            raise HardwareError(
                "a design takes an array and a clock, and other engines as depthwise or engines; "
                f"its clock cannot be of type {type(clock_mhz).__name__} ({second})"
            )
        ours = [engine for engine in (array, depthwise) if engine is not None]
        object.__setattr__(self, "engines", (*ours, *engines))
        object.__setattr__(self, "memory", memory)
        object.__setattr__(self, "given", given if clock_mhz is None else Clock(clock_mhz, USER))
        object.__setattr__(self, "assumed_mhz", assumed_mhz)
        _check_clock("clock.assumed_mhz", assumed_mhz)
        if self.given is not None:
            _check_clock("clock.mhz", self.given.mhz)
        _check_memory(memory)
        _check_engines(self.engines)

    def __eq__(self, other: object) -> bool:
        return self._identity == other._identity if isinstance(other, Hardware) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Any, ...]:
        return self.engines, self.clock_mhz, self.memory

    @cached_property
    def clock(self) -> Clock:
        """The clock of all engines, and where it is from.

        What the user gave; else what is measured or estimated of such engines, or assumed.
        """
        return self.given or clock_of(self.engines) or Clock(self.assumed_mhz, ASSUMED)

    @property
    def clock_mhz(self) -> float:
        """Of all engines."""
        return self.clock.mhz

    def engine(self, name: str) -> Any:
        """Sizes of the engine of that name; None where the design has none."""
        return next((engine for engine in self.engines if engine.name == name), None)

    def with_engine(self, sizes: Sizes) -> "Hardware":
        """The design with this engine in place of the one of its name, or beside the others."""
        if self.engine(sizes.name) is None:
            return replace(self, engines=(*self.engines, sizes))
        kept = (sizes if each.name == sizes.name else each for each in self.engines)
        return replace(self, engines=tuple(kept))

    def without(self, name: str) -> "Hardware":
        """The design without the engine of that name."""
        kept = (engine for engine in self.engines if engine.name != name)
        return replace(self, engines=tuple(kept))

    def with_clock(self, mhz: float) -> "Hardware":
        """The design at a clock that the user gives."""
        return replace(self, given=Clock(mhz, USER))

    @property
    def array(self) -> SystolicArray | None:
        """Our systolic array, if the design has it."""
        array: SystolicArray | None = self.engine(SystolicArray.name)
        return array

    @property
    def depthwise(self) -> DepthwiseEngine | None:
        """Our depthwise engine, if the design has it."""
        engine: DepthwiseEngine | None = self.engine(DepthwiseEngine.name)
        return engine

    @property
    def third_party(self) -> "ThirdPartyEngine | None":
        """The third-party engine, if the design has one."""
        return next((engine for engine in self.engines if is_third_party(engine)), None)  # type: ignore[return-value]

    @property
    def operands(self) -> Operands:
        """Of all engines; the usual ones where these are models, which have none."""
        widths = (getattr(engine, "operands", None) for engine in self.engines)
        return next((each for each in widths if each is not None), Operands())

    @property
    def multipliers(self) -> int:
        """Of all engines."""
        return sum(engine.multipliers for engine in self.engines)

    def milliseconds(self, clocks: int) -> float:
        """The time of so many clocks."""
        return clocks / (self.clock_mhz * 1e3)

    @property
    def label(self) -> str:
        """The engines in words."""
        return ", ".join(engine.label for engine in self.engines)

    def to_dict(self) -> dict[str, Any]:
        """What JSON holds: the sizes of the engines by their names.

        A third-party engine stands under `engine`, and says its name itself.
        """
        array = self.array and asdict(self.array)
        shared = {
            "clock_mhz": self.clock_mhz,
            "clock_source": self.clock.source,
            "memory": self.memory and asdict(self.memory),
        }
        if self.third_party is not None:
            return {"engine": asdict(self.third_party), "array": array, **shared}
        usual = (SystolicArray.name, DepthwiseEngine.name)
        return {
            "array": array,
            **shared,
            "depthwise": self.depthwise and asdict(self.depthwise),
            **{each.name: asdict(each) for each in self.engines if each.name not in usual},  # type: ignore[call-overload]
        }


def third_party_design(
    engine: "ThirdPartyEngine",
    array: SystolicArray | None = None,
    clock_mhz: float | None = None,
    memory: Memory | None = None,
    assumed_mhz: float = CLOCK_MHZ,
) -> Hardware:
    """A design with a third-party engine, alone or beside our array.

    array : for all that the engine does not run; None where that is nothing.
    """
    return Hardware(array, clock_mhz, engines=(engine,), memory=memory, assumed_mhz=assumed_mhz)


def is_third_party(sizes: Sizes) -> bool:
    """Whether an engine is a model without registers."""
    return getattr(sizes, "third_party", False)


def _check_engines(engines: tuple[Sizes, ...]) -> None:
    for engine in engines:
        if not hasattr(engine, "runs_all") or isinstance(engine, type):
            raise HardwareError(
                f"an engine of a design is a record such as SystolicArray(64, 64), not {engine!r}"
            )
    names = [engine.name for engine in engines]
    for name in names:
        if names.count(name) > 1:
            raise HardwareError(
                f"a design has one engine of a name, not {names.count(name)} {name}"
            )
    if not engines:
        raise HardwareError("a design needs an engine that runs every layer, such as an array")
    alone = [engine.name for engine in engines if engine.runs_all]
    others = [engine.name for engine in engines if not engine.runs_all]
    models = [engine.name for engine in engines if is_third_party(engine)]
    if len(alone) > 1:
        raise HardwareError(f"{(models or alone)[-1]} runs every layer and stands alone")
    if not alone:
        kinds = "depthwise" if others[0] in (DepthwiseEngine.name, *models) else "some"
        raise HardwareError(f"{others[0]} runs {kinds} layers only and needs an array beside it")
    if models and len(engines) > 1 + len(set(alone) - set(models)):
        other = next(name for name in names if name not in (*models[:1], SystolicArray.name))
        raise HardwareError(f"{other} cannot stand beside {models[0]}")
    operands = {getattr(engine, "operands", None) for engine in engines} - {None}
    if len(operands) > 1:
        raise HardwareError("the engines of one design must have the same operands")


def _check_memory(memory: Any) -> None:
    if memory is not None and not isinstance(memory, Memory):
        raise HardwareError(
            f"the memory of a design is a record such as Memory(256, 256, 16), not {memory!r}"
        )


def _check_clock(name: str, mhz: Any) -> None:
    number = isinstance(mhz, int | float) and not isinstance(mhz, bool)
    if not number or not mhz > 0 or mhz == math.inf:
        raise HardwareError(f"{name} must be a positive number, not {mhz!r}")
    if not SLOWEST_MHZ <= mhz <= FASTEST_MHZ:
        raise HardwareError(f"{name} must be from {SLOWEST_MHZ} to {FASTEST_MHZ}, not {mhz!r}")
