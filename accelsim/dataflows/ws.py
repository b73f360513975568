"""Weight stationary: weights wait in the array, pixels stream past them."""

from accelsim.dataflows import stationary
from accelsim.dataflows.base import Plan, Program, depth_of, gemm
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import Opcode

name = "ws"


def plans(conv: Conv, array: SystolicArray) -> tuple[Plan, ...]:
    """The one plan: pixels streamed, K x channels stationary."""
    sizes = (conv.oh * conv.ow, conv.k // conv.groups, depth_of(conv))
    return (stationary.plan(name, Opcode.WS, array, sizes, conv.groups),)


def program(conv: Conv, array: SystolicArray, plan: Plan) -> Program:
    """The index maps of a plan."""
    maps = gemm(conv)
    return stationary.program(plan, array, maps.pixels, maps.weights, maps.dest)
