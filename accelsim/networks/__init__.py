"""Networks by name; each is a function of `variant` and `input`, height and width."""

from dataclasses import replace
from typing import Protocol

from accelsim.errors import NetworkError
from accelsim.ir import Network
from accelsim.networks.builder import Size, check_size
from accelsim.networks.convnext import (
    convnext_atto,
    convnext_base,
    convnext_large,
    convnext_small,
    convnext_tiny,
    slak_base,
    slak_small,
    slak_tiny,
)
from accelsim.networks.efficientnet import efficientnet_b0
from accelsim.networks.inception_next import (
    inception_next_atto,
    inception_next_base,
    inception_next_small,
    inception_next_tiny,
)
from accelsim.networks.mixnet import mixnet_l, mixnet_m, mixnet_s
from accelsim.networks.mnasnet import mnasnet_b1
from accelsim.networks.mobilenet import mobilenet_v1, mobilenet_v2
from accelsim.networks.mobilenet_v3 import (
    mobilenet_v3_large,
    mobilenet_v3_large_fuseconv,
    mobilenet_v3_small,
    mobilenet_v3_small_fuseconv,
)
from accelsim.networks.replknet import replknet_31b, replknet_31l, replknet_xl
from accelsim.networks.resnet import resnet18, resnet50
from accelsim.networks.retinaface import retinaface_mnet025
from accelsim.networks.shufflenet import shufflenet_v2_x1_0
from accelsim.networks.single_path_nas import single_path_nas
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
    shufflenet_v2_x1_0,
    efficientnet_b0,
    mixnet_s,
    mixnet_m,
    mixnet_l,
    single_path_nas,
    retinaface_mnet025,
    convnext_atto,
    convnext_tiny,
    convnext_small,
    convnext_base,
    convnext_large,
    inception_next_atto,
    inception_next_tiny,
    inception_next_small,
    inception_next_base,
    replknet_31b,
    replknet_31l,
    replknet_xl,
    slak_tiny,
    slak_small,
    slak_base,
)

__all__ = [
    "NETWORKS",
    "VARIANTS",
    "convnext_atto",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
    "efficientnet_b0",
    "get",
    "inception_next_atto",
    "inception_next_base",
    "inception_next_small",
    "inception_next_tiny",
    "mixnet_l",
    "mixnet_m",
    "mixnet_s",
    "mnasnet_b1",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_large_fuseconv",
    "mobilenet_v3_small",
    "mobilenet_v3_small_fuseconv",
    "replknet_31b",
    "replknet_31l",
    "replknet_xl",
    "resized",
    "resnet18",
    "resnet50",
    "retinaface_mnet025",
    "shufflenet_v2_x1_0",
    "single_path_nas",
    "slak_base",
    "slak_small",
    "slak_tiny",
]


def get(name: str, variant: str = "baseline", input: Size | None = None) -> Network:
    """The network of that name; `input` is its height and width, None its usual ones."""
    for definition in NETWORKS:
        if definition.__name__ == name:
            return definition(variant) if input is None else definition(variant, input)
    names = ", ".join(definition.__name__ for definition in NETWORKS)
    raise NetworkError(f"there is no network {name!r}; there are {names}")


def resized(network: Network, input: Size) -> Network:
    """The same layers on an input of another height and width."""
    check_size(input)
    return replace(network, input=(network.input[0], *input))
