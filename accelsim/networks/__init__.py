"""Networks by name; each is a function of `variant` and `input`, height and width.

A module is imported when one of its networks is asked for.
"""

import importlib
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Protocol

from accelsim.checks import show, suggestion
from accelsim.errors import NetworkError, warn
from accelsim.ir import Layer, Network
from accelsim.networks.builder import Size, check_size
from accelsim.networks.variants import INFERENCE, VARIANTS, apply, with_form
from accelsim.ops import Resize


class Definition(Protocol):
    """A function that makes a network."""

    __name__: str

    def __call__(self, variant: str = "baseline", input: Size = (224, 224)) -> Network:
        """The network."""


# Every network: the module here that defines it, and its name.
PLACES = (
    "mobilenet.mobilenet_v1",
    "mobilenet.mobilenet_v2",
    "mnasnet.mnasnet_b1",
    "mobilenet_v3.mobilenet_v3_small",
    "mobilenet_v3.mobilenet_v3_large",
    "mobilenet_v3.mobilenet_v3_small_fuseconv",
    "mobilenet_v3.mobilenet_v3_large_fuseconv",
    "mobilenet_v4.mobilenet_v4_conv_small",
    "resnet.resnet18",
    "resnet.resnet50",
    "resnet.resnet101",
    "cifar.cifar_quick",
    "cifar.vgg16_cifar",
    "cifar.resnet20",
    "repvgg.repvgg_a0",
    "repvgg.repvgg_a0_deploy",
    "mobileone.mobileone_s0",
    "mobileone.mobileone_s0_deploy",
    "inception.googlenet",
    "shufflenet.shufflenet_v2_x0_5",
    "shufflenet.shufflenet_v2_x1_0",
    "ghost.ghostnet",
    "efficientnet.efficientnet_b0",
    "mixnet.mixnet_s",
    "mixnet.mixnet_m",
    "mixnet.mixnet_l",
    "single_path.single_path_nas",
    "retinaface.retinaface_mnet025",
    "segmentation.unet",
    "convnext.convnext_atto",
    "convnext.convnextv2_atto",
    "convnext.convnext_tiny",
    "convnext.convnext_small",
    "convnext.convnext_base",
    "convnext.convnext_large",
    "inception_next.inception_next_atto",
    "inception_next.inception_next_tiny",
    "inception_next.inception_next_small",
    "inception_next.inception_next_base",
    "replknet.replknet_31b",
    "replknet.replknet_31l",
    "replknet.replknet_xl",
    "convnext.slak_tiny",
    "convnext.slak_small",
    "convnext.slak_base",
    "transformers.bert_base",
    "transformers.vit_b_16",
)
NAMES = tuple(place.partition(".")[2] for place in PLACES)

if TYPE_CHECKING:
    NETWORKS: tuple[Definition, ...]

__all__ = ["NETWORKS", "VARIANTS", "apply", "get", "resized", *NAMES]  # noqa: PLE0604  all of them are names


def __getattr__(name: str) -> Definition:
    """A network's function, or NETWORKS, the functions of all of them."""
    if name == "NETWORKS":
        return tuple(map(_definition, NAMES))  # type: ignore[return-value]
    if name in NAMES:
        return _definition(name)
    raise AttributeError(f"module 'accelsim.networks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def get(
    name: str, variant: str = "baseline", input: Size | None = None, form: str = INFERENCE
) -> Network:
    """The network of that name.

    input : its height and width, None its usual ones.
    form : of a variant's operators, inference or train.
    """
    variant = with_form(variant, form)
    if name not in NAMES:
        raise NetworkError(
            f"there is no network {name!r}; there are {', '.join(NAMES)}{suggestion(NAMES, name)}"
        )
    definition = _definition(name)
    return definition(variant) if input is None else definition(variant, input)


def resized(network: Network, input: Size) -> Network:
    """The same layers on an input of another height and width.

    AccelsimWarning where that gives a layer other weights, or a map that does not follow.
    """
    check_size(input)
    other = replace(network, input=(network.input[0], *input))
    remarks = _remarks(network, other)
    if remarks and other.input != network.input:
        warn(f"{network.name} on an input of {input[0]}x{input[1]}: {'; '.join(remarks)}")
    return other


def _remarks(network: Network, other: Network) -> list[str]:
    """What of the layers a user may not expect on another input."""
    remarks = []
    for layer in network.layers:
        old, new = (prod(_weight_shape(each, layer)) for each in (network, other))
        if old != new:
            remarks.append(f"layer {layer.name} has {new:,} weights instead of {old:,}")
        if isinstance(layer.op, Resize) and layer.op.size:
            remarks.append(f"layer {layer.name} keeps the size {show(layer.op.size)}")
    return remarks


def _weight_shape(network: Network, layer: Layer) -> tuple[int, ...]:
    return layer.op.weight_shape(*network.in_shapes(layer))


def _definition(name: str) -> Definition:
    module = PLACES[NAMES.index(name)].partition(".")[0]
    definition: Definition = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return definition
