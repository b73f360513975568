"""Elements that only move: as integers, with conversions to and from reals around all of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from accelsim.graph.types import TensorType
from accelsim.importers.onnx.model import Step
from accelsim.importers.onnx.pairs import DQ, Pairs, Q, made_by, read_by
from accelsim.importers.onnx.scales import Tensor
from accelsim.numerics.scales import Quantised

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


class Moves(Pairs):
    """A model while what only moves elements comes to do so as integers."""

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
            shared = self._shared(self.kind(made_by(first)), self.kind(made_by(second)))
            names = second.inputs[1:]
            if shared is not None:
                names = self._constants_of(f"{second.outputs[0]}.shared", shared)
            put[first.name] = first.with_inputs(first.inputs[0], *names)
            put[last.name] = last.with_inputs(first.outputs[0], *names)
            gone |= {inner.name, second.name}
        if gone:
            kept = (step for step in self.model.steps if step.name not in gone)
            self.put(put.get(step.name, step) for step in kept)

    def _two_pairs(self, first: Step) -> tuple[Step, Step, Step, Step] | None:
        """The steps from a QuantizeLinear on, if they are two pairs of one type."""
        steps = [first]
        for kind in (DQ, Q, DQ):
            step = self.only_reader(steps[-1].outputs[0])
            if step is None or step.kind != kind or step.inputs[0] != steps[-1].outputs[0]:
                return None
            steps.append(step)
        first, inner, second, last = steps
        pairs = [(made_by(first), read_by(inner)), (made_by(second), read_by(last))]
        plain = all(self.is_plain(each) and each.zero_point for pair in pairs for each in pair)
        if first.kind != Q or not plain:
            return None
        same = all(self.kind(a) == self.kind(b) for a, b in pairs)
        one_type = self.dtype(pairs[0][0]) == self.dtype(pairs[1][0])
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
            made = self.result(step)
            if made is not None and made.name not in self.model.outputs:
                first = seen.setdefault((step.inputs[0], self.kind(made)), made.name)
                if first != made.name:
                    renamed[made.name] = first
                    continue
            kept.append(step)
        self.put(kept)

    def push(self) -> None:
        """Move elements as integers, and bring them to reals after that.

        A QuantizeLinear that makes again the integers that there were is another name of them.
        """
        kept: list[Step] = []
        renamed: dict[str, str] = {}
        for step in self.model.steps:
            step = step.with_inputs(*(renamed.get(name, name) for name in step.inputs))
            given = self.single(step.input(0))
            made = self.result(step)
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
        self.put(kept)

    def _is_again(self, given: Tensor, made: Tensor) -> bool:
        """Whether integers are those that there were; an output needs a step that makes it."""
        outputs = self.model.outputs
        return self.kind(given) == self.kind(made) and made.name not in outputs

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
            self.model.types[name] = TensorType(self.model.type(out).shape, self.dtype(given))
            yield Step(f"{name}.real", DQ, (name, *given[1:]), (out,))

    def _on_integers(self, step: Step, given: Tensor) -> Step:
        """The step on integers instead of reals: a padding with 0 is one with the zero point."""
        inputs = (given.name, *step.inputs[1:])
        if step.kind == "Pad":
            inputs = (given.name, step.input(1), given.zero_point, step.input(3))
        return step.with_inputs(*inputs)

    def _integers_of(self, out: str, given: Tensor) -> str:
        """The name of the integers of a result: as the file has it where it quantises it alone."""
        wanted = self.result(self.only_reader(out))
        same = wanted is not None and self.kind(wanted) == self.kind(given)
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
        alone = self.only_reader(mover.outputs[0]) and self.only_reader(mover.inputs[0])
        return mover if alone and self.result(step) and mover.inputs[0] in self.makers else None

    def _pulled(self, mover: Step, step: Step) -> Step:
        """The QuantizeLinear, which now stands before what moves its integers."""
        model = self.model
        made = Tensor(*step.outputs, *step.inputs[1:])
        name = self._fresh(mover.inputs[0])
        model.types[name] = TensorType(model.type(mover.inputs[0]).shape, self.dtype(made))
        first = replace(step, inputs=(mover.inputs[0], *step.inputs[1:]), outputs=(name,))
        moved = self._on_integers(mover, made._replace(name=name))
        pair = {mover.name: first, step.name: replace(moved, outputs=step.outputs)}
        self.put(pair.get(each.name, each) for each in model.steps)
        return first
