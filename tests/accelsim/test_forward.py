"""Values through a network against the real numbers that they stand for, as exact fractions."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from accelsim import numerics
from accelsim.forward import first_map, step, step_of
from accelsim.ir import INPUT, Layer, Network
from accelsim.numerics import stand_in
from accelsim.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv2d,
    Crop,
    Depthwise,
    DynamicDepthwise,
    GlobalPool,
    GlobalResponseNorm,
    LayerNorm,
    Linear,
    Multiply,
    Pointwise,
    Pool,
    PositionEmbedding,
    Resize,
    Scale,
    Slice,
    Softmax,
    Tokens,
)
from accelsim.ops import base as operators
from accelsim.weights import seeded_weights
from tests.naive import operators as naive

# Every way in which maps meet: sums and concatenations of maps that few and many layers made, gates
# with and without a function, a kernel that a layer makes.
NETWORK = Network(
    "meeting",
    (4, 5, 4),
    (
        Layer("a", Pointwise(6), (INPUT,), bias=True),
        Layer("wide", Pointwise(24), ("a",)),
        Layer("b", Pointwise(6), ("wide",)),
        Layer("sum", Add(), ("a", "b")),
        Layer("three", Add(), ("sum", "b", "a"), activation="relu"),
        Layer("joined", Concat(), ("three", "a", INPUT)),
        Layer("turned", ChannelShuffle(4), ("joined",)),
        Layer("some", Slice((3, 9)), ("turned",)),
        Layer("small", Pool("max", (2, 2), (2, 2)), ("some",)),
        Layer("large", Resize((5, 4)), ("small",)),
        Layer("both", Add(), ("large", "b")),
        Layer("pool", GlobalPool(), ("both",)),
        Layer("linear", Linear(6), ("pool",)),
        Layer("gates", Linear(6), ("pool",), activation="sigmoid"),
        Layer("gated", Scale(), ("both", "gates")),
        Layer("scaled", Scale(), ("gated", "linear")),
        Layer("kernel", Linear(6 * 3 * 2), ("linear",)),
        Layer("dynamic", DynamicDepthwise((3, 2)), ("scaled", "kernel"), bias=True),
        Layer("norm", LayerNorm(), ("dynamic",)),
        Layer("end", Add(), ("norm", "dynamic", "scaled")),
        Layer("hswish", Activation("hswish"), ("end",)),
        Layer("product", Multiply(), ("hswish", "gates")),
        Layer("normed", BatchNorm(), ("end",)),
        Layer("responses", GlobalResponseNorm(), ("normed",)),
        Layer("shares", Softmax(2), ("responses",)),
        Layer("tokens", Tokens(1), ("some",)),
        Layer("placed", PositionEmbedding(), ("tokens",)),
        Layer("class", Crop((0, 1)), ("placed",)),
        Layer("sized", Resize(factor=(2, 1), mode="bilinear"), ("shares",)),
        Layer("last", Concat(), ("hswish", "end", "gated")),
    ),
)


class Real(NamedTuple):
    """Fractions[c, h, w] that are multiples of a step."""

    values: np.ndarray
    step: Fraction

    @property
    def integers(self):
        return np.vectorize(int, otypes=[object])(self.values / self.step)


def clamp(value):
    return min(max(value, -128), 127)


def fit(values, step):
    """The reals in int8 steps, each rounded half to even and clamped."""
    return np.vectorize(lambda v: clamp(round(v / step)) * step, otypes=[object])(values)


def coarsest(inputs):
    step = max(x.step for x in inputs)
    return [fit(x.values, step) for x in inputs], step


def reals(op, weights, inputs):
    """What an operator makes of reals, before it is requantised, and the step of it."""
    x, fractions = inputs[0], weights.astype(object) * Fraction(1, 128)
    match op:
        case Pointwise() | Linear():
            columns = x.values.reshape(weights.shape[1], -1)
            return (fractions.reshape(weights.shape[:2]) @ columns).reshape(
                len(weights), *(x.values.shape[1:] if isinstance(op, Pointwise) else (1, 1))
            ), x.step / 128
        case DynamicDepthwise(kernel=(fh, fw)):
            kernels = inputs[1].values.reshape(len(x.values), fh, fw)
            c, h, w = x.values.shape
            out = np.full((c, h, w), Fraction(0), object)
            for k, i, j in np.ndindex(c, h, w):
                for y, z in np.ndindex(fh, fw):
                    row, column = i + y - (fh - 1) // 2, j + z - (fw - 1) // 2
                    if 0 <= row < h and 0 <= column < w:
                        out[k, i, j] += kernels[k, y, z] * x.values[k, row, column]
            return out, x.step * inputs[1].step
        case Add():
            values, step = coarsest(inputs)
            return fit(sum(values), step), step
        case Concat():
            values, step = coarsest(inputs)
            return np.concatenate(values), step
        case Slice(channels=(first, stop)):
            return x.values[first:stop], x.step
        case ChannelShuffle(groups=groups):
            each = len(x.values) // groups
            order = [g * each + i for i in range(each) for g in range(groups)]
            return x.values[order], x.step
        case Pool(kernel=(fh, fw)):
            c, h, w = x.values.shape
            cut = x.values[:, : h // fh * fh, : w // fw * fw]
            return cut.reshape(c, h // fh, fh, w // fw, fw).max(axis=(2, 4)), x.step
        case Resize(factor=(fh, fw)):
            size = x.values.shape[1] * fh, x.values.shape[2] * fw
            between = naive.bilinear(x.integers.astype(np.int8), size, align_corners=False)
            return between.astype(object) * x.step, x.step
        case Resize(size=(oh, ow)):
            _, h, w = x.values.shape
            rows, columns = [i * h // oh for i in range(oh)], [j * w // ow for j in range(ow)]
            return x.values[:, rows][:, :, columns], x.step
        case GlobalPool():
            mean = x.values.sum(axis=(1, 2), keepdims=True) / Fraction(x.values[0].size)
            return fit(mean, x.step), x.step
        case Scale():
            step = x.step * inputs[1].step * 128
            return fit(x.values * inputs[1].values, step), step
        case Multiply():
            return x.values * inputs[1].values, x.step * inputs[1].step
        case BatchNorm():
            gamma, beta = fractions[:, :, None, None]
            return gamma * x.values + 128 * beta * x.step, x.step / 128
        case GlobalResponseNorm():
            sums = naive.global_response_norm(x.integers.astype(np.int8), *weights)
            return sums.astype(object) * x.step / 128, x.step / 128
        case Softmax(heads=heads):
            steps = naive.softmax(x.integers.astype(np.int8), heads)
            return steps.astype(object) * Fraction(1, 2**24), Fraction(1, 2**24)
        case Tokens():
            learned = 128 * fractions * x.step
            pixels = x.values.reshape(len(x.values), -1)
            return np.concatenate((learned, pixels), axis=1)[:, :, None], x.step
        case PositionEmbedding():
            return x.values + 128 * fractions * x.step, x.step
        case Crop(rows=(first, stop)):
            return x.values[:, first:stop], x.step
        case LayerNorm():
            sums = naive.layer_norm(x.integers.astype(np.int8), *weights)
            return sums.astype(object) * Fraction(1, 128**2), Fraction(1, 128**2)
        case Activation(function=function):
            return activated(x.integers, function)
    raise AssertionError(f"no oracle for {op}")


def activated(integers, function):
    """An activation takes a sixteenth for every step, whatever the map says."""
    step = Fraction(1, 128 if function == "sigmoid" else 16)
    active = numerics.activate(integers.astype(np.int8), function)
    return active.astype(object) * step, step


def expected(network, weights, image):
    """Every map of the network as Reals; the image is in steps of 1/128."""
    step = Fraction(1, 128)
    maps = {INPUT: Real(image.astype(object) * step, step)}
    for layer in network.layers:
        inputs = [maps[name] for name in layer.inputs]
        values, step = reals(layer.op, weights.kernel(layer), inputs)
        bias = weights.bias(layer)
        if bias is not None:
            values = values + bias.astype(object)[:, None, None] * step
        while any(not -128 <= round(v / step) <= 127 for v in values.flat):
            step *= 2
        real = Real(fit(values, step), step)
        if layer.activation != "none":
            real = Real(*activated(real.integers, layer.activation))
        maps[layer.name] = real
    return maps


def differing(network, seed):
    """Names of the maps that do not stand for the reals that they should."""
    weights = seeded_weights(network, seed)
    maps = {INPUT: first_map(network, seed)}
    for layer in network.layers:
        maps[layer.name] = step(layer, weights, maps).output
    wanted = expected(network, weights, maps[INPUT].values)
    return [
        name
        for name, ours in maps.items()
        if Fraction(2) ** ours.exponent != wanted[name].step
        or (ours.values.astype(object) * wanted[name].step != wanted[name].values).any()
    ]


@pytest.mark.parametrize("seed", range(4))
def test_maps_stand_for_the_right_reals(seed):
    assert differing(NETWORK, seed) == []


def test_the_network_adds_maps_of_different_scales():
    weights, maps = seeded_weights(NETWORK), {INPUT: first_map(NETWORK, 0)}
    for layer in NETWORK.layers:
        maps[layer.name] = step(layer, weights, maps).output
        if isinstance(layer.op, Add):
            assert len({maps[name].exponent for name in layer.inputs}) > 1, layer.name


def test_integers_added_as_if_their_scales_were_equal_are_seen(monkeypatch):
    def as_they_are(*maps):
        return tuple(x.values for x in maps), max(x.exponent for x in maps)

    monkeypatch.setattr(operators, "align", as_they_are)
    assert differing(NETWORK, 0)[0] == "sum"


def test_rounding_towards_zero_is_seen(monkeypatch):
    def cut(sums, shift):
        return numerics.saturate(np.trunc(sums * 2.0**-shift))

    monkeypatch.setattr(stand_in, "requantise", cut)
    assert differing(NETWORK, 0)


def test_one_layer_after_all_before_it():
    layer, weights = NETWORK.layer("dynamic"), seeded_weights(NETWORK, 1)
    maps = {INPUT: first_map(NETWORK, 1)}
    for before in NETWORK.layers[: NETWORK.layers.index(layer)]:
        maps[before.name] = step(before, weights, maps).output
    last, wanted = step_of(NETWORK, layer, weights, 1), step(layer, weights, maps)
    assert np.array_equal(last.sums, wanted.sums)
    assert all(map(np.array_equal, last.inputs, wanted.inputs))
    assert last.output.exponent == wanted.output.exponent


def test_values_without_add_are_those_of_integers_alone():
    """Where no maps meet, the scale is only carried along."""
    layers = (
        Layer("stem", Conv2d(6, (3, 3), (2, 2), 1), (INPUT,), norm=True, activation="relu6"),
        Layer("dw", Depthwise((3, 3)), ("stem",)),
        Layer("fc", Linear(5), ("dw",), bias=True),
    )
    network = Network("chain", (3, 9, 8), layers)
    weights = seeded_weights(network)
    first = first_map(network, 0)
    x, maps = first.values, {INPUT: first}
    for layer in layers:
        maps[layer.name] = step(layer, weights, maps).output
        sums, bias = layer.op.golden(weights.kernel(layer), x).astype(np.int64), weights.bias(layer)
        if bias is not None:
            sums += bias[:, None, None]
        shift = 0
        while any(not -128 <= round(Fraction(int(s), 2**shift)) <= 127 for s in sums.flat):
            shift += 1
        x = numerics.activate(numerics.requantise(sums, shift), layer.activation)
        assert np.array_equal(maps[layer.name].values, x)
