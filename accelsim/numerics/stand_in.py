"""Activations and scales of maps, as powers of two.

The requantisation and the activations here are a stand-in for a post-processing unit: they make
int8 inputs for the next layer from the int32 sums of an engine, with power-of-two scales chosen
from the data, which are part of the maps. They run on the host and no cycles are counted for them.

Weights, gates and the network's input are fractions of 128. A sum of products is on the scale of
the map times that of the kernel, and so is the bias that is added to it.
"""

import math
from collections.abc import Callable
from functools import cache, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.errors import UnsupportedError
from accelsim.numerics.integers import Int8, Int32, divide_half_even, saturate
from accelsim.tensors import Map

FRACTION = -7  # exponent of weights, gates and the network's input
SHARE = -24  # exponent of what softmax makes

# An activation maps real numbers to real numbers; an int8 value q stands for q / 16, so that a
# layer's full range is -8 to 7.94. The result is on the same scale, except that of the gates
# (sigmoid, hsigmoid), which is in units of 1/128. relu6 takes 127 as 6: its clamp is saturation.
# leaky_relu has the slope 0.1 below 0. q is taken so whatever the exponent of its map: the power of
# two between them stands for a batch norm that brings the layer to that range.
_ACTIVATED = -4
_STEP = 2.0**_ACTIVATED
_NORM_BITS = 7
_MOST_NORMED = (1 << 16) - 1  # channels of a global response norm
_POWER_BITS = 30  # of the powers of e from 0 to 1 that softmax adds


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _hsigmoid(x: float) -> float:
    return min(max(x + 3, 0), 6) / 6


_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "none": lambda x: x,
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: max(x, 0),
    "leaky_relu": lambda x: max(x, x / 10),
    "hswish": lambda x: x * _hsigmoid(x),
    "hsigmoid": _hsigmoid,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "swish": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
}
_GATES = ("hsigmoid", "sigmoid")
ACTIVATIONS = tuple(_FUNCTIONS)


@cache
def activation_table(activation: str) -> Int8:
    """int8[256]: the activation of q at index q modulo 256; rounded half to even, saturated."""
    function = _FUNCTIONS[activation]
    step = 2.0 ** activation_exponent(activation, _ACTIVATED)
    table = saturate(np.rint([function(q * _STEP) / step for q in (*range(128), *range(-128, 0))]))
    table.flags.writeable = False
    return table


def activate(x: Int8, activation: str) -> Int8:
    """int8, shaped as `x`: the activation of every value."""
    if activation == "none":
        return x
    return np.take(activation_table(activation), x.view(np.uint8))


def activation_exponent(activation: str, exponent: int) -> int:
    """Exponent of what the activation makes of a map of that exponent."""
    if activation == "none":
        return exponent
    return FRACTION if activation in _GATES else _ACTIVATED


def requantise(sums: npt.NDArray[Any], shift: int) -> Int8:
    """int8: integers divided by 2**shift, rounded half to even, saturated.

    The quotient is exact as float64 up to 2**53, and rint rounds half to even.
    """
    return saturate(np.rint(sums * 2.0**-shift))


def choose_shift(sums: npt.NDArray[Any]) -> int:
    """The smallest shift by which no value saturates when requantised."""
    low, high = int(sums.min()), int(sums.max())
    shift = 0
    while round(low / 2**shift) < -128 or round(high / 2**shift) > 127:
        shift += 1
    return shift


def align(*maps: Map) -> tuple[tuple[Int8, ...], int]:
    """int8[c, h, w] each, on the coarsest scale among the maps, and its exponent.

    Maps on that scale keep their values; those of the others are divided by a power of two and
    rounded half to even.
    """
    exponent = max(x.exponent for x in maps)
    return tuple(_coarsen(x, exponent) for x in maps), exponent


def _coarsen(x: Map, exponent: int) -> Int8:
    return x.values if x.exponent == exponent else requantise(x.values, exponent - x.exponent)


def saturating_add(*maps: Int8) -> Int8:
    """int8: sums from -128 to 127, those beyond at the nearer end."""
    return saturate(reduce(np.add, (x.astype(np.int32) for x in maps)))


def gate(x: Int8, gates: Int8) -> Int8:
    """int8[c, h, w]: every channel of `x` times its gate of int8[c, 1, 1], in units of 1/128."""
    return requantise(x.astype(np.int32) * gates, -FRACTION)


