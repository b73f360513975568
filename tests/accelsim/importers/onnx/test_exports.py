"""What exporters of PyTorch make of networks has the costs of the built-in networks."""

from collections import Counter
from math import prod
from pathlib import Path

import pytest

from accelsim import networks
from accelsim.importers import load
from accelsim.networks.variants import apply

EXPORTS = Path(__file__).parent / "exports"
WITH_NORMS = (
    *("mobilenet_v2", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x1_0", "efficientnet_b0"),
    "convnext_tiny.opset13",
)


@pytest.mark.parametrize("name", WITH_NORMS)
def test_costs_are_those_of_the_built_in_network(name: str) -> None:
    network = load(EXPORTS / f"{name}.onnx")
    built_in = networks.get(name.partition(".")[0])
    assert network.total_macs == built_in.total_macs
    assert network.total_params == built_in.total_params
    assert _macs(network) == _macs(built_in)


def test_the_newer_exporter_leaves_out_norms_and_biases_that_are_zero() -> None:
    network = load(EXPORTS / "mobilenet_v3_small.dynamo.onnx")
    built_in = networks.get("mobilenet_v3_small")
    assert _macs(network) == _macs(built_in)
    weights = [layer.op.weight_shape(*built_in.in_shapes(layer)) for layer in built_in.layers]
    assert network.total_params == sum(prod(shape) for shape in weights if shape)


def test_products_of_two_maps_are_counted() -> None:
    network = load(EXPORTS / "vit_b_16.dynamo.onnx")
    built_in = networks.get("vit_b_16")
    assert network.total_macs == built_in.total_macs
    of_heads = [layer for layer in network.layers if layer.op.name == "matmul"]
    assert [layer.op.heads for layer in of_heads] == [12] * 24


def _macs(network: networks.Network) -> Counter[int]:
    """Of the layers that have any, in whatever order."""
    return Counter(filter(None, map(network.macs, network.layers)))


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("mobilenet_v3_small", "HardSwish Relu GlobalAveragePool HardSigmoid Mul Add Flatten"),
        ("shufflenet_v2_x1_0", "Relu MaxPool Concat ChannelShuffle Slice ReduceMean"),
        ("efficientnet_b0", "Swish GlobalAveragePool Sigmoid Mul Add Flatten"),
        (
            "convnext_tiny.opset13",
            "Transpose LayerNormalization reshape Gelu Mul Add GlobalAveragePool Flatten",
        ),
    ],
)
def test_what_exporters_take_apart_is_one_layer(name: str, host: str) -> None:
    network = load(EXPORTS / f"{name}.onnx")
    kinds = {layer.op.name for layer in network.layers if not network.macs(layer)}
    assert kinds == set(host.split())


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("mobilenet_v2", "fuse_half"),
        ("mobilenet_v2", "fuse_full"),
        ("mobilenet_v3_small", "fuse_half"),
        ("mobilenet_v3_small", "xsep"),
        ("efficientnet_b0", "fuse_full"),  # with the widths of squeeze-excite
        ("efficientnet_b0", "fuse_half_50"),
        ("efficientnet_b0", "xsep"),
        ("resnet18", "acb"),
        ("resnet18", "acb:form=train"),
        ("resnet18", "superconv:form=train"),
        ("mobilenet_v2", "mixconv:kernels=3+5"),
        ("mobilenet_v2", "super_kernel:size=3,share=half"),
        ("mobilenet_v3_small", "doconv:form=train"),
    ],
)
def test_variants_are_those_of_the_built_in_network(name: str, variant: str) -> None:
    changed = apply(load(EXPORTS / f"{name}.onnx"), variant)
    built_in = networks.get(name, variant)
    assert changed.total_params == built_in.total_params
    assert _macs(changed) == _macs(built_in)
