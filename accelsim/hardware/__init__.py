"""The hardware that is simulated and generated: sizes and options, valid from birth."""

from accelsim.hardware.clock import Clock
from accelsim.hardware.depthwise import DepthwiseEngine
from accelsim.hardware.design import CLOCK_MHZ, Hardware, is_third_party, third_party_design
from accelsim.hardware.files import ENGINES, TABLES, load_hardware, to_toml
from accelsim.hardware.memory import Memory
from accelsim.hardware.operands import Operands
from accelsim.hardware.post import PostProcessing, parse_post
from accelsim.hardware.presets import (
    PRESETS,
    Preset,
    find_preset,
    parse_array,
    parse_depthwise,
    parse_memory,
    parse_size,
)
from accelsim.hardware.sizes import Sizes, dimensions
from accelsim.hardware.systolic_array import SystolicArray
from accelsim.hardware.third_party import (
    THIRD_PARTY,
    ColumnArray,
    Gemmini,
    TapSerial,
    ThirdPartyEngine,
    WindowEngine,
)

__all__ = [
    "CLOCK_MHZ",
    "ENGINES",
    "PRESETS",
    "TABLES",
    "THIRD_PARTY",
    "Clock",
    "ColumnArray",
    "DepthwiseEngine",
    "Gemmini",
    "Hardware",
    "Memory",
    "Operands",
    "PostProcessing",
    "Preset",
    "Sizes",
    "SystolicArray",
    "TapSerial",
    "ThirdPartyEngine",
    "WindowEngine",
    "dimensions",
    "find_preset",
    "is_third_party",
    "load_hardware",
    "parse_array",
    "parse_depthwise",
    "parse_memory",
    "parse_post",
    "parse_size",
    "third_party_design",
    "to_toml",
]
