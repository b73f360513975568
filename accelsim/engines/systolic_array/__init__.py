"""The systolic array: limits, schedule, golden model, registers, activity."""

from collections.abc import Iterable
from typing import Any

from accelsim.engines.base import Engine, Registers, Run
from accelsim.engines.systolic_array import activity, schedule
from accelsim.engines.systolic_array.golden import golden
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayCommand


def _takes(convs: Iterable[Conv], depthwise: bool) -> bool:
    """Every layer."""
    return True


def _simulate(*sequence: Any, **options: Any) -> Run:
    from accelsim.engines.systolic_array import cycle  # loads Numba

    return cycle.simulate(*sequence, **options)


def _elements(array: SystolicArray) -> tuple[int, int]:
    return array.rows, array.columns


ENGINE = Engine(
    name=SystolicArray.name,
    sizes=SystolicArray,
    takes=_takes,
    limits=schedule.limits,
    nest=schedule.nest,
    bound=schedule.bound,
    traffic=schedule.traffic,
    resources=schedule.resources,
    registers=Registers(
        command=ArrayCommand,
        golden=golden,
        simulate=_simulate,
        activity=activity.activity,
        elements=_elements,
    ),
)
