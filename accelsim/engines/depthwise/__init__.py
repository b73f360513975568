"""The flexible-kernel depthwise engine: limits, schedule, golden model, registers, activity."""

from collections.abc import Iterable

from accelsim.engines.base import Engine, Registers, when_called
from accelsim.engines.depthwise import accesses, activity, schedule
from accelsim.engines.depthwise.area import AREA
from accelsim.engines.depthwise.golden import golden
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv
from accelsim.limits.depthwise import limits
from accelsim.passes import DepthwiseCommand


def _takes(convs: Iterable[Conv], depthwise: bool) -> bool:
    """Depthwise layers."""
    return depthwise


def _elements(engine: DepthwiseEngine) -> tuple[int, int]:
    return engine.lanes, engine.pixels


ENGINE = Engine(
    name=DepthwiseEngine.name,
    sizes=DepthwiseEngine,
    takes=_takes,
    limits=limits,
    nest=schedule.nest,
    bound=schedule.bound,
    skipped=schedule.skipped,
    traffic=schedule.traffic,
    resources=schedule.resources,
    registers=Registers(
        command=DepthwiseCommand,
        golden=golden,
        simulate=when_called(f"{__name__}.cycle", "simulate"),
        activity=activity.activity,
        elements=_elements,
        sides=("lane", "pixel"),
        used=schedule.used,
        accesses=accesses.accesses,
    ),
    area=AREA,
    accesses=schedule.accesses,
    stores=schedule.stores,
)
