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
from accelsim.ir import BaseNetwork, Network
from accelsim.networks.variants import BASELINE, INFERENCE, apply, with_form
from accelsim.tensors import MOST_SIDE
from accelsim.zeros import skipping_zeros

AnyNetwork = BaseNetwork | str | Path
AnyHardware = Hardware | str | Path


def as_network(network: AnyNetwork) -> BaseNetwork:
    """A network, also by its name or file."""
    if isinstance(network, str | Path):
        return find_network(network)
    if not isinstance(network, BaseNetwork):
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


def find_network(
    name: str | Path,
    variant: str = BASELINE,
    size: str | None = None,
    csv_form: str | None = None,
    form: str = INFERENCE,
    skip_zeros: bool = False,
) -> BaseNetwork:
    """The network of a name or a file; without a size such as 224x224 it has its own.

    csv_form : see accelsim.importers.load.
    form : of a variant's operators, inference or train.
    skip_zeros : whether to leave out what is zero in its weights, as accelsim.zeros does.
    """
    network = _find(name, variant, size, csv_form, form)
    return skipping_zeros(network) if skip_zeros else network


def _find(
    name: str | Path, variant: str, size: str | None, csv_form: str | None, form: str
) -> BaseNetwork:
    variant = with_form(variant, form)
    height_width = None if size is None else parse_input(size)
    if not Path(name).suffix and csv_form is None:
        return networks.get(str(name), variant, height_width)
    is_model = Path(name).suffix.lower() in (
        ".onnx",
        ".tflite",
    )  # its shapes follow while it is read
    network = load(name, csv_form, height_width if is_model else None)
    if height_width is not None and not is_model:
        if not isinstance(network, Network):
            raise NetworkError(
                f"{network.name} is a list of independent layers, each with a map of its own, so "
                "that it has no input size to set"
            )
        network = networks.resized(network, height_width)
    return network if variant == BASELINE else apply(network, variant)


def parse_input(text: str) -> tuple[int, int]:
    """Height and width of an input size such as 224x224."""
    size = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", text)
    if size is None:
        raise NetworkError(f"input must be HEIGHTxWIDTH, for instance 224x224, not {text!r}")
    height, width = int(size[1]), int(size[2])
    if max(height, width) > MOST_SIDE:
        raise NetworkError(f"input must be at most {MOST_SIDE} a side, not {text!r}")
    return height, width
