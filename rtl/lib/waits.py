"""Passes that wait for other units, and counters that others wait for.

A core with `units` above 0 has a port `progress` with the number of passes that each unit has
retired, and its commands carry a Wait. With none, it has neither: commands start as soon as they
can.
"""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from accelsim.passes import Wait, largest
from rtl.lib.counters import TOTAL_BITS
from rtl.lib.layout import layout

COUNT_BITS = largest(Wait, "retired").bit_length()


def waits_layout(units: int) -> dict[str, data.StructLayout]:
    """The last fields of commands that wait for units: a Wait."""
    return {"wait": layout(Wait)} if units else {}


def command_layout(record: type, units: int) -> data.StructLayout:
    """Layout of a record of commands; with units, a Wait follows its fields."""
    fields = {name: field.shape for name, field in layout(record)}
    return data.StructLayout(fields | waits_layout(units))


def progress_layout(units: int) -> data.ArrayLayout:
    """Passes that each unit has retired, modulo 2**16."""
    return data.ArrayLayout(unsigned(COUNT_BITS), units)


def progress_ports(units: int) -> dict[str, wiring.Member]:
    """The ports that a core with units has beyond those of one without.

    progress : passes that each unit has retired, modulo 2**16.
    started, retired : passes of this core that have started, and retired, modulo 2**32.
    """
    if not units:
        return {}
    return {
        "progress": In(progress_layout(units)),
        "started": Out(TOTAL_BITS),
        "retired": Out(TOTAL_BITS),
    }


class Gate(wiring.Component):
    """Whether what a command waits for has happened; no registers.

    wait : of the command.  progress : of all units.
    open : the unit has retired the count or more, by the sign of their difference.
    """

    def __init__(self, units: int) -> None:
        super().__init__(
            {"wait": In(layout(Wait)), "progress": In(progress_layout(units)), "open": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ahead = Signal(signed(COUNT_BITS))
        m.d.comb += [
            ahead.eq(self.progress[self.wait.unit] - self.wait.retired),
            self.open.eq((self.wait.retired == 0) | (ahead >= 0)),
        ]
        return m
