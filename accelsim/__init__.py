"""Simulates embedded neural-network accelerators and checks every cycle against their hardware.

import accelsim as ax
net = ax.networks.mobilenet_v2(variant="fuse_half")
result = ax.simulate(net, ax.Hardware(ax.SystolicArray(64, 64)))
result.total_cycles, result.layers[0].utilization, result.to_frame()
ax.plot.layers(result)
"""

import importlib
from typing import TYPE_CHECKING, Any

from accelsim import networks, ops

# Functions take the places of their modules as attributes, whatever is imported later.
from accelsim.compare import Entry, compare
from accelsim.cosim import compare as cosim
from accelsim.csynth import csynth
from accelsim.errors import AccelsimError
from accelsim.film import Film, film
from accelsim.hardware import (
    ColumnArray,
    DepthwiseEngine,
    Gemmini,
    Hardware,
    Operands,
    SystolicArray,
    TapSerial,
    WindowEngine,
    load_hardware,
    third_party_design,
)
from accelsim.importers import load
from accelsim.ir import Layer, Network
from accelsim.result import LayerResult, Result
from accelsim.simulate import simulate
from accelsim.study.depthwise import depthwise_study
from accelsim.trace import Trace, trace
from accelsim.version import __version__

PeerHardware = third_party_design  # as users know it

if TYPE_CHECKING:
    from accelsim import plot, sweep

__all__ = [
    "AccelsimError",
    "ColumnArray",
    "DepthwiseEngine",
    "Entry",
    "Film",
    "Gemmini",
    "Hardware",
    "Layer",
    "LayerResult",
    "Network",
    "Operands",
    "PeerHardware",
    "Result",
    "SystolicArray",
    "TapSerial",
    "Trace",
    "WindowEngine",
    "__version__",
    "compare",
    "cosim",
    "csynth",
    "depthwise_study",
    "film",
    "load",
    "load_hardware",
    "networks",
    "ops",
    "plot",
    "simulate",
    "sweep",
    "trace",
]


def __getattr__(name: str) -> Any:
    """Load plot and sweep when they are first asked for: what they need takes its time."""
    if name in ("plot", "sweep"):
        return importlib.import_module(f"accelsim.{name}")
    raise AttributeError(f"module 'accelsim' has no attribute {name!r}")
