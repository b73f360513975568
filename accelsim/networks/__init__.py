"""Networks by name; each is a function of `variant` and `input`, height and width."""

from typing import Protocol

from accelsim.errors import NetworkError
from accelsim.ir import Network
from accelsim.networks.builder import Size
from accelsim.networks.efficientnet import efficientnet_b0
from accelsim.networks.mnasnet import mnasnet_b1
from accelsim.networks.mobilenet import mobilenet_v1, mobilenet_v2
from accelsim.networks.mobilenet_v3 import (
    mobilenet_v3_large,
    mobilenet_v3_large_fuseconv,
    mobilenet_v3_small,
    mobilenet_v3_small_fuseconv,
)
from accelsim.networks.resnet import resnet18, resnet50
from accelsim.networks.variants import VARIANTS


class Definition(Protocol):
    """A function that makes a network."""

    __name__: str

    def __call__(self, variant: str = "baseline", input: Size = (224, 224)) -> Network:
        """The network."""


NETWORKS: tuple[Definition, ...] = (
    mobilenet_v1,
    mobilenet_v2,
    mnasnet_b1,
    mobilenet_v3_small,
    mobilenet_v3_large,
    mobilenet_v3_small_fuseconv,
    mobilenet_v3_large_fuseconv,
    resnet18,
    resnet50,
    efficientnet_b0,
)

__all__ = [
    "NETWORKS",
    "VARIANTS",
    "efficientnet_b0",
    "get",
    "mnasnet_b1",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_large_fuseconv",
    "mobilenet_v3_small",
    "mobilenet_v3_small_fuseconv",
    "resnet18",
    "resnet50",
]


def get(name: str, variant: str = "baseline", input: Size | None = None) -> Network:
    """The network of that name; `input` is its height and width, None its usual ones."""
    for definition in NETWORKS:
        if definition.__name__ == name:
            return definition(variant) if input is None else definition(variant, input)
    names = ", ".join(definition.__name__ for definition in NETWORKS)
    raise NetworkError(f"there is no network {name!r}; there are {names}")
