"""Input-dependent operators beside the float definitions of their papers."""

import numpy as np

from accelsim.graph.build import build
from accelsim.graph.calibrate import image, measure, reals
from accelsim.graph.evaluate import evaluate
from accelsim.ir import INPUT
from accelsim.quantised import with_values
from tests.naive import operators as naive


def on_reals(network, seed=0):
    """The weights by layer, an image[c, h, w], and what the network makes of it, in float64."""
    weights = reals(network, seed, measure(network, seed).norms)
    x = image(network.input, seed, 0)
    (made,) = evaluate(build(network, weights), {INPUT: x}).values()
    return weights, x[0].astype(np.float64), made[0].astype(np.float64)


def on_integers(network, seed=0):
    """What the int8 network makes of the same image, as the reals that its integers stand for."""
    whole = with_values(network, seed)
    kind = whole.graph.type(network.layers[-1].name).quantisation
    (made,) = evaluate(whole.graph, whole.seeded(seed, 0)).values()
    return (made[0].astype(np.float64) - kind.zero_point) * kind.scale


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def dense(real, x):
    """A fully connected layer, with the batch norm or bias folded in."""
    made = real.kernel.reshape(len(real.kernel), -1).astype(np.float64) @ x
    return made if real.bias is None else made + real.bias


def convolve(x, w, stride=(1, 1), padding=(0, 0, 0, 0), groups=1):
    """float64[k, oh, ow], one tap after another; padding top, bottom, left, right."""
    top, bottom, left, right = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    (k, each, fh, fw), (_, h, w_) = w.shape, padded.shape
    oh, ow = (h - fh) // stride[0] + 1, (w_ - fw) // stride[1] + 1
    out = np.zeros((k, oh, ow))
    for o in range(k):
        first = o // (k // groups) * each
        for i in range(fh):
            for j in range(fw):
                rows, columns = (
                    slice(at, at + (n - 1) * s + 1, s)
                    for at, n, s in zip((i, j), (oh, ow), stride, strict=True)
                )
                part = padded[first : first + each, rows, columns]
                out[o] += np.tensordot(w[o, :, i, j], part, 1)
    return out


def affine(real, x):
    """Behind a sum: the factors and the bias of a norm."""
    if real.factors:
        x = x * np.array(real.factors)[:, None, None]
    return x if real.bias is None else x + real.bias[:, None, None].astype(np.float64)


def integers(rng, *shape, low=-5, high=6):
    return rng.integers(low, high, shape)


__all__ = [
    "affine",
    "convolve",
    "dense",
    "integers",
    "naive",
    "on_integers",
    "on_reals",
    "sigmoid",
    "softmax",
]
