"""Values that are used some clocks later."""

from amaranth.hdl import Module, Signal, Value


def delayed(m: Module, name: str, value: Value, clocks: int) -> Value:
    """A value so many clocks later."""
    value = Value.cast(value)
    for clock in range(clocks):
        later = Signal(value.shape(), name=f"{name}_{clock + 1}")
        m.d.sync += later.eq(value)
        value = later
    return value
