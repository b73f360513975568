"""The systolic array: limits, schedule, golden model, registers, activity."""

from collections.abc import Iterable

from accelsim.engines.base import Engine, Registers, when_called
from accelsim.engines.systolic_array import accesses, activity, schedule
from accelsim.engines.systolic_array.area import AREA
from accelsim.engines.systolic_array.golden import golden
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.limits.systolic_array import limits
from accelsim.passes import ArrayCommand, misplaced


def _takes(convs: Iterable[Conv], depthwise: bool) -> bool:
    """Every layer."""
    return True


def _elements(array: SystolicArray) -> tuple[int, int]:
    return array.rows, array.columns


ENGINE = Engine(
    name=SystolicArray.name,
    sizes=SystolicArray,
    takes=_takes,
    limits=limits,
    nest=schedule.nest,
    bound=schedule.bound,
    traffic=schedule.traffic,
    resources=schedule.resources,
    registers=Registers(
        command=ArrayCommand,
        golden=golden,
        simulate=when_called(f"{__name__}.cycle", "simulate"),
        activity=activity.activity,
        elements=_elements,
        used=schedule.used,
        accesses=accesses.accesses,
    ),
    area=AREA,
    misplaced=misplaced,
    accesses=schedule.accesses,
    stores=schedule.stores,
    joint=schedule.joint,
)
