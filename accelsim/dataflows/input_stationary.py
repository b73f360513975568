"""Input stationary: pixels wait in the array, the weights of each output channel stream past.

On a depthwise Conv this is im2col with pixels on the columns: fh * fw clocks per C pixels.
"""

from accelsim.dataflows import stationary
from accelsim.dataflows.base import Plan, Program, depth_of, gemm
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import Opcode

name = "is"


def plans(conv: Conv, array: SystolicArray) -> tuple[Plan, ...]:
    """The one plan: output channels streamed, K x pixels stationary."""
    sizes = (conv.k // conv.groups, conv.oh * conv.ow, depth_of(conv))
    return (stationary.plan(name, Opcode.IS, array, sizes, conv.groups),)


def program(conv: Conv, array: SystolicArray, plan: Plan) -> Program:
    """The index maps of a plan."""
    maps = gemm(conv)
    return stationary.program(plan, array, maps.weights, maps.pixels, maps.dest.swapaxes(1, 2))
