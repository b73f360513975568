"""Registers between the stages of a pipeline."""

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
