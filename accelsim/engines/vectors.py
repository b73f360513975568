"""Loads, stores and constants of LLVM vectors, for the instructions that kernels are made of.

Nothing here is a kernel: these functions write the portable vector IR of an @intrinsic while Numba
compiles it. `lanes` is always the number of elements of a vector; integers wrap as in hardware.
"""

from typing import Any

from llvmlite import ir

BIT, INT16, INT32 = ir.IntType(1), ir.IntType(16), ir.IntType(32)


def pointers(context: Any, builder: Any, signature: Any, args: Any, count: int) -> list[Any]:
    """Pointers to the first elements of the leading `count` array arguments."""
    return [
        context.make_array(signature.args[i])(context, builder, args[i]).data for i in range(count)
    ]


def load(builder: Any, pointer: Any, offset: Any, lanes: int) -> Any:
    """Consecutive elements of an array, the first at an offset."""
    element = pointer.type.pointee
    place = builder.bitcast(
        builder.gep(pointer, [offset]), ir.VectorType(element, lanes).as_pointer()
    )
    return builder.load(place, align=element.width // 8)


def store(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    """The elements of a vector into an array, the first at an offset."""
    place = builder.bitcast(builder.gep(pointer, [offset]), value.type.as_pointer())
    builder.store(value, place, align=value.type.element.width // 8)


def widen(builder: Any, value: Any) -> Any:
    """An integer, or a vector of them, as int32."""
    if not isinstance(value.type, ir.VectorType):
        return value if value.type.width == INT32.width else builder.sext(value, INT32)
    if value.type.element.width == INT32.width:
        return value
    return builder.sext(value, ir.VectorType(INT32, value.type.count))


def splat(builder: Any, value: Any, lanes: int) -> Any:
    """One integer on all lanes."""
    none = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    single = builder.insert_element(none, value, INT32(0))
    return builder.shuffle_vector(single, none, filled(INT32, 0, lanes))


def filled(element: Any, value: int, lanes: int) -> Any:
    """The constant on all lanes."""
    return ir.Constant(ir.VectorType(element, lanes), [value] * lanes)
