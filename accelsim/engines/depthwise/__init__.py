"""The flexible-kernel depthwise engine: limits, schedule, golden model, registers, activity."""

from collections.abc import Iterable
from typing import Any

from accelsim.engines.base import Engine, Registers, Run
from accelsim.engines.depthwise import activity, schedule
from accelsim.engines.depthwise.golden import golden
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv
from accelsim.passes import DepthwiseCommand


def _takes(convs: Iterable[Conv], depthwise: bool) -> bool:
    """Depthwise layers."""
    return depthwise


def _simulate(*sequence: Any, **options: Any) -> Run:
    from accelsim.engines.depthwise import cycle  # loads Numba

    return cycle.simulate(*sequence, **options)


def _elements(engine: DepthwiseEngine) -> tuple[int, int]:
    return engine.lanes, engine.pixels


ENGINE = Engine(
    name=DepthwiseEngine.name,
    sizes=DepthwiseEngine,
    takes=_takes,
    limits=schedule.limits,
    nest=schedule.nest,
    bound=schedule.bound,
    traffic=schedule.traffic,
    resources=schedule.resources,
    registers=Registers(
        command=DepthwiseCommand,
        golden=golden,
        simulate=_simulate,
        activity=activity.activity,
        elements=_elements,
    ),
)
