"""The flexible-kernel depthwise engine in hardware.

Commands (`commands`) become tiles of P output pixels, by their first pixel (`tiles`). Where the
others lie (`pixels`) and which taps meet the map (`reach`) comes out of two pipelines, a tile in
every clock, and waits in a queue (`queue`). Tiles become taps (`issue`), one in a clock, whose
places and weights are read from the tap memory (`taps`), and a tap goes through the lanes
(`lanes`). With s the clock of issue:

    s - 4  it is decided that there is a tap, and whether it is the last of its tile; then the place
           of its tile comes out of the queue, where it is the first
    s      the tap memory reads the tap's entry
    s + 1  the pixels whose values lie in the map are known
    s + 2  the entry is in a register: place of its values
    s + 3  two neighbouring words of every bank are read
    s + 6  they have passed two registers, and are shifted until pixel 0's value comes first; what
           lies outside of the map is 0
    s + 7  they go on to the multipliers
    s + 8  products
    s + 9  they go on to the adders
    s + 10 sums; those of a tile that is complete also go to the shadow registers
    s + 11 shadow registers of the first lanes are on the result port, the others move up

A tile ends only where the result memory has room for it, so that nothing here ever stands still.
With a fill port, `loader` takes the commands first, and lets a pass run once its map and its taps
are in the memories. What passes from one part to the next is in `layouts`.
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
    memories=job.memories,
    job=job.of_sequence,
    used=job.used,
    chapter=manual.chapter,
    lead=job.lead,
    pause=job.pause,
)
