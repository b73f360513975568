"""Input stationary: pixels wait in the array, the weights of each output stream past."""

from collections.abc import Hashable, Iterator

from accelsim.dataflows import stationary
from accelsim.dataflows.array import ArrayProgram
from accelsim.dataflows.base import UNBOUNDED, Candidate, Plan
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import Body, Opcode

name = "is"
engine = SystolicArray.name
eager = False


def tilings(conv: Conv, array: SystolicArray, most: int = UNBOUNDED) -> Iterator[Candidate]:
    """One output per vector of inputs, and where it may pay a block of them."""
    return stationary.tilings(conv, array, most, weights=False)


def body(conv: Conv, array: SystolicArray, tiling: Hashable) -> Body:
    """The passes of a tiling, in order."""
    return stationary.body(conv, Opcode.IS, tiling)


def program(conv: Conv, array: SystolicArray, plan: Plan) -> ArrayProgram:
    """The index maps of a plan."""
    return stationary.program(conv, array, plan, weights=False)
