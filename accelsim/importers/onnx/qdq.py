"""Quantised graphs between DequantizeLinear and QuantizeLinear, as operators on 8-bit integers.

Files of quantisers have their operators on reals and say around each what integers stand for them.
onnxruntime's optimiser makes operators on integers of those that it knows so:

    Conv, and MatMul and Gemm with their biases, these also without QuantizeLinear behind them
    Add, Mul, Concat, AveragePool, GlobalAveragePool, Sigmoid, Softmax, LeakyRelu
    what moves elements only, and MaxPool, which run on the integers themselves

where all inputs and the result are of one type, and the result is read by QuantizeLinear alone,
perhaps behind a Relu or a Clip that the range of the integers implies. So it is done here. Where
the runtime stays with reals, though products are of integers, since an activation is narrower than
the range or types differ, they are of integers here all the same: engines have no others. Such a
node keeps its kind of the file, and its results differ from the runtime's where a rounding of reals
does. A function of single values between both becomes a table.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.functions.quantisation import quantize_linear
from accelsim.graph.types import Array, TensorType
from accelsim.importers.onnx.model import Model, Step, derived
from accelsim.importers.onnx.quantised import CALLED, LINEAR, ON_REALS, PREFIX, TABLE
from accelsim.importers.onnx.scales import EIGHT_BITS, Tensor, are_scales
from accelsim.numerics import float_rules
from accelsim.numerics.scales import Quantised

Q, DQ = "QuantizeLinear", "DequantizeLinear"
# Operators that move or pick elements, and commute with bringing them to integers and back.
MOVES = {
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "GlobalMaxPool",
    "MaxPool",
    "Pad",
    "ReduceMax",
    "ReduceMin",
    "Reshape",
    "Resize",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
}
UNARY = {"AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Softmax"}
# Functions of single values; what they read besides is constant. First those whose every operation
# IEEE 754 says, so that the runtime rounds alike.
EXACT = {
    "Abs",
    "Add",
    "Clip",
    "Div",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Mul",
    "Neg",
    "PRelu",
    "Reciprocal",
    "Relu",
    "Sqrt",
    "Sub",
    "ThresholdedRelu",
}
SINGLE_VALUES = EXACT | {
    "Celu",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "Log",
    "Mish",
    "Pow",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
}
_SCALES_AWAY = (1e-6, 1e-2)  # absolute and relative: how far a bias may be off the sums' scale


class Real(NamedTuple):
    """A tensor of reals of which the integers are known.

    tensor : the integers.
    axis : along which scales lie, where there are several.
    """

    tensor: Tensor
    axis: int


class Behind(NamedTuple):
    """What follows an operator, up to the integers of its result.

    y : these integers.
    steps : what stands in between.
    low, high : bounds of an activation, where it is narrower than the type.
    """

    y: Tensor
    steps: tuple[Step, ...]
    low: int | None = None
    high: int | None = None


def fuse(model: Model) -> None:
    """Replace steps between DequantizeLinear and QuantizeLinear by steps on integers."""
    if any(step.kind in (Q, DQ) for step in model.steps):
        fusion = Fusion(model)
        fusion.join()
        fusion.share()
        fusion.push()
        fusion.pull()
        fusion.fuse()
        fusion.tabulate()


class Fusion:
    """A model while its steps are fused.

    makers, readers : by tensor the step that makes it, and those that read it.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._index()

    def _index(self) -> None:
        self.makers = {name: step for step in self.model.steps for name in step.outputs if name}
        self.readers: dict[str, list[Step]] = {}
        for step in self.model.steps:
            for name in dict.fromkeys(step.inputs):
                self.readers.setdefault(name, []).append(step)

    def _put(self, steps: Iterable[Step]) -> None:
        """Other steps; those that nobody reads are left out."""
        wanted = set(self.model.outputs)
        kept = []
        for step in reversed(list(steps)):
            if wanted.intersection(step.outputs):
                kept.append(step)
                wanted |= set(step.inputs)
        self.model.steps = kept[::-1]
        self._index()

    # What is known of tensors

    def _only_reader(self, name: str) -> Step | None:
        """The one step that reads a tensor, if there is one and the tensor is no output."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.model.outputs else None

    def _real(self, name: str) -> Real | None:
        """The integers of a tensor of reals, if they are known."""
        step = self.makers.get(name) or self.model.computed.get(name)
        if step is None:
            return None
        if step.kind == "Transpose" and name in self.model.constants:
            return self._transposed(step)
        if step.kind != DQ or step.attributes.get("block_size"):
            return None
        return Real(_read_by(step), step.attributes.get("axis", 1))

    def _transposed(self, step: Step) -> Real | None:
        """The integers of a transposed constant of reals."""
        real = self._real(step.inputs[0])
        if real is None or real.tensor.name not in self.model.constants:
            return None
        constant = self.model.constants[real.tensor.name]
        shape = constant.type.shape
        order = step.attributes.get("perm", tuple(range(len(shape)))[::-1])
        moved = derived(
            tuple(shape[axis] for axis in order),
            constant.type.dtype,
            lambda x: x.transpose(order),
            constant,
        )
        name = self.model.add(f"{real.tensor.name}.transposed", moved)
        axis = order.index(real.axis % len(shape)) if len(shape) > 1 else 0
        return Real(real.tensor._replace(name=name), axis)

    def _single(self, name: str) -> Tensor | None:
        """The 8-bit integers of a tensor of reals, if they have one constant scale."""
        real = self._real(name)
        return real.tensor if real is not None and self._is_plain(real.tensor) else None

    def _is_plain(self, tensor: Tensor) -> bool:
        """Whether integers are of 8 bits and have one constant scale."""
        known = self.model.constants
        if tensor.scale not in known or (tensor.zero_point and tensor.zero_point not in known):
            return False
        scales = known[tensor.scale].values
        return scales.size == 1 and are_scales(scales) and self._dtype(tensor) in EIGHT_BITS

    def _dtype(self, tensor: Tensor) -> str:
        return self.model.type(tensor.name).dtype

    def _result(self, step: Step | None) -> Tensor | None:
        """What a QuantizeLinear makes, if it is of 8 bits and of one constant scale."""
        if step is None or step.kind != Q:
            return None
        tensor = _made_by(step)
        return tensor if self._is_plain(tensor) else None

    def _kind(self, tensor: Tensor) -> Quantised:
        """The type of integers of one scale."""
        constants = self.model.constants
        zero = constants[tensor.zero_point].values.ravel()[0] if tensor.zero_point else 0
        scale = constants[tensor.scale].values.ravel()[0]
        return Quantised(float(scale), int(zero), self._dtype(tensor))

    # Moving elements as integers

    def join(self) -> None:
        """Make one of two pairs of QuantizeLinear and DequantizeLinear behind one another.

        As the runtime does where nobody else reads what is between them: the one has the range that
        both share.
        """
        gone: set[str] = set()
        put: dict[str, Step] = {}
        for step in self.model.steps:
            chain = self._two_pairs(put.get(step.name, step))
            if chain is None or chain[0].name in gone:
                continue
            first, inner, second, last = (put.get(each.name, each) for each in chain)
            shared = self._shared(self._kind(_made_by(first)), self._kind(_made_by(second)))
            names = second.inputs[1:]
            if shared is not None:
                names = self._constants_of(f"{second.outputs[0]}.shared", shared)
            put[first.name] = first.with_inputs(first.inputs[0], *names)
            put[last.name] = last.with_inputs(first.outputs[0], *names)
            gone |= {inner.name, second.name}
        if gone:
            kept = (step for step in self.model.steps if step.name not in gone)
            self._put(put.get(step.name, step) for step in kept)

    def _two_pairs(self, first: Step) -> tuple[Step, Step, Step, Step] | None:
        """The steps from a QuantizeLinear on, if they are two pairs of one type."""
        steps = [first]
        for kind in (DQ, Q, DQ):
            step = self._only_reader(steps[-1].outputs[0])
            if step is None or step.kind != kind or step.inputs[0] != steps[-1].outputs[0]:
                return None
            steps.append(step)
        first, inner, second, last = steps
        pairs = [(_made_by(first), _read_by(inner)), (_made_by(second), _read_by(last))]
        plain = all(self._is_plain(each) and each.zero_point for pair in pairs for each in pair)
        if first.kind != Q or not plain:
            return None
        same = all(self._kind(a) == self._kind(b) for a, b in pairs)
        one_type = self._dtype(pairs[0][0]) == self._dtype(pairs[1][0])
        return (first, inner, second, last) if same and one_type else None

    def _shared(self, one: Quantised, other: Quantised) -> Quantised | None:
        """The type of the range that two types share; None where they are one."""
        if one == other:
            return None
        kinds = (one, other)
        low, high = np.float32(one.low), np.float32(one.high)
        least = max((low - each.zero_point) * np.float32(each.scale) for each in kinds)
        most = min((high - each.zero_point) * np.float32(each.scale) for each in kinds)
        scale = (most - least) / (high - low)
        zero = low - least / scale
        away = np.trunc(zero + np.copysign(np.float32(0.5), zero))  # halves away from 0
        return Quantised(float(scale), int(away), one.dtype)

    def _constants_of(self, hint: str, kind: Quantised) -> tuple[str, str]:
        """The names of a scale and a zero point."""
        values = np.array(kind.scale, np.float32), np.array(kind.zero_point, kind.dtype)
        scale, zero = (
            self.model.add(f"{hint}_{what}", each)
            for what, each in zip(("scale", "zero_point"), values, strict=True)
        )
        return scale, zero

    def share(self) -> None:
        """Take one QuantizeLinear where several make the same of a tensor."""
        seen: dict[Any, str] = {}
        renamed: dict[str, str] = {}
        kept = []
        for step in self.model.steps:
            step = step.with_inputs(*(renamed.get(name, name) for name in step.inputs))
            made = self._result(step)
            if made is not None and made.name not in self.model.outputs:
                first = seen.setdefault((step.inputs[0], self._kind(made)), made.name)
                if first != made.name:
                    renamed[made.name] = first
                    continue
            kept.append(step)
        self._put(kept)

    def push(self) -> None:
        """Move elements as integers, and bring them to reals after that.

        A QuantizeLinear that makes again the integers that there were is another name of them.
        """
        kept: list[Step] = []
        renamed: dict[str, str] = {}
        for step in self.model.steps:
            step = step.with_inputs(*(renamed.get(name, name) for name in step.inputs))
            given = self._single(step.input(0))
            made = self._result(step)
            if given and made and self._is_again(given, made):
                renamed[made.name] = given.name
            elif given and self._moves(step):
                moved, *after = self._pushed(step, given)
                kept += [moved, *after]
                for each in (moved, *after):
                    self.makers |= dict.fromkeys(each.outputs, each)
            else:
                kept.append(step)
                self.makers |= dict.fromkeys(step.outputs, step)
        self._put(kept)

    def _is_again(self, given: Tensor, made: Tensor) -> bool:
        """Whether integers are those that there were; an output needs a step that makes it."""
        outputs = self.model.outputs
        return self._kind(given) == self._kind(made) and made.name not in outputs

    def _moves(self, step: Step) -> bool:
        """Whether a step moves elements only, those that it pads with included."""
        if step.kind == "Resize":
            return bool(step.attributes.get("mode", "nearest") == "nearest")
        if step.kind == "Pad" and step.attributes.get("mode", "constant") == "constant":
            value = self.model.values(step, 2)
            return not step.input(2) or (value is not None and not np.any(value))
        return step.kind in MOVES

    def _pushed(self, step: Step, given: Tensor) -> Iterator[Step]:
        """The step on integers, and what makes reals of its results."""
        made = [self._integers_of(out, given) for out in step.outputs]
        yield replace(self._on_integers(step, given), outputs=tuple(made))
        for out, name in zip(step.outputs, made, strict=True):
            self.model.types[name] = TensorType(self.model.type(out).shape, self._dtype(given))
            yield Step(f"{name}.real", DQ, (name, *given[1:]), (out,))

    def _on_integers(self, step: Step, given: Tensor) -> Step:
        """The step on integers instead of reals: a padding with 0 is one with the zero point."""
        inputs = (given.name, *step.inputs[1:])
        if step.kind == "Pad":
            inputs = (given.name, step.input(1), given.zero_point, step.input(3))
        return step.with_inputs(*inputs)

    def _integers_of(self, out: str, given: Tensor) -> str:
        """The name of the integers of a result: as the file has it where it quantises it alone."""
        wanted = self._result(self._only_reader(out))
        same = wanted is not None and self._kind(wanted) == self._kind(given)
        if wanted is not None and same and wanted.name not in self.model.outputs:
            return wanted.name
        return self._fresh(out)

    def _fresh(self, out: str) -> str:
        """The name of integers that the file does not have."""
        name = f"{out}.q"
        while self.model.knows(name):
            name += "q"
        return name

    def pull(self) -> None:
        """Make integers of what is only moved before it is quantised, and move these."""
        for step in self.model.steps[::-1]:
            while step.kind == Q and (before := self._before(step)):
                step = self._pulled(before, step)

    def _before(self, step: Step) -> Step | None:
        """What moves the elements that a QuantizeLinear reads, if nobody else reads any of it."""
        mover = self.makers.get(step.inputs[0])
        if mover is None or not self._moves(mover) or len(mover.outputs) > 1:
            return None
        alone = self._only_reader(mover.outputs[0]) and self._only_reader(mover.inputs[0])
        return mover if alone and self._result(step) and mover.inputs[0] in self.makers else None

    def _pulled(self, mover: Step, step: Step) -> Step:
        """The QuantizeLinear, which now stands before what moves its integers."""
        model = self.model
        made = Tensor(*step.outputs, *step.inputs[1:])
        name = self._fresh(mover.inputs[0])
        model.types[name] = TensorType(model.type(mover.inputs[0]).shape, self._dtype(made))
        first = replace(step, inputs=(mover.inputs[0], *step.inputs[1:]), outputs=(name,))
        moved = self._on_integers(mover, made._replace(name=name))
        pair = {mover.name: first, step.name: replace(moved, outputs=step.outputs)}
        self._put(pair.get(each.name, each) for each in model.steps)
        return first

    # Operators on integers

    def fuse(self) -> None:
        """Replace operators and what stands around them."""
        gone: set[str] = set()
        made: list[Step] = []
        for step in self.model.steps:
            if step.name in gone:
                continue
            fused = None
            if rule := RULES.get(step.kind):
                fused = rule(self, step)
            if fused is None:
                made.append(step)
            else:
                made.append(fused[0])
                gone |= {each.name for each in fused[1]}
        self._put(made)

    def _behind(self, name: str) -> Behind | None:
        """What follows a tensor, if that is a QuantizeLinear, perhaps behind an activation."""
        step = self._only_reader(name)
        between: tuple[Step, ...] = ()
        if step is not None and step.kind in ("Relu", "Clip") and step.inputs[0] == name:
            between = (step,)
            step = self._only_reader(step.outputs[0])
        y = self._result(step)
        if y is None or step is None:
            return None
        return self._bounded(Behind(y, (*between, step)), between)

    def _bounded(self, behind: Behind, between: tuple[Step, ...]) -> Behind | None:
        """With the bounds of the activation; None where they are computed."""
        kind = self._kind(behind.y)
        for step in between:
            low, high = None, None
            if step.kind == "Relu":
                low = kind.zero_point
            elif any(name not in self.model.constants for name in step.inputs[1:] if name):
                return None
            else:
                low, high = (self._quantised(step, place, kind) for place in (1, 2))
            low = None if low is None or low <= kind.low else low
            high = None if high is None or high >= kind.high else high
            behind = behind._replace(low=low, high=high)
        return behind

    def _quantised(self, step: Step, place: int, kind: Quantised) -> int | None:
        """What stands for a bound of a Clip."""
        value = self.model.values(step, place)
        if value is None:
            return None
        return int(float_rules.quantise(value.astype(np.float32).reshape(1), kind)[0])

    def _made(
        self,
        step: Step,
        operator: str,
        inputs: Iterable[str],
        behind: Behind | None,
        tensors: Iterable[Tensor],
        **attributes: Any,
    ) -> tuple[Step, tuple[Step, ...]]:
        """A step on integers, and the steps that it replaces besides its own.

        operator : the runtime's, which the step is called by if it does what the runtime does.
        tensors : those whose types must be one for that.
        """
        if behind is None:
            attributes = {**step.attributes, **attributes}
            return replace(step, kind=operator, inputs=tuple(inputs), attributes=attributes), ()
        types = {self._dtype(each) for each in (*tensors, behind.y)}
        exact = len(types) == 1 and behind.low is None and behind.high is None
        more = {"low": behind.low, "high": behind.high, **({} if exact else _on_reals(step.kind))}
        made = replace(step, kind=operator, inputs=tuple(inputs), outputs=(behind.y.name,))
        return made.with_attributes(**attributes, **more), behind.steps

    def convolution(self, step: Step) -> Any:
        """Conv and ConvTranspose."""
        x, behind = self._single(step.inputs[0]), self._behind(step.outputs[0])
        transposed = step.kind == "ConvTranspose"
        if x is None or behind is None:
            return None
        w = self._weights(step.inputs[1], 1 if transposed else 0) or self._made_of(step.inputs[1])
        if w is None:
            return None
        bias = self._bias(step, x, w, behind)
        if bias is None:
            return None
        moved = self._moved(step, bias, x, w)
        inputs = (*x, *w, *behind.y[1:], moved)
        fused, gone = self._made(step, f"QLinear{step.kind}", inputs, behind, self._typed(x, w))
        if transposed or moved != bias:
            fused = fused.with_attributes(**_on_reals(step.kind))
        return fused, gone

    def _typed(self, x: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        """Those whose type must be that of the result: weights only where it has a sign."""
        return (x, w) if self._dtype(x) == "int8" else (x,)

    def _weights(self, name: str, axis: int) -> Tensor | None:
        """8-bit integers that have one scale, or one for each index of an axis."""
        real = self._real(name)
        if real is None or real.tensor.scale not in self.model.constants:
            return None
        several = self.model.constants[real.tensor.scale].values.size > 1
        rank = len(self.model.type(real.tensor.name).shape)
        if several and real.axis % rank != axis % rank:
            return None
        return real.tensor if self._dtype(real.tensor) in EIGHT_BITS else None

    def _made_of(self, name: str) -> Tensor | None:
        """Integers for weights of reals: int8 over their range, which the runtime makes too."""
        constant = self.model.constants.get(name)
        if constant is None or constant.type.dtype != "float32" or self._real(name) is not None:
            return None
        made = (
            (constant.type.shape, "int8", lambda w: quantize_linear(w, *_over_range(w))),
            ((), "float32", lambda w: _over_range(w)[0]),
            ((), "int8", lambda w: _over_range(w)[1]),
        )
        hints = (f"{name}.q", f"{name}.scale", f"{name}.zero_point")
        parts = (derived(*each, constant) for each in made)
        return Tensor(*(self.model.add(*each) for each in zip(hints, parts, strict=True)))

    def _bias(self, step: Step, x: Tensor, w: Tensor, behind: Behind | None) -> str | None:
        """int32 of a bias on the scale of the sums, "" for none; None where it is neither.

        One of reals is brought there if the result is quantised.
        """
        name = step.input(2)
        if not name:
            return ""
        real = self._real(name)
        if name not in self.model.constants:
            return None
        if real is not None:
            return real.tensor.name if self._dtype(real.tensor) == "int32" else None
        if behind is None or len(self.model.type(name).shape) != 1:
            return None
        return self._reals_on_scale(name, x, w)

    def _moved(self, step: Step, bias: str, x: Tensor, w: Tensor) -> str:
        """The bias of a convolution on the scale of the sums, if the file has it on another.

        The runtime then computes reals.
        """
        real = self._real(step.input(2))
        if real is None:
            return bias
        constants = self.model.constants
        given = [constants.get(name) for name in (x.scale, w.scale, *real.tensor[1:])]
        x_scale, w_scale, scale, zero = (None if each is None else each.values for each in given)
        if x_scale is None or w_scale is None or scale is None:
            return bias
        sums = x_scale.ravel() * w_scale.ravel()
        near = np.abs(scale.ravel() - sums) <= _SCALES_AWAY[0] + _SCALES_AWAY[1] * sums
        if near.all() and (zero is None or not zero.any()):
            return bias
        return self._reals_on_scale(step.input(2), x, w)

    def _reals_on_scale(self, name: str, x: Tensor, w: Tensor) -> str:
        """A bias of reals as int32 on the scale of the sums."""
        constants = self.model.constants
        given = (constants[each] for each in (name, x.scale, w.scale))
        shape = self.model.type(name).shape
        return self.model.add(f"{name}.q", derived(shape, "int32", _on_scale, *given))

    def gemm(self, step: Step) -> Any:
        """Gemm, with integers or reals behind it."""
        transposed = step.attributes.get("transB")
        a, b = self._single(step.inputs[0]), self._weights(step.inputs[1], 0 if transposed else 1)
        behind = self._behind(step.outputs[0])
        if b is None and behind is not None:
            b = self._made_of(step.inputs[1])
        if a is None or b is None or (step.input(2) and step.attributes.get("beta", 1.0) != 1):
            return None
        bias = self._bias(step, a, b, behind)
        columns = self.model.type(step.outputs[0]).shape[1]
        if bias is None or (bias and self.model.type(bias).shape not in ((columns,), (1, columns))):
            return None
        inputs = (*a, *b, bias, *(behind.y[1:] if behind else ()))
        fused = self._made(step, f"{PREFIX}QGemm", inputs, behind, self._typed(a, b))
        kept = ("alpha", "transA", "transB", "low", "high", CALLED, ON_REALS)
        attributes = {
            name: fused[0].attributes[name] for name in kept if name in fused[0].attributes
        }
        return replace(fused[0], attributes=attributes), fused[1]

    def matmul(self, step: Step) -> Any:
        """MatMul, with a bias behind it that is added to it alone, and integers or reals."""
        a, b = self._single(step.inputs[0]), self._weights(step.inputs[1], -1)
        if a is None or b is None:
            return None
        out, bias, added = step.outputs[0], "", self._only_reader(step.outputs[0])
        more: tuple[Step, ...] = ()
        if added is not None and added.kind == "Add":
            other = added.inputs[int(added.inputs[0] == out)]
            shape = self.model.type(step.inputs[1]).shape
            fits = len(shape) == 2 and self.model.type(other).shape == shape[1:]
            with_bias = step.with_inputs(*step.inputs[:2], other)
            behind = self._behind(added.outputs[0])
            found = self._bias(with_bias, a, b, behind) if fits else None
            if found:
                bias, out, more = found, added.outputs[0], (added,)
        behind = self._behind(out)
        inputs = (*a, *b, *(behind.y[1:] if behind else ("", "")), bias)
        fused, gone = self._made(
            replace(step, outputs=(out,)), "QLinearMatMul", inputs, behind, self._typed(a, b)
        )
        return fused, (*more, *gone)

    def binary(self, step: Step) -> Any:
        """Add and Mul of two maps."""
        a, b = (self._single(name) for name in step.inputs)
        behind = self._behind(step.outputs[0])
        if a is None or b is None or behind is None:
            return None
        inputs = (*a, *b, *behind.y[1:])
        return self._made(step, f"{LINEAR}{step.kind}", inputs, behind, (a, b))

    def concat(self, step: Step) -> Any:
        """Concat of maps."""
        given = [self._single(name) for name in step.inputs]
        behind = self._behind(step.outputs[0])
        if behind is None or not all(given) or behind.low is not None or behind.high is not None:
            return None
        tensors = [each for each in given if each]
        inputs = (*behind.y[1:], *chain.from_iterable(tensors))
        return self._made(step, f"{LINEAR}Concat", inputs, behind, tensors)

    def unary(self, step: Step) -> Any:
        """What has a kernel for integers, if the types of both sides are one."""
        x, behind = self._single(step.inputs[0]), self._behind(step.outputs[0])
        if x is None or behind is None or self._dtype(x) != self._dtype(behind.y):
            return None
        if behind.low is not None or behind.high is not None:
            return None
        return self._made(step, f"{LINEAR}{step.kind}", (*x, *behind.y[1:]), behind, (x,))

    def arg_max(self, step: Step) -> Any:
        """Where the largest is does not depend on the scale."""
        x = self._single(step.inputs[0])
        return None if x is None else (step.with_inputs(x.name), ())

    # Tables

    def tabulate(self) -> None:
        """Make tables of functions of single values between integers."""
        self._put([self._tabulated(step) or step for step in self.model.steps])

    def _tabulated(self, step: Step) -> Step | None:
        """The step of a table in the place of a QuantizeLinear."""
        y = self._result(step)
        if y is None:
            return None
        functions: list[Callable[[Array], Array]] = []
        names: list[str] = []
        name = step.inputs[0]
        while (x := self._single(name)) is None:
            maker = self.makers.get(name)
            if maker is None or not self._is_of_single_values(maker):
                return None
            place = int(maker.inputs[0] in self.model.constants)
            functions.append(self._called(maker, place))
            names.append(maker.kind)
            name = maker.inputs[place]
        if x.name in self.model.constants:
            return None
        called = {CALLED: " ".join(names[::-1]) or Q, ON_REALS: not EXACT.issuperset(names)}
        attributes = {"functions": tuple(functions[::-1]), **called}
        return replace(step, kind=TABLE, inputs=(*x, *y[1:]), attributes=attributes)

    def _is_of_single_values(self, step: Step) -> bool:
        """Whether a step has one map, of which it makes every value by itself."""
        if step.kind not in SINGLE_VALUES or self._only_reader(step.outputs[0]) is None:
            return False
        known = self.model.constants
        maps = [name for name in step.inputs if name and name not in known]
        return len(maps) == 1 and all(
            known[name].values.size == 1 for name in step.inputs if name in known
        )

    def _called(self, step: Step, place: int) -> Callable[[Array], Array]:
        """The function of a step, of its one map."""
        given = [None if not name else self.model.constants.get(name) for name in step.inputs]

        def call(x: Array) -> Array:
            values = [None if each is None else each.values.ravel() for each in given]
            values[place] = x
            made: Array = np.asarray(FUNCTIONS[step.kind](*values, **step.attributes))
            return made

        return call


def _on_reals(kind: str) -> dict[str, Any]:
    """Attributes of a step that the runtime computes in reals, as what the file calls it."""
    return {CALLED: kind, ON_REALS: True}


def _made_by(step: Step) -> Tensor:
    """What a QuantizeLinear makes."""
    return Tensor(step.outputs[0], step.input(1), step.input(2))


def _read_by(step: Step) -> Tensor:
    """What a DequantizeLinear reads."""
    return Tensor(*(step.input(place) for place in range(3)))


def _over_range(w: Array) -> tuple[Array, Array]:
    """Scale and zero point of int8 over the range of reals and 0."""
    known = np.nan_to_num(w)
    low, high = np.minimum(known.min(), np.float32(0)), np.maximum(known.max(), np.float32(0))
    scale = (high - low) / np.float32(255) if high > low else np.float32(1)
    zero = np.rint(np.clip(np.float32(-128) - low / scale, -128, 127))
    return np.asarray(scale), np.asarray(zero, np.int8)


def _on_scale(bias: Array, x_scale: Array, w_scale: Array) -> Array:
    """A bias of reals on the scale of the sums, as the runtime brings it there."""
    sums = x_scale.ravel() * w_scale.ravel()
    if not are_scales(sums):
        return np.zeros(bias.shape, np.int32)  # the program of the sums refuses such scales
    steps = np.rint(np.nan_to_num(bias / sums)).astype(np.float64)
    ends = np.iinfo(np.int32)
    bounded: Array = np.clip(steps, ends.min, ends.max).astype(np.int32)
    return bounded


RULES: dict[str, Callable[[Fusion, Step], Any]] = {
    "Add": Fusion.binary,
    "ArgMax": Fusion.arg_max,
    "Concat": Fusion.concat,
    "Conv": Fusion.convolution,
    "ConvTranspose": Fusion.convolution,
    "Gemm": Fusion.gemm,
    "MatMul": Fusion.matmul,
    "Mul": Fusion.binary,
    **dict.fromkeys(UNARY, Fusion.unary),
}