def layer_norm(x: Int8, gamma: Int8, beta: Int8) -> Int32:
    """int32[c, h, w]: at every pixel gamma z + beta, z the normalised channels of `x`.

    gamma and beta are int8[c] on one scale. z = (x - mean) / deviation = (c x - s) / sqrt(v) with
    the integers s = sum x and v = c sum x^2 - s^2; it is rounded half to even to steps of 1/128,
    and where all channels are equal it is 0. The result is on the scale of gamma over 128.
    Integers stay below 2**53, and IEEE 754 rounds square root and quotient, so that every machine
    gives the same.
    """
    wide = x.astype(np.int64)
    channels = len(x)
    sums = wide.sum(axis=0)
    variance = channels * (wide * wide).sum(axis=0) - sums * sums
    deviation = np.sqrt(np.maximum(variance, 1).astype(np.float64))
    z = np.rint((channels * wide - sums) * 2.0**_NORM_BITS / deviation).astype(np.int32)
    return affine(z, gamma, beta)


def affine(x: Int32, gamma: Int8, beta: Int8) -> Int32:
    """int32[c, h, w]: gamma x + 128 beta, which int8[c] of a norm say for every channel."""
    scaled = x * gamma.astype(np.int32)[:, None, None]
    shifted: Int32 = scaled + (beta.astype(np.int32) << _NORM_BITS)[:, None, None]
    return shifted


def global_response_norm(x: Int8, gamma: Int8, beta: Int8) -> Int32:
    """int32[c, h, w]: gamma x n + 128 beta + 128 x, n the share of a channel's norm.

    gamma and beta are int8[c]. A norm, the square root of the sum of squares of a channel, is
    rounded to steps of 1/128, and so is n, what it is times the average of all; x n is rounded to
    an integer; all half to even. n is at most the number of channels c, so that the result fits
    int32 for fewer than 2**16 of them; more are an UnsupportedError.
    """
    channels = len(x)
    if channels > _MOST_NORMED:
        raise UnsupportedError(
            f"global_response_norm of {channels} channels can exceed int32; at most "
            f"{_MOST_NORMED} are allowed"
        )
    wide = x.astype(np.int64)
    squares = (wide * wide).sum(axis=(1, 2))
    norms = np.rint(np.sqrt(squares.astype(np.float64)) * 2.0**_NORM_BITS).astype(np.int64)
    total = max(int(norms.sum()), 1)
    shares = divide_half_even(norms * channels << _NORM_BITS, total)
    scaled = divide_half_even(wide * shares[:, None, None], 1 << _NORM_BITS)
    return affine(scaled.astype(np.int32), gamma, beta) + (x.astype(np.int32) << _NORM_BITS)


@cache
def _powers() -> npt.NDArray[np.int64]:
    """int64[256]: exp(-d / 16) at index d, in steps of 2**-_POWER_BITS."""
    table = [round(math.ldexp(math.exp(-d * _STEP), _POWER_BITS)) for d in range(256)]
    return np.array(table, np.int64)


def softmax(x: Int8, heads: int) -> Int32:
    """int32[c, h, w]: shares of the channels of a head at a pixel, in steps of 2**SHARE.

    An int8 value q stands for q / 16. The power of e of every value less the greatest of its head
    comes from a table of 256 integers; what is left is a division of integers, rounded half to
    even, so that every machine gives the same.
    """
    apart = x.reshape(heads, -1, *x.shape[1:]).astype(np.int16)
    powers = _powers()[apart.max(axis=1, keepdims=True) - apart]
    shares = divide_half_even(powers << -SHARE, powers.sum(axis=1, keepdims=True))
    return shares.reshape(x.shape).astype(np.int32)


def epilogue(
    sums: Int32, exponent: int, bias: Int32 | None = None, activation: str = "none"
) -> Map:
    """The map that a layer makes of its sums int32[c, h, w], a sum s of which is s 2**exponent.

    Adds the bias (int32[c] on the scale of the sums, folded batch norm included), requantises by
    the smallest power of two that fits, and applies the activation. Sums that fit int8 keep their
    values.
    """
    total = sums if bias is None else sums.astype(np.int64) + bias[:, None, None]
    shift = choose_shift(total)
    values = activate(requantise(total, shift), activation)
    return Map(values, activation_exponent(activation, exponent + shift))
