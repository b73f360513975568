"""Steps that are one: what exporters take apart, and what comes before or after sums of products.

Each pattern is found from its last step on. Results differ from those of the single steps by the
rounding of reals alone.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from accelsim.graph.types import NO_ATTRIBUTES, Array
from accelsim.importers.onnx.model import Model, Step, derived
from accelsim.importers.onnx.rewrite import Match, Pattern, Steps, both_orders

MOST_PRODUCTS = 4  # behind one another in any pattern
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def find_patterns(model: Model) -> None:
    """Take as one step what is one."""
    Steps(model).rewrite(PATTERNS)


def bias(steps: Steps, last: Step) -> Match | None:
    """A constant for every output channel that is added to sums of products."""
    for made, constant in both_orders(last.inputs):
        layer = steps.maker(made, *_LAYERS)
        if layer is None or layer.input(2) or constant not in steps.model.constants:
            continue
        if (axis := _channel_axis(steps.model, layer)) is None:
            continue
        channels = steps.model.type(made).shape[axis]
        if _is_of_channels(steps.model, constant, made, axis):
            vector = _reshaped(steps.model, constant, (channels,))
            new = replace(layer, inputs=(*layer.inputs[:2], vector), outputs=last.outputs)
            return Match(new, (layer,))
    return None


def _channel_axis(model: Model, layer: Step) -> int | None:
    """The axis of output channels of a layer with constant weights; None where it has none."""
    if layer.input(1) not in model.constants:
        return None
    rank = len(model.type(layer.outputs[0]).shape)
    if layer.kind in ("Conv", "ConvTranspose"):
        return 1
    weights = len(model.type(layer.inputs[1]).shape)
    if layer.kind == "MatMul" and (weights != 2 or rank == 0):
        return None
    return rank - 1


def _is_of_channels(model: Model, name: str, made: str, axis: int) -> bool:
    """Whether a constant has a value for every channel, broadcast against what is made."""
    shape, full = model.type(name).shape, model.type(made).shape
    if len(shape) > len(full):
        return False
    aligned = (1,) * (len(full) - len(shape)) + shape
    return aligned[axis] == full[axis] and prod(aligned) == full[axis]


def _reshaped(model: Model, name: str, shape: tuple[int, ...]) -> str:
    constant = model.constants[name]
    if constant.type.shape == shape:
        return name
    return model.add(
        f"{name}.reshaped",
        derived(shape, constant.type.dtype, lambda values: values.reshape(shape), constant),
    )


def batch_norm(steps: Steps, last: Step) -> Match | None:
    """A batch norm behind sums of products, folded into their weights and biases."""
    model = steps.model
    layer = steps.maker(last.inputs[0], "Conv", "ConvTranspose", "Gemm")
    numbers = [model.constants.get(name) for name in last.inputs[1:5]]
    if layer is None or layer.norm or None in numbers or layer.input(1) not in model.constants:
        return None
    if layer.input(2) and layer.input(2) not in model.constants:
        return None
    if layer.kind == "Gemm" and not _is_plain(layer):
        return None
    channels = (steps.model.type(last.outputs[0]).shape[1],)
    if any(each is not None and each.type.shape != channels for each in numbers):
        return None
    epsilon = last.attributes.get("epsilon", 1e-5)
    weights = model.constants[layer.inputs[1]]
    axis = _weight_axis(layer)
    groups = layer.attributes.get("group", 1) if layer.kind == "ConvTranspose" else 1
    own = model.constants.get(layer.input(2))

    def scale(gamma: Array, variance: Array) -> Array:
        return np.asarray(gamma / np.sqrt(variance + np.float32(epsilon)))

    def scaled(w: Array, gamma: Array, variance: Array) -> Array:
        factors = scale(gamma, variance).reshape(groups, -1)
        shape = [1] * w.ndim
        shape[axis] = -1
        if groups == 1:
            return w * factors.reshape(shape)
        parts = np.split(w, groups)  # input channels of a group see its factors
        return np.concatenate(
            [part * each.reshape(shape) for part, each in zip(parts, factors, strict=True)]
        )

    def shifted(*given: Array) -> Array:
        gamma, beta, mean, variance, *b = given
        before = b[0] - mean if b else -mean
        return np.asarray(beta + before * scale(gamma, variance))

    gamma, beta, mean, variance = (each for each in numbers if each is not None)
    shape, dtype, _ = weights.type
    new_weights = model.add(
        f"{layer.inputs[1]}.normed", derived(shape, dtype, scaled, weights, gamma, variance)
    )
    given = (gamma, beta, mean, variance, *((own,) if own else ()))
    new_bias = model.add(
        f"{last.inputs[2]}.folded", derived(beta.type.shape, dtype, shifted, *given)
    )
    new = replace(
        layer,
        inputs=(layer.inputs[0], new_weights, new_bias),
        outputs=last.outputs,
        norm=True,
        biased=own is not None,
    )
    return Match(new, (layer,))


def _is_plain(gemm: Step) -> bool:
    """Whether a Gemm is a linear layer with neither alpha nor beta, and no transposed input."""
    at_one = all(gemm.attributes.get(name, 1.0) == 1 for name in ("alpha", "beta"))
    return at_one and not gemm.attributes.get("transA")


def _weight_axis(layer: Step) -> int:
    """The axis of the weights along which output channels stand, those of a group."""
    if layer.kind == "Gemm":
        return 0 if layer.attributes.get("transB") else 1
    return 1 if layer.kind == "ConvTranspose" else 0


def padding(steps: Steps, last: Step) -> Match | None:
    """Zeros around the map before a convolution, as its own padding."""
    model = steps.model
    pad = steps.maker(last.inputs[0], "Pad")
    if pad is None or pad.attributes.get("mode", "constant") != "constant":
        return None
    if last.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID", ""):
        return None
    if pad.input(3) or (pad.input(2) and steps.scalar(pad.input(2)) != 0):
        return None
    amounts = model.values(pad, 1)
    rank = len(model.type(last.inputs[0]).shape)
    if amounts is None or amounts.size != 2 * rank or (amounts < 0).any():
        return None
    before, after = amounts[:rank].tolist(), amounts[rank:].tolist()
    if any((*before[:2], *after[:2])):
        return None
    own = last.attributes.get("pads", (0,) * (2 * (rank - 2)))
    if last.attributes.get("auto_pad") == "VALID":
        own = (0,) * (2 * (rank - 2))
    sides = (*before[2:], *after[2:])
    new = last.with_attributes(
        pads=tuple(a + b for a, b in zip(own, sides, strict=True)), auto_pad=None
    )
    return Match(new.with_inputs(pad.inputs[0], *last.inputs[1:]), (pad,))


def factors(
    steps: Steps, name: str, depth: int = MOST_PRODUCTS
) -> tuple[float, list[str], list[Step]]:
    """A product taken apart: its constant factor, its other factors, and the steps that make it.

    What others read is not taken apart, nor what is deeper than `depth` products.
    """
    step = steps.maker(name, "Mul", "Div")
    if step is None or depth == 0:
        return 1.0, [name], []
    return _factors_of(steps, step, depth)


def _factors_of(
    steps: Steps, step: Step, depth: int = MOST_PRODUCTS
) -> tuple[float, list[str], list[Step]]:
    constant, others, made = 1.0, [], [step]
    a, b = step.inputs
    if step.kind == "Div":
        divisor = steps.scalar(b)
        if not divisor:
            return 1.0, [step.outputs[0]], []
        constant = 1 / divisor
    for name in (a,) if step.kind == "Div" else (a, b):
        value = steps.scalar(name)
        if value is not None:
            constant *= value
        elif len(steps.readers.get(name, ())) > 1 and name in steps.makers:
            others.append(name)
        else:
            inner, names, inner_steps = factors(steps, name, depth - 1)
            constant *= inner
            others += names
            made += inner_steps
    return constant, others, made


def _close(value: float | None, wanted: float) -> bool:
    return value is not None and math.isclose(value, wanted, rel_tol=1e-4)


def _plus(steps: Steps, name: str, wanted: float) -> tuple[str, Step] | None:
    """What a number is added to, and the step; None if the tensor is no such sum."""
    step = steps.maker(name, "Add")
    if step is not None:
        for other, constant in both_orders(step.inputs):
            if _close(steps.scalar(constant), wanted):
                return other, step
    return None


def _relu6_of_3_more(steps: Steps, name: str) -> tuple[str, list[Step]] | None:
    """`x` and the steps, of min(max(x + 3, 0), 6)."""
    clip = steps.maker(name, "Clip")
    if clip is None or steps.scalar(clip.input(1)) != 0 or steps.scalar(clip.input(2)) != 6:
        return None
    found = _plus(steps, clip.inputs[0], 3)
    return (found[0], [clip, found[1]]) if found else None


def _hard_sigmoid(steps: Steps, name: str) -> tuple[str, list[Step]] | None:
    step = steps.maker(name, "HardSigmoid")
    if step is None:
        return None
    alpha, beta = step.attributes.get("alpha", 0.2), step.attributes.get("beta", 0.5)
    return (step.inputs[0], [step]) if _close(alpha, 1 / 6) and beta == 0.5 else None


def hard_swish(steps: Steps, last: Step) -> Match | None:
    """`x` times min(max(x + 3, 0), 6) / 6, or times HardSigmoid."""
    constant, others, made = _factors_of(steps, last)
    if len(others) != 2:
        return None
    for x, gate in both_orders(tuple(others)):
        for found, wanted in (
            (_relu6_of_3_more(steps, gate), 1 / 6),
            (_hard_sigmoid(steps, gate), 1.0),
        ):
            if found and found[0] == x and _close(constant, wanted):
                return _one(last, "HardSwish", (x,), [*made[1:], *found[1]])
    return None


def hard_sigmoid(steps: Steps, last: Step) -> Match | None:
    """min(max(x + 3, 0), 6) / 6."""
    constant, others, made = _factors_of(steps, last)
    if len(others) != 1 or not _close(constant, 1 / 6):
        return None
    if found := _relu6_of_3_more(steps, others[0]):
        attributes = {"alpha": 1 / 6, "beta": 0.5}
        return _one(last, "HardSigmoid", (found[0],), [*made[1:], *found[1]], attributes)
    return None


def swish(steps: Steps, last: Step) -> Match | None:
    """`x` sigmoid(x)."""
    for x, gate in both_orders(last.inputs):
        sigmoid = steps.maker(gate, "Sigmoid")
        if sigmoid and sigmoid.inputs == (x,):
            return _one(last, "Swish", (x,), [sigmoid])
    return None


def gelu(steps: Steps, last: Step) -> Match | None:
    """`x` (1 + erf(x / sqrt 2)) / 2, or the same with tanh(sqrt(2 / pi) (x + 0.044715 x^3))."""
    constant, others, made = _factors_of(steps, last)
    if len(others) != 2 or not _close(constant, 0.5):
        return None
    for x, gate in both_orders(tuple(others)):
        found = _plus(steps, gate, 1)
        if found is None:
            continue
        inner, add = found
        for kind, argument, form in (("Erf", _over_root_2, "none"), ("Tanh", _cubic, "tanh")):
            function = steps.maker(inner, kind)
            if function is None:
                continue
            absorbed = argument(steps, function.inputs[0], x)
            if absorbed is not None:
                inside = [*made[1:], add, function, *absorbed]
                return _one(last, "Gelu", (x,), inside, {"approximate": form})
    return None


def _over_root_2(steps: Steps, name: str, x: str) -> list[Step] | None:
    constant, others, made = factors(steps, name)
    return made if others == [x] and _close(constant, math.sqrt(0.5)) else None


def _cubic(steps: Steps, name: str, x: str) -> list[Step] | None:
    """The steps of sqrt(2 / pi) (x + 0.044715 x^3)."""
    constant, others, made = factors(steps, name)
    add = steps.maker(others[0], "Add") if len(others) == 1 else None
    if add is None or not _close(constant, math.sqrt(2 / math.pi)):
        return None
    for first, second in both_orders(add.inputs):
        share, cubes, inner = factors(steps, second)
        if first != x or not _close(share, 0.044715):
            continue
        if cubes == [x, x, x]:
            return [*made, add, *inner]
        power = steps.maker(cubes[0], "Pow") if len(cubes) == 1 else None
        if power and power.inputs[0] == x and steps.scalar(power.inputs[1]) == 3:
            return [*made, add, *inner, power]
    return None


def layer_norm(steps: Steps, last: Step) -> Match | None:
    """(x - mean) / sqrt(variance + epsilon) gamma + beta over the last axes."""
    model = steps.model
    for scaled, beta in both_orders(last.inputs):
        multiply = steps.maker(scaled, "Mul")
        if multiply is None or beta not in model.constants:
            continue
        for normed, gamma in both_orders(multiply.inputs):
            found = _normalised(steps, normed)
            if found is None or gamma not in model.constants:
                continue
            x, axes, epsilon, absorbed = found
            over = model.type(x).shape[-len(axes) :]
            if model.type(gamma).shape == model.type(beta).shape == over:
                attributes = {"axis": -len(axes), "epsilon": epsilon}
                inputs, inner = (x, gamma, beta), [multiply, *absorbed]
                return _one(last, "LayerNormalization", inputs, inner, attributes)
    return None


def _normalised(steps: Steps, name: str) -> tuple[str, tuple[int, ...], float, list[Step]] | None:
    """`x`, the last axes, epsilon and the steps of (x - mean) / sqrt(variance + epsilon)."""
    if divide := steps.maker(name, "Div"):
        difference, deviation = divide.inputs
        made = [divide]
    elif multiply := steps.maker(name, "Mul"):
        difference, inverse = multiply.inputs
        reciprocal = steps.maker(inverse, "Reciprocal")
        if reciprocal is None:
            return None
        deviation, made = reciprocal.inputs[0], [multiply, reciprocal]
    else:
        return None
    root = steps.maker(deviation, "Sqrt")
    subtract = steps.maker(difference, "Sub")
    add = steps.maker(root.inputs[0], "Add") if root else None
    if not (root and subtract and add):
        return None
    x, mean_name = subtract.inputs
    mean = steps.maker(mean_name, "ReduceMean")
    for variance_name, constant in both_orders(add.inputs):
        epsilon = steps.scalar(constant)
        variance = steps.maker(variance_name, "ReduceMean")
        square = steps.maker(variance.inputs[0], "Pow", "Mul") if variance else None
        if epsilon is None or not (mean and variance and square):
            continue
        axes = _last_axes(steps, mean)
        squares = square.inputs[0] == difference and (
            steps.scalar(square.inputs[1]) == 2
            if square.kind == "Pow"
            else square.inputs[1] == difference
        )
        if squares and axes and mean.inputs[0] == x and _last_axes(steps, variance) == axes:
            return x, axes, epsilon, [*made, root, subtract, mean, add, variance, square]
    return None


def _last_axes(steps: Steps, reduce: Step) -> tuple[int, ...]:
    """The axes over which a step reduces, if they are the last ones and are kept; else ()."""
    rank = len(steps.model.type(reduce.inputs[0]).shape)
    values = steps.model.values(reduce, 1)
    if values is None or not reduce.attributes.get("keepdims", 1):
        return ()
    axes = tuple(sorted(int(axis) % rank for axis in values))
    return axes if axes == tuple(range(rank - len(axes), rank)) else ()


def global_pool(steps: Steps, last: Step) -> Match | None:
    """The mean over rows and columns, as gates of squeeze-excite are written too."""
    rank = len(steps.model.type(last.inputs[0]).shape)
    if rank == 4 and _last_axes(steps, last) == (2, 3):
        return _one(last, "GlobalAveragePool", last.inputs[:1], [])
    return None


def channel_shuffle(steps: Steps, last: Step) -> Match | None:
    """Channels in groups, which change places with the channels of a group."""
    turn = steps.maker(last.inputs[0], "Transpose")
    first = steps.maker(turn.inputs[0], "Reshape") if turn else None
    if not (turn and first):
        return None
    model = steps.model
    x = model.type(first.inputs[0]).shape
    middle = model.type(first.outputs[0]).shape
    whole = model.type(last.outputs[0]).shape
    order = tuple(turn.attributes.get("perm", ()))
    if len(x) < 3 or x != whole or order != (0, 2, 1, *range(3, len(x) + 1)):
        return None
    if len(middle) != len(x) + 1 or (middle[0], *middle[3:]) != (x[0], *x[2:]):
        return None
    attributes = {"groups": middle[1]}
    return _one(last, "ChannelShuffle", first.inputs[:1], [turn, first], attributes)


def _one(
    last: Step,
    kind: str,
    inputs: tuple[str, ...],
    absorbed: list[Step],
    attributes: Mapping[str, Any] = NO_ATTRIBUTES,
) -> Match:
    """A step of another kind in place of the last and those before it."""
    unique = {step.name: step for step in absorbed}
    return Match(Step(last.name, kind, inputs, last.outputs, attributes), (*unique.values(),))


# The operator of the last step, and what to look for there; what stands first is tried first.
PATTERNS: tuple[tuple[str, Pattern], ...] = (
    ("Conv", padding),
    ("Add", bias),
    ("BatchNormalization", batch_norm),
    *((kind, hard_swish) for kind in ("Mul", "Div")),
    *((kind, gelu) for kind in ("Mul", "Div")),
    *((kind, hard_sigmoid) for kind in ("Mul", "Div")),
    ("Mul", swish),
    ("Add", layer_norm),
    ("ReduceMean", global_pool),
    ("Reshape", channel_shuffle),
)
