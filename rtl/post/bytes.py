"""From integers to bytes: zero points, bounds, tables."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.lib.layout import address_bits
from rtl.lib.memory import memory
from rtl.lib.pipeline import later, less

CLAMPED = 2  # clocks in which a zero point is added, and the sum is clamped
LOOKED_UP = 3  # clocks in which a byte is looked up
ENTRIES = 256  # of a table
TABLE_ENTRY = data.StructLayout({"table": unsigned(3), "index": unsigned(8), "value": unsigned(8)})


def clamped(m: Module, n: str, value: Value, added: data.View, bounds: data.View) -> Value:
    """The byte of an integer plus a zero point, between bounds.

    added, bounds : settings of the word when the integer is there, and a clock later.
    """
    value = later(m, f"moved{n}", value=value + added.zero_point).value
    bounded = Mux(
        less(value, bounds.low), bounds.low, Mux(less(bounds.high, value), bounds.high, value)
    )
    return later(m, f"byte{n}", byte=bounded[:8]).byte


class Tables(wiring.Component):
    """Tables of 256 bytes, of which every lane reads one entry in a clock.

    fill : an entry, always ready.
    bytes, table, looks_up : indices, the table, and whether they are indices at all.
    values : what stands there, LOOKED_UP clocks later; or the bytes themselves.
    """

    def __init__(self, lanes: int, tables: int) -> None:
        self.tables = tables
        word = data.ArrayLayout(unsigned(8), lanes)
        super().__init__(
            {
                "fill": In(stream.Signature(TABLE_ENTRY, always_ready=True)),
                "bytes": In(word),
                "table": In(3),
                "looks_up": In(1),
                "values": Out(word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = address_bits(self.tables * ENTRIES)
        entry = self.fill.payload
        fill = later(m, "fill", address=Cat(entry.index, entry.table)[:bits], value=entry.value)
        filling = Signal()
        m.d.sync += filling.eq(self.fill.valid)
        at = self.looks_up
        for clock in range(1, LOOKED_UP):
            at = later(m, f"lookup{clock}", looks_up=at).looks_up
        for n, byte in enumerate(self.bytes):
            table = memory(unsigned(8), self.tables * ENTRIES)
            m.submodules[f"table_{n}"] = table
            write_port, read_port = table.write_port(), table.read_port()
            m.d.comb += [
                write_port.en.eq(filling),
                write_port.addr.eq(fill.address),
                write_port.data.eq(fill.value),
                read_port.en.eq(1),
                read_port.addr.eq(Cat(byte, self.table)[:bits]),
            ]
            one = later(m, f"index1_{n}", byte=byte)
            two = later(m, f"index2_{n}", byte=one.byte, value=read_port.data)
            chosen = Mux(at, two.value, two.byte)
            m.d.comb += self.values[n].eq(later(m, f"value_{n}", value=chosen).value)
        return m
