"""Activations: functions of every element, and softmax along an axis."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from accelsim.graph.functions.elementwise import erf
from accelsim.graph.types import Array


def relu(x: Array) -> Array:
    """max(x, 0), of the type of x."""
    return np.maximum(x, np.zeros((), x.dtype))


def leaky_relu(x: Array, alpha: float = 0.01) -> Array:
    """x, times alpha where it is negative."""
    return np.where(x < 0, x * x.dtype.type(alpha), x)


def p_relu(x: Array, slope: Array) -> Array:
    """x, times the slope where it is negative."""
    return np.where(x < 0, x * slope, x)


def thresholded_relu(x: Array, alpha: float = 1.0) -> Array:
    """`x` where it is above alpha, else 0."""
    return np.where(x > x.dtype.type(alpha), x, x.dtype.type(0))


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x, alpha (exp x - 1) where it is negative."""
    return np.where(x < 0, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0)), x)


def celu(x: Array, alpha: float = 1.0) -> Array:
    """x, alpha (exp(x / alpha) - 1) where it is negative."""
    each = x.dtype.type(alpha)
    return np.asarray(np.maximum(x, 0) + np.minimum(each * np.expm1(np.minimum(x, 0) / each), 0))


def selu(
    x: Array, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Array:
    """What elu gives, times gamma."""
    return np.asarray(x.dtype.type(gamma) * elu(x, alpha))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp -x), by an exponential that never overflows."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, small, x.dtype.type(1)) / (1 + small))


def hard_sigmoid(x: Array, alpha: float = 0.2, beta: float = 0.5) -> Array:
    """The line alpha x + beta between 0 and 1."""
    kind = x.dtype.type
    return np.asarray(np.clip(kind(alpha) * x + kind(beta), kind(0), kind(1)))


def hard_swish(x: Array) -> Array:
    """`x` times hard_sigmoid with alpha 1/6."""
    return x * hard_sigmoid(x, 1 / 6, 0.5)


def swish(x: Array, alpha: float = 1.0) -> Array:
    """`x` sigmoid(alpha x)."""
    return x * sigmoid(x.dtype.type(alpha) * x)


def softplus(x: Array) -> Array:
    """log(1 + exp x)."""
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def softsign(x: Array) -> Array:
    """The quotient x / (1 + |x|)."""
    return np.asarray(x / (1 + np.abs(x)))


def mish(x: Array) -> Array:
    """`x` tanh(softplus x)."""
    return x * np.tanh(softplus(x))


def gelu(x: Array, approximate: str = "none") -> Array:
    """`x` times the normal distribution, or its approximation by "tanh"."""
    kind = x.dtype.type
    if approximate == "tanh":
        inner = kind(math.sqrt(2 / math.pi)) * (x + kind(0.044715) * x * x * x)
        return np.asarray(kind(0.5) * x * (1 + np.tanh(inner)))
    return np.asarray(kind(0.5) * x * (1 + erf(x * kind(math.sqrt(0.5)))))


def softmax(x: Array, axis: int = -1) -> Array:
    """The exponential of x over its sum along the axis."""
    grown = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(grown / grown.sum(axis, keepdims=True))


def log_softmax(x: Array, axis: int = -1) -> Array:
    """The logarithm of softmax."""
    less = x - x.max(axis, keepdims=True)
    return np.asarray(less - np.log(np.exp(less).sum(axis, keepdims=True)))


def hardmax(x: Array, axis: int = -1) -> Array:
    """1 at the first of the largest along the axis, else 0."""
    made = np.zeros_like(x)
    np.put_along_axis(made, x.argmax(axis, keepdims=True), x.dtype.type(1), axis)
    return made


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "Celu": celu,
    "Elu": elu,
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "Hardmax": hardmax,
    "LeakyRelu": leaky_relu,
    "LogSoftmax": log_softmax,
    "Mish": mish,
    "PRelu": p_relu,
    "Relu": relu,
    "Selu": selu,
    "Sigmoid": sigmoid,
    "Softmax": softmax,
    "Softplus": softplus,
    "Softsign": softsign,
    "Swish": swish,
    "Tanh": np.tanh,
    "ThresholdedRelu": thresholded_relu,
}
