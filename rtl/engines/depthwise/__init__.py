"""The flexible-kernel depthwise engine in hardware.

Commands become tiles of P output pixels (`tiles`), tiles become taps (`issue`), one in a clock,
whose places and weights are read from the tap memory (`taps`), and a tap goes through the lanes in
four clocks (`lanes`). With s the clock of issue:

    s      the tap memory reads the tap's entry; the pixels whose values lie in the map are known
    s + 1  place of its values: two neighbouring words of every bank are read
    s + 2  they are shifted until pixel 0's value comes first; what lies outside of the map is 0
    s + 3  products
    s + 4  sums; those of a tile that is complete also go to the shadow registers
    s + 5  shadow registers of the first lanes are on the result port, the others move up

Everything here stands still together where the core (`core`) is frozen. With a fill port, `loader`
takes the commands first, and hands them on once their map and their taps are in the memories. What
passes from one part to the next is in `layouts`.
"""

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseOpcode
from rtl.engines.base import CoreOf
from rtl.engines.depthwise import job, manual
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.engines.depthwise.lanes import LaneModule


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
    lead=job.lead,
    freezes=True,
)
