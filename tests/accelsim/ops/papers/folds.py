"""Branches, summed, beside the kernel that they fold into: on integers, by naive loops."""

import numpy as np

from accelsim.ops.papers.base import Trained, golden


def draw(network, seed=0, low=-9, high=10):
    """Small integers for every layer that has any: kernels, scales and offsets."""
    rng = np.random.default_rng(seed)
    made = {}
    for layer in network.layers:
        shape = layer.op.weight_shape(*network.in_shapes(layer))
        if not shape:
            continue
        channels = network.shape(layer.name)[0]
        scale = rng.integers(-5, 6, channels) if layer.norm else None
        offset = rng.integers(-99, 99, channels) if layer.norm or layer.bias else None
        kernel = rng.integers(low, high, shape)
        if layer.tied:
            kernel = middle(made[layer.tied].kernel, shape[2:])
        made[layer.name] = Trained(kernel, scale, offset)
    return made


def middle(kernel, size):
    """Rows and columns around that in the middle, for odd sizes."""
    for axis, count in zip((2, 3), size, strict=True):
        border = (kernel.shape[axis] - count) // 2
        kernel = kernel.take(range(border, border + count), axis)
    return kernel


def draw_input(shape, seed=1):
    return np.random.default_rng(seed).integers(-128, 128, shape)


def both(trained_op, inference_op, shape, seed=0):
    """What both forms make of one map, the latter with folded weights."""
    train, inference = trained_op.network(shape), inference_op.network(shape)
    trained = draw(train, seed)
    folded = trained_op.fold(trained_op.name, trained)
    assert set(folded) == {
        each.name for each in inference.layers if each.op.weight_shape(*inference.in_shapes(each))
    }
    for each in folded.values():
        assert each.kernel.dtype == np.int64
    x = draw_input(shape)
    return golden(train, trained, x), golden(inference, folded, x)
