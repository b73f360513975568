"""Lanes: banks, shifters, multiply-accumulators and shadow registers, and their pipeline."""

from itertools import pairwise

from amaranth.hdl import (
    Cat,
    ClockSignal,
    Instance,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
    signed,
    unsigned,
)
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import (
    entry_layout,
    map_fill_layout,
    slot_layout,
    step_layout,
)
from rtl.lib.layout import address_bits


def lane_layouts(engine: DepthwiseEngine) -> tuple[data.Layout, data.Layout]:
    """Inputs and outputs of a lane.

    write_even, write_odd : which operands of a word to write; all of them by one bit without a
        fill port.  write_address, write_data : in the memory of even or odd words.
    even, odd : addresses to read in this clock.
    odd_first : of the words read in the clock before, the odd one comes first.
    shift, mask : operands to skip, and those of the others that lie in the map.
    weight : of the tap that is one clock behind those.
    first, capture : of the sums of this clock: start them, copy them to the shadow registers.
    move, next_shadow : take the shadow registers of another lane.

    The outputs are the shadow registers.
    """
    pixels, operand = engine.pixels, signed(engine.operands.bits)
    totals = data.ArrayLayout(signed(engine.operands.accumulator_bits), pixels)
    address = unsigned(address_bits(-(-engine.bank_depth // 2)))
    parts = unsigned(pixels if engine.fill_port else 1)
    return data.StructLayout(
        {
            "write_even": parts,
            "write_odd": parts,
            "write_address": address,
            "write_data": data.ArrayLayout(operand, pixels),
            "even": address,
            "odd": address,
            "odd_first": 1,
            "shift": unsigned(address_bits(pixels)),
            "mask": unsigned(pixels),
            "weight": operand,
            "first": 1,
            "capture": 1,
            "move": 1,
            "next_shadow": totals,
        }
    ), totals


class Lane:
    """One channel: a bank, a shifter and P multiply-accumulators.

    weight1, weight2 : on its way to the multipliers.
    operand, product, acc : of every pixel.
    shadow : sums of a tile that is complete, which leave from here.

    A plain set of registers, not a Component: Amaranth's simulator runs all lanes as one process.
    """

    def __init__(self, engine: DepthwiseEngine, place: str = "") -> None:
        self.engine, self.place = engine, place
        pixels, bits = engine.pixels, engine.operands.bits
        operands = data.ArrayLayout(signed(bits), pixels)
        products = data.ArrayLayout(signed(2 * bits), pixels)
        totals = data.ArrayLayout(signed(engine.operands.accumulator_bits), pixels)
        self.weight1 = Signal(signed(bits), name=f"weight1{place}")
        self.weight2 = Signal(signed(bits), name=f"weight2{place}")
        self.operand = Signal(operands, name=f"operand{place}")
        self.product = Signal(products, name=f"product{place}")
        self.acc = Signal(totals, name=f"acc{place}")
        self.shadow = Signal(totals, name=f"shadow{place}")

    def clock(self, m: Module, en: Value, i: data.View) -> None:
        """What happens in a clock; all but writing the bank only where `en` is set."""
        even, odd = self._bank(m, en, "even", i), self._bank(m, en, "odd", i)
        low, high = Mux(i.odd_first, odd, even), Mux(i.odd_first, even, odd)
        values = self._shifted(m, Cat(low, high), i.shift)
        with m.If(en):
            m.d.sync += [self.weight1.eq(i.weight), self.weight2.eq(self.weight1)]
            for p in range(self.engine.pixels):
                total = Mux(i.first, 0, self.acc[p]) + self.product[p]
                moved = Mux(i.move, i.next_shadow[p], self.shadow[p])
                m.d.sync += [
                    self.operand[p].eq(Mux(i.mask[p], values[p], 0)),
                    self.product[p].eq(self.operand[p] * self.weight2),
                    self.acc[p].eq(total),
                    self.shadow[p].eq(Mux(i.capture, total, moved)),
                ]

    def _bank(self, m: Module, en: Value, name: str, i: data.View) -> Value:
        """Memory of the even or the odd words; the word that was asked for one clock ago."""
        word = i.write_data.shape()
        depth = -(-self.engine.bank_depth // 2)
        memory = Memory(shape=word, depth=depth, init=[])
        m.submodules[f"{name}{self.place}"] = memory
        read_port = memory.read_port()
        write_port = memory.write_port(granularity=1 if self.engine.fill_port else None)
        m.d.comb += [
            read_port.en.eq(en),
            read_port.addr.eq(i[name]),
            write_port.en.eq(i[f"write_{name}"]),
            write_port.addr.eq(i.write_address),
            write_port.data.eq(i.write_data),
        ]
        return read_port.data.as_value()

    def _shifted(self, m: Module, values: Value, shift: Value) -> data.View:
        """P neighbours of the values of two words: a row of multiplexers per bit of the shift."""
        pixels, bits = self.engine.pixels, self.engine.operands.bits
        for bit in reversed(range(len(shift))):
            step = 1 << bit
            # What the rows behind this one can still reach.
            row = Signal((pixels + step - 1) * bits, name=f"shifted_{bit}{self.place}")
            m.d.comb += row.eq(Mux(shift[bit], values >> step * bits, values))
            values = row
        return data.View(data.ArrayLayout(signed(bits), pixels), values)


class LaneModule(wiring.Component):
    """A Lane as a module of its own, of which Verilog can have many instances."""

    def __init__(self, engine: DepthwiseEngine) -> None:
        inputs, outputs = lane_layouts(engine)
        super().__init__({"en": In(1), "i": In(inputs), "o": Out(outputs)})
        self.lane = Lane(engine)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.lane.clock(m, self.en, self.i)
        m.d.comb += self.o.eq(self.lane.shadow)
        return m


class Lanes(wiring.Component):
    """L lanes, and the pipeline that they share.

    fill : operands written in this clock where it is valid, also where `en` is not set.
    slot : of the issue stage.  entry : of the tap memory, for the slot of the clock before.
    write, word : a result word on the result port: P values of Q lanes, lane by lane.
    read_done : the banks are read for the last time by a pass.
    finished : the word is the last one of a sequence.
    retires : with `tells_passes`, the word is the last one of a pass.

    With `shared` the lanes are instances of one module, `depthwise_lane`, to be supplied beside
    this one: far less text for many lanes, but Amaranth's simulator cannot run it.
    """

    def __init__(
        self, engine: DepthwiseEngine, shared: bool = False, tells_passes: bool = False
    ) -> None:
        self.engine, self.shared, self.tells_passes = engine, shared, tells_passes
        results = engine.results_per_clock or engine.pixels
        word = data.ArrayLayout(signed(engine.operands.accumulator_bits), results)
        super().__init__(
            {
                "en": In(1),
                "fill": In(stream.Signature(map_fill_layout(engine), always_ready=True)),
                "slot": In(slot_layout(engine)),
                "entry": In(entry_layout(engine)),
                "write": Out(1),
                "word": Out(word),
                "read_done": Out(1),
                "finished": Out(1),
                **({"retires": Out(1)} if tells_passes else {}),
            }
        )
        self.lanes = [Lane(engine, f"_{n}") for n in range(0 if shared else engine.lanes)]
        # The slot on its way: the number says how many clocks after its issue.
        self.word1 = Signal.like(self.slot.word)
        self.mask1, self.mask2 = (Signal(engine.pixels, name=f"mask{n}") for n in (1, 2))
        self.shift2 = Signal.like(self.entry.shift)
        self.odd2 = Signal()
        self.steps = [Signal(step_layout(engine), name=f"step{n}") for n in range(1, 5)]
        # Result words of the tile in the shadow registers that are still to leave.
        self.beats_left = Signal.like(self.slot.step.beats)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        engine = self.engine
        inputs, totals = lane_layouts(engine)
        address = Signal.like(self.slot.word)  # of the first word that a tap reads
        m.d.comb += address.eq(self.word1 + self.entry.word)
        self._delay(m, address)
        self._send(m)
        if self.tells_passes:
            self._retire(m)
        shadows = [Signal(totals, name=f"shadow_{n}") for n in range(engine.lanes)]
        for n in range(engine.lanes):
            lane = Signal(inputs, name=f"lane_{n}")
            self._steer(m, n, lane, address)
            if n + engine.result_lanes < engine.lanes:
                m.d.comb += lane.next_shadow.eq(shadows[n + engine.result_lanes])
            self._write(m, n, lane)
            self._lane(m, n, lane, shadows[n])
        m.d.comb += self.word.eq(Cat(shadows[: engine.result_lanes]))
        return m

    def _delay(self, m: Module, address: Value) -> None:
        """The slot on its way behind the issue stage."""
        slot = self.slot
        with m.If(self.en):
            m.d.sync += [
                self.word1.eq(slot.word),
                self.mask1.eq(slot.mask),
                self.mask2.eq(self.mask1),
                self.shift2.eq(self.entry.shift),
                self.odd2.eq(address[0]),
            ]
            m.d.sync += [later.eq(step) for step, later in pairwise((slot.step, *self.steps))]

    def _send(self, m: Module) -> None:
        """Result words of the tile in the shadow registers, one in a clock."""
        summed, beats_left = self.steps[-1], self.beats_left
        ends_sequence = Signal()
        with m.If(self.en):
            with m.If(summed.beats != 0):
                m.d.sync += [beats_left.eq(summed.beats), ends_sequence.eq(summed.last)]
            with m.Elif(beats_left != 0):
                m.d.sync += beats_left.eq(beats_left - 1)
        m.d.comb += [
            self.write.eq(beats_left != 0),
            self.read_done.eq(self.steps[0].end),
            self.finished.eq((beats_left == 1) & ends_sequence),
        ]

    def _retire(self, m: Module) -> None:
        """Whether the tile in the shadow registers ends its pass."""
        summed = self.steps[-1]
        ends_pass = Signal()
        with m.If(self.en & (summed.beats != 0)):
            m.d.sync += ends_pass.eq(summed.end)
        m.d.comb += self.retires.eq((self.beats_left == 1) & ends_pass)

    def _steer(self, m: Module, n: int, lane: data.View, address: Value) -> None:
        """What all lanes do in this clock, and the weight of lane n."""
        summed = self.steps[-1]
        m.d.comb += [
            lane.even.eq((address + 1) >> 1),
            lane.odd.eq(address >> 1),
            lane.odd_first.eq(self.odd2),
            lane.shift.eq(self.shift2),
            lane.mask.eq(self.mask2),
            lane.weight.eq(self.entry.weights[n]),
            lane.first.eq(summed.first),
            lane.capture.eq(summed.beats != 0),
            lane.move.eq(self.beats_left > 1),
        ]

    def _write(self, m: Module, n: int, lane: data.View) -> None:
        """Operands of lane n among those of the fill."""
        fill, valid, port = self.fill.payload, self.fill.valid, self.engine.fill_port
        pixels = self.engine.pixels
        places = range(n * pixels, (n + 1) * pixels)
        if port:
            chosen = Cat(valid & (fill.part == place // port) for place in places)
        else:
            port, chosen = self.engine.multipliers, valid
        m.d.comb += [
            lane.write_even.eq(Mux(fill.address[0], 0, chosen)),
            lane.write_odd.eq(Mux(fill.address[0], chosen, 0)),
            lane.write_address.eq(fill.address >> 1),
            *(lane.write_data[p].eq(fill.data[place % port]) for p, place in enumerate(places)),
        ]

    def _lane(self, m: Module, n: int, inputs: data.View, outputs: data.View) -> None:
        if not self.shared:
            lane = self.lanes[n]
            lane.clock(m, self.en, inputs)
            m.d.comb += outputs.eq(lane.shadow)
            return
        m.submodules[f"lane_{n}"] = Instance(
            "depthwise_lane",
            i_clk=ClockSignal("sync"),
            i_rst=ResetSignal("sync"),
            i_en=self.en,
            i_i=inputs.as_value(),
            o_o=outputs.as_value(),
        )
