"""Maps behind one another along the channels: an alias, which moves nothing."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Shape, Source
from accelsim.ops.base import Alias


@dataclass(frozen=True)
class Concat(Alias):
    """out = the channels of the first input, then those of the next.

    Nothing is copied: the layers that make the inputs write where the result lies, and on its
    scale.
    """

    name: ClassVar[str] = "concat"

    def out_shape(self, *inputs: Shape) -> Shape:
        """All channels, on the inputs' common map."""
        if not inputs:
            raise ShapeError("inputs of concat: it takes at least 1 input, not 0")
        maps = list(dict.fromkeys(shape[1:] for shape in inputs))
        if len(maps) > 1:
            raise ShapeError(
                f"inputs of concat must have one map size, not {' and '.join(map(show, maps))}"
            )
        return sum(shape[0] for shape in inputs), *maps[0]

    def alias(self, *inputs: Shape) -> tuple[Source, ...]:
        """All channels of every input in turn."""
        return tuple((i, c) for i, shape in enumerate(inputs) for c in range(shape[0]))
