"""Simulates embedded neural-network accelerators and checks every cycle against their hardware.

import accelsim as ax
net = ax.networks.mobilenet_v2(variant="fuse_half")
result = ax.simulate(net, ax.Hardware(ax.SystolicArray(64, 64)))
result.total_cycles, result.layers[0].utilization, result.to_frame()
ax.plot.layers(result)

The names of accelsim.api and the modules are loaded when one is first asked for; the command line,
which asks for none, starts without them. Nothing else is imported either: until its own module is
there, an interrupt would be a traceback.
"""

from accelsim.version import __version__ as __version__

TYPE_CHECKING = False  # as type checkers know it, without the module
if TYPE_CHECKING:
    from typing import Any

    from accelsim import networks as networks
    from accelsim import ops as ops
    from accelsim import plot as plot
    from accelsim import sweep as sweep
    from accelsim.api import *  # noqa: F403  as in __getattr__

MODULES = ("networks", "ops", "plot", "sweep")  # for users


def __getattr__(name: str) -> "Any":
    import importlib.util

    if importlib.util.find_spec(f"accelsim.{name}"):
        return importlib.import_module(f"accelsim.{name}")
    api = importlib.import_module("accelsim.api")
    if name == "__all__":
        return ["__version__", *MODULES, *api.__all__]
    if name not in api.__all__:
        raise AttributeError(f"module 'accelsim' has no attribute {name!r}")
    return getattr(api, name)


def __dir__() -> list[str]:
    """What is for users; the other modules can be imported, but are not listed."""
    return sorted(__getattr__("__all__"))
