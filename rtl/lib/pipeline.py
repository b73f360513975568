"""Stages of a pipeline: the registers between, and what fits in."""

from types import SimpleNamespace

from amaranth.hdl import Module, Signal, Value, ValueLike


def later(m: Module, stage: str, **values: ValueLike) -> SimpleNamespace:
    """The values one clock later, under their names, in registers of a stage without a reset."""
    registers = {
        name: Signal(Value.cast(value).shape(), name=f"{stage}_{name}", reset_less=True)
        for name, value in values.items()
    }
    m.d.sync += [register.eq(values[name]) for name, register in registers.items()]
    return SimpleNamespace(**registers)


def less(a: Value, b: Value) -> Value:
    """Whether a < b, as the sign of a difference: a carry chain, not the many LUTs of synthesis."""
    return (a - b)[-1]
