"""The depthwise engine in hardware."""

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseOpcode
from rtl.engines.base import CoreOf
from rtl.engines.depthwise import job, manual
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.engines.depthwise.parts import LaneModule


def _lane(engine: DepthwiseEngine) -> tuple[str, LaneModule]:
    return "depthwise_lane", LaneModule(engine)


CORE = CoreOf(
    name=DepthwiseEngine.name,
    opcodes=DepthwiseOpcode,
    core=DepthwiseCore,
    repeated=_lane,
    deepened=job.deepened,
    memories=job.memories,
    job=job.of_sequence,
    used=job.used,
    chapter=manual.chapter,
)
