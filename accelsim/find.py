"""Networks and designs as users write them.

A network is a name or a file, with a variant and a size of the input; a design is the name of a
preset or a file.
"""

import re
from pathlib import Path

from accelsim import networks
from accelsim.errors import HardwareError, NetworkError
from accelsim.hardware import Hardware, load_hardware
from accelsim.importers import load
from accelsim.ir import Network
from accelsim.networks.variants import apply
from accelsim.tensors import MOST_SIDE

AnyNetwork = Network | str | Path
AnyHardware = Hardware | str | Path


def as_network(network: AnyNetwork) -> Network:
    """A network, also by its name or file."""
    if isinstance(network, str | Path):
        return find_network(network)
    if not isinstance(network, Network):
        raise NetworkError(f"a simulation takes a Network, its name or a file, not {network!r}")
    return network


def as_hardware(hardware: AnyHardware) -> Hardware:
    """A design, also by its preset's name or its file."""
    if isinstance(hardware, str | Path):
        return load_hardware(hardware)
    if not isinstance(hardware, Hardware):
        raise HardwareError(
            "a simulation takes a design, such as Hardware(SystolicArray(64, 64)), a preset's "
            f"name or a file, not {hardware!r}"
        )
    return hardware


def find_network(name: str | Path, variant: str = "baseline", size: str | None = None) -> Network:
    """The network of a name or a file; without a size such as 224x224 it has its own."""
    height_width = None if size is None else parse_input(size)
    if Path(name).suffix:
        network = load(name)
        if height_width is not None:
            network = networks.resized(network, height_width)
        return apply(network, variant)
    return networks.get(str(name), variant, height_width)


def parse_input(text: str) -> tuple[int, int]:
    """Height and width of an input size such as 224x224."""
    size = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", text)
    if size is None:
        raise NetworkError(f"input must be HEIGHTxWIDTH, for instance 224x224, not {text!r}")
    height, width = int(size[1]), int(size[2])
    if max(height, width) > MOST_SIDE:
        raise NetworkError(f"input must be at most {MOST_SIDE} a side, not {text!r}")
    return height, width
