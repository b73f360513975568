"""Simulates embedded neural-network accelerators and checks every cycle against their hardware.

import accelsim as ax
net = ax.networks.mobilenet_v2(variant="fuse_half")
result = ax.simulate(net, ax.Hardware(ax.SystolicArray(64, 64)))
result.total_cycles, result.layers[0].utilization, result.to_frame()
ax.plot.layers(result)
"""

from typing import TYPE_CHECKING, Any

from accelsim import networks
from accelsim.errors import AccelsimError
from accelsim.hardware import (
    ColumnArray,
    DepthwiseEngine,
    Gemmini,
    Hardware,
    Operands,
    PeerHardware,
    SystolicArray,
    TapSerial,
    WindowEngine,
    load_hardware,
)
from accelsim.importers import load
from accelsim.result import LayerResult, Result

# The function takes the place of its module as an attribute, whatever is imported later.
from accelsim.simulate import simulate
from accelsim.version import __version__

if TYPE_CHECKING:
    from accelsim.report import plot

__all__ = [
    "AccelsimError",
    "ColumnArray",
    "DepthwiseEngine",
    "Gemmini",
    "Hardware",
    "LayerResult",
    "Operands",
    "PeerHardware",
    "Result",
    "SystolicArray",
    "TapSerial",
    "WindowEngine",
    "__version__",
    "load",
    "load_hardware",
    "networks",
    "plot",
    "simulate",
]


def __getattr__(name: str) -> Any:
    """Load plot when it is first asked for: matplotlib takes longer than everything else."""
    if name == "plot":
        from accelsim.report import plot

        return plot
    raise AttributeError(f"module 'accelsim' has no attribute {name!r}")
