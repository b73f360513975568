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

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.functions.quantisation import quantize_linear
from accelsim.graph.types import Array
from accelsim.importers.onnx.model import Model, Step, derived
from accelsim.importers.onnx.moves import Moves
from accelsim.importers.onnx.pairs import DQ, Q
from accelsim.importers.onnx.quantised import CALLED, LINEAR, ON_REALS, PREFIX, TABLE
from accelsim.importers.onnx.scales import EIGHT_BITS, Tensor, are_scales
from accelsim.numerics import float_rules
from accelsim.numerics.scales import Quantised

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


Fused = tuple[Step, tuple[Step, ...]]  # a step on integers, and those that go besides the replaced


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


class Fusion(Moves):
    """A model while its operators come to be on integers."""

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
        self.put(made)

    def _behind(self, name: str) -> Behind | None:
        """What follows a tensor, if that is a QuantizeLinear, perhaps behind an activation."""
        step = self.only_reader(name)
        between: tuple[Step, ...] = ()
        if step is not None and step.kind in ("Relu", "Clip") and step.inputs[0] == name:
            between = (step,)
            step = self.only_reader(step.outputs[0])
        y = self.result(step)
        if y is None or step is None:
            return None
        return self._bounded(Behind(y, (*between, step)), between)

    def _bounded(self, behind: Behind, between: tuple[Step, ...]) -> Behind | None:
        """With the bounds of the activation; None where they are computed."""
        kind = self.kind(behind.y)
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
    ) -> Fused:
        """A step on integers, and the steps that it replaces besides its own.

        operator : the runtime's, which the step is called by if it does what the runtime does.
        tensors : those whose types must be one for that.
        """
        if behind is None:
            attributes = {**step.attributes, **attributes}
            return replace(step, kind=operator, inputs=tuple(inputs), attributes=attributes), ()
        types = {self.dtype(each) for each in (*tensors, behind.y)}
        exact = len(types) == 1 and behind.low is None and behind.high is None
        more = {"low": behind.low, "high": behind.high, **({} if exact else _on_reals(step.kind))}
        made = replace(step, kind=operator, inputs=tuple(inputs), outputs=(behind.y.name,))
        return made.with_attributes(**attributes, **more), behind.steps

    def convolution(self, step: Step) -> Fused | None:
        """Conv and ConvTranspose."""
        x, behind = self.single(step.inputs[0]), self._behind(step.outputs[0])
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
        return (x, w) if self.dtype(x) == "int8" else (x,)

    def _weights(self, name: str, axis: int) -> Tensor | None:
        """8-bit integers that have one scale, or one for each index of an axis."""
        real = self.real(name)
        if real is None or real.tensor.scale not in self.model.constants:
            return None
        several = self.model.constants[real.tensor.scale].values.size > 1
        rank = len(self.model.type(real.tensor.name).shape)
        if several and real.axis % rank != axis % rank:
            return None
        return real.tensor if self.dtype(real.tensor) in EIGHT_BITS else None

    def _made_of(self, name: str) -> Tensor | None:
        """Integers for weights of reals: int8 over their range, which the runtime makes too."""
        constant = self.model.constants.get(name)
        if constant is None or constant.type.dtype != "float32" or self.real(name) is not None:
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
        real = self.real(name)
        if name not in self.model.constants:
            return None
        if real is not None:
            return real.tensor.name if self.dtype(real.tensor) == "int32" else None
        if behind is None or len(self.model.type(name).shape) != 1:
            return None
        return self._reals_on_scale(name, x, w)

    def _moved(self, step: Step, bias: str, x: Tensor, w: Tensor) -> str:
        """The bias of a convolution on the scale of the sums, if the file has it on another.

        The runtime then computes reals.
        """
        real = self.real(step.input(2))
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

    def gemm(self, step: Step) -> Fused | None:
        """Gemm, with integers or reals behind it."""
        transposed = step.attributes.get("transB")
        a, b = self.single(step.inputs[0]), self._weights(step.inputs[1], 0 if transposed else 1)
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

    def matmul(self, step: Step) -> Fused | None:
        """MatMul, with a bias behind it that is added to it alone, and integers or reals."""
        a, b = self.single(step.inputs[0]), self._weights(step.inputs[1], -1)
        if a is None or b is None:
            return None
        out, bias, added = step.outputs[0], "", self.only_reader(step.outputs[0])
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

    def binary(self, step: Step) -> Fused | None:
        """Add and Mul of two maps."""
        a, b = (self.single(name) for name in step.inputs)
        behind = self._behind(step.outputs[0])
        if a is None or b is None or behind is None:
            return None
        inputs = (*a, *b, *behind.y[1:])
        return self._made(step, f"{LINEAR}{step.kind}", inputs, behind, (a, b))

    def concat(self, step: Step) -> Fused | None:
        """Concat of maps."""
        given = [self.single(name) for name in step.inputs]
        behind = self._behind(step.outputs[0])
        if behind is None or not all(given) or behind.low is not None or behind.high is not None:
            return None
        tensors = [each for each in given if each]
        inputs = (*behind.y[1:], *chain.from_iterable(tensors))
        return self._made(step, f"{LINEAR}Concat", inputs, behind, tensors)

    def unary(self, step: Step) -> Fused | None:
        """What has a kernel for integers, if the types of both sides are one."""
        x, behind = self.single(step.inputs[0]), self._behind(step.outputs[0])
        if x is None or behind is None or self.dtype(x) != self.dtype(behind.y):
            return None
        if behind.low is not None or behind.high is not None:
            return None
        return self._made(step, f"{LINEAR}{step.kind}", (*x, *behind.y[1:]), behind, (x,))

    def arg_max(self, step: Step) -> Fused | None:
        """Where the largest is does not depend on the scale."""
        x = self.single(step.inputs[0])
        return None if x is None else (step.with_inputs(x.name), ())

    def tabulate(self) -> None:
        """Make tables of functions of single values between integers."""
        self.put([self._tabulated(step) or step for step in self.model.steps])

    def _tabulated(self, step: Step) -> Step | None:
        """The step of a table in the place of a QuantizeLinear."""
        y = self.result(step)
        if y is None:
            return None
        functions: list[Callable[[Array], Array]] = []
        names: list[str] = []
        name = step.inputs[0]
        while (x := self.single(name)) is None:
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
        if step.kind not in SINGLE_VALUES or self.only_reader(step.outputs[0]) is None:
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


RULES: dict[str, Callable[[Fusion, Step], Fused | None]] = {
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
