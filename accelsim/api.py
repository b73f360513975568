"""What `import accelsim as ax` offers besides its modules."""

from accelsim.c_synthesis import csynth
from accelsim.cosimulation import cosim
from accelsim.errors import AccelsimError, AccelsimWarning
from accelsim.explanations import Explanation, explain
from accelsim.films import Film, film
from accelsim.hardware import (
    ColumnArray,
    DepthwiseEngine,
    Gemmini,
    Hardware,
    Memory,
    Operands,
    SystolicArray,
    TapSerial,
    WindowEngine,
    load_hardware,
    third_party_design,
)
from accelsim.importers import load
from accelsim.importers.torch import from_torch
from accelsim.ir import Layer, LayerList, Network
from accelsim.networks.builder import Builder
from accelsim.result import LayerResult, Result
from accelsim.side_by_side import Entry, compare
from accelsim.simulation import simulate
from accelsim.study.depthwise import depthwise_study
from accelsim.study.operators import operators_study
from accelsim.traces import Trace, trace
from accelsim.zeros import skipping_zeros

PeerHardware = third_party_design  # as users know it

__all__ = [
    "AccelsimError",
    "AccelsimWarning",
    "Builder",
    "ColumnArray",
    "DepthwiseEngine",
    "Entry",
    "Explanation",
    "Film",
    "Gemmini",
    "Hardware",
    "Layer",
    "LayerList",
    "LayerResult",
    "Memory",
    "Network",
    "Operands",
    "PeerHardware",
    "Result",
    "SystolicArray",
    "TapSerial",
    "Trace",
    "WindowEngine",
    "compare",
    "cosim",
    "csynth",
    "depthwise_study",
    "explain",
    "film",
    "from_torch",
    "load",
    "load_hardware",
    "operators_study",
    "simulate",
    "skipping_zeros",
    "trace",
]
