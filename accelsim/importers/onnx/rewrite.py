"""Several steps taken as one: what a pattern is, and how a model is changed where it is found."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from accelsim.importers.onnx.model import Model, Step


class Match(NamedTuple):
    """A step in place of others.

    step : makes what the last of them made.
    absorbed : the others; whatever they make is read by no one else.
    """

    step: Step
    absorbed: tuple[Step, ...]


Pattern = Callable[["Steps", Step], Match | None]


class Steps:
    """The steps of a model by what they make and read, while patterns replace some of them.

    steps : in order, by the first tensor that each makes, which no other does.
    makers : by tensor the step that makes it.
    readers : by tensor the first tensors that its readers make.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.steps = {step.outputs[0]: step for step in model.steps}
        self.makers = {name: step for step in model.steps for name in step.outputs if name}
        self.readers: dict[str, list[str]] = {}
        for step in model.steps:
            for name in step.inputs:
                self.readers.setdefault(name, []).append(step.outputs[0])

    def maker(self, name: str, *kinds: str) -> Step | None:
        """The step that makes a tensor, if it is one of these operators."""
        step = self.makers.get(name)
        return step if step is not None and step.kind in kinds else None

    def scalar(self, name: str) -> float | None:
        """The value of a constant of one element of reals; None of any other tensor."""
        constant = self.model.constants.get(name)
        if constant is None or not constant.type.dtype.startswith("float"):
            return None
        return float(constant.values.ravel()[0]) if constant.values.size == 1 else None

    def rewrite(self, patterns: Iterable[tuple[str, Pattern]]) -> None:
        """Replace what each pattern, one after the other, finds to end in steps of an operator."""
        for kind, pattern in patterns:
            for made in [made for made, each in self.steps.items() if each.kind == kind]:
                step = self.steps.get(made)
                match = step and pattern(self, step)
                if step and match and self._is_whole(step, match):
                    self._replace(step, match)
        self.model.steps = list(self.steps.values())

    def _is_whole(self, last: Step, match: Match) -> bool:
        """Whether nobody else reads what the absorbed steps make."""
        inside = {last.outputs[0], *(step.outputs[0] for step in match.absorbed)}
        return all(
            name not in self.model.outputs and set(self.readers.get(name, ())) <= inside
            for step in match.absorbed
            for name in step.outputs
        )

    def _replace(self, last: Step, match: Match) -> None:
        for step in (last, *match.absorbed):
            for name in step.inputs:
                self.readers[name].remove(step.outputs[0])
        for step in match.absorbed:
            del self.steps[step.outputs[0]]
            for name in step.outputs:
                self.makers.pop(name, None)
        new = match.step
        self.steps[last.outputs[0]] = new  # in its place, where all that it reads is there
        for name in new.inputs:
            self.readers.setdefault(name, []).append(new.outputs[0])
        for name in new.outputs:
            self.makers[name] = new


def both_orders(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Both orders of two operands."""
    first, second = names[0], names[1]
    return (first, second), (second, first)
