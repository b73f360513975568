"""Lanes: banks, shifters, multiply-accumulators and shadow registers, and their pipeline."""

from itertools import pairwise
from types import SimpleNamespace

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
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import (
    entry_layout,
    map_fill_layout,
    slot_layout,
    step_layout,
)
from rtl.lib.layout import address_bits
from rtl.lib.memory import memory
from rtl.lib.pipeline import later

# Clocks after the issue of a tap.
ENTERED = 2  # its entry of the tap memory is known
ADDRESSED = 3  # the banks are read
SHIFTED = 6  # the words that were read are shifted
MULTIPLIED = 8  # its operands are at the multipliers
SUMMED = 10  # its products are added
WEIGHT_STAGES = MULTIPLIED - ENTERED


def lane_layouts(engine: DepthwiseEngine) -> tuple[data.Layout, data.Layout]:
    """Inputs and outputs of a lane.

    write_even, write_odd : which operands of a word to write; all of them by one bit without a
        fill port.  write_address, write_data : in the memory of even or odd words.
    even, odd : addresses to read in this clock.
    odd_first : of the words that are in the registers behind the memories a clock later, the odd
        one comes first.
    shift, mask : operands of those words to skip, and those of the others that lie in the map.
    weight : of the tap that is at the multipliers WEIGHT_STAGES clocks later.
    first : the product of the next clock starts the sums.
    capture : the sums of this clock are copied to the shadow registers.
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

    weights : on their way to the multipliers, the last one there.
    even, odd : words that were read, behind the memories: in registers that are part of these, and
        in others where they are shifted.
    odd_first, shift, mask : what shifts them; a lane has its own, near by.
    value, operand, product, term, acc : of every pixel: of the map, at the multiplier, behind it,
        at the adder, and the sum, which is 0 where the next term starts it.
    shadow : sums of a tile that is complete, which leave from here.

    A plain set of registers, not a Component: Amaranth's simulator runs all lanes as one process.
    """

    def __init__(self, engine: DepthwiseEngine, place: str = "") -> None:
        self.engine, self.place = engine, place
        pixels, bits = engine.pixels, engine.operands.bits
        operands = data.ArrayLayout(signed(bits), pixels)
        products = data.ArrayLayout(signed(2 * bits), pixels)
        totals = data.ArrayLayout(signed(engine.operands.accumulator_bits), pixels)
        self.weights = [
            Signal(signed(bits), name=f"weight{n + 1}{place}", reset_less=True)
            for n in range(WEIGHT_STAGES)
        ]
        self.even, self.odd = (
            [Signal(operands, name=f"{name}_word{n}{place}", reset_less=True) for n in (1, 2)]
            for name in ("even", "odd")
        )
        inputs, _ = lane_layouts(engine)
        self.odd_first, self.shift, self.mask = (
            Signal(inputs[name].shape, name=f"{name}{place}", reset_less=True)
            for name in ("odd_first", "shift", "mask")
        )
        self.value, self.operand, self.product, self.term, self.acc, self.shadow = (
            Signal(shape, name=f"{name}{place}", reset_less=True)
            for name, shape in (
                ("value", operands), ("operand", operands), ("product", products),
                ("term", products), ("acc", totals), ("shadow", totals),
            )
        )  # fmt: skip

    def clock(self, m: Module, i: data.View) -> None:
        """What happens in a clock."""
        even, odd = self.even[-1], self.odd[-1]
        low, high = Mux(self.odd_first, odd, even), Mux(self.odd_first, even, odd)
        values = self._shifted(m, Cat(low, high), self.shift)
        # The fabric of a lane is near its banks, those who fill them are not.
        written = later(m, f"written{self.place}", even=i.write_even, odd=i.write_odd,
                        address=i.write_address, data=i.write_data)  # fmt: skip
        for name, registers in (("even", self.even), ("odd", self.odd)):
            read = self._bank(m, name, i[name], written)
            m.d.sync += [later.eq(word) for word, later in pairwise((read, *registers))]
        m.d.sync += [later.eq(weight) for weight, later in pairwise((i.weight, *self.weights))]
        m.d.sync += [
            self.odd_first.eq(i.odd_first), self.shift.eq(i.shift), self.mask.eq(i.mask),
        ]  # fmt: skip
        for p in range(self.engine.pixels):
            total = self.acc[p] + self.term[p]
            moved = Mux(i.move, i.next_shadow[p], self.shadow[p])
            m.d.sync += [
                self.value[p].eq(Mux(self.mask[p], values[p], 0)),
                self.operand[p].eq(self.value[p]),
                self.product[p].eq(self.operand[p] * self.weights[-1]),
                self.term[p].eq(self.product[p]),
                self.acc[p].eq(Mux(i.first, 0, total)),
                self.shadow[p].eq(Mux(i.capture, total, moved)),
            ]

    def _bank(self, m: Module, name: str, address: Value, written: SimpleNamespace) -> Value:
        """Memory of the even or the odd words; the word that was asked for one clock ago."""
        word = data.ArrayLayout(signed(self.engine.operands.bits), self.engine.pixels)
        depth = -(-self.engine.bank_depth // 2)
        words = memory(word, depth)
        m.submodules[f"{name}{self.place}"] = words
        read_port = words.read_port()
        write_port = words.write_port(granularity=1 if self.engine.fill_port else None)
        m.d.comb += [
            read_port.en.eq(1),
            read_port.addr.eq(address),
            write_port.en.eq(getattr(written, name)),
            write_port.addr.eq(written.address),
            write_port.data.eq(written.data),
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
        super().__init__({"i": In(inputs), "o": Out(outputs)})
        self.lane = Lane(engine)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.lane.clock(m, self.i)
        m.d.comb += self.o.eq(self.lane.shadow)
        return m


class Lanes(wiring.Component):
    """L lanes, and the pipeline that they share.

    fill : operands written in this clock where it is valid.
    slot : of the issue stage.  mask : pixels whose value lies in the map, for the slot of the clock
        before.  entry : of the tap memory, for that of two clocks before.
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
                "fill": In(stream.Signature(map_fill_layout(engine), always_ready=True)),
                "slot": In(slot_layout(engine)),
                "mask": In(engine.pixels),
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
        self.word1, self.word2, self.following2 = (
            Signal.like(self.slot.word, name=name, reset_less=True)
            for name in ("word1", "word2", "following2")
        )
        self.masks = [
            self.mask,
            *(Signal(engine.pixels, name=f"mask{n}", reset_less=True) for n in range(2, SHIFTED)),
        ]
        self.shifts = [
            Signal.like(self.entry.shift, name=f"shift{n}", reset_less=True)
            for n in range(ADDRESSED, SHIFTED)
        ]
        self.even, self.odd = (
            Signal(address_bits(-(-engine.bank_depth // 2)), name=name, reset_less=True)
            for name in ("even_address", "odd_address")
        )
        self.odd_firsts = [
            Signal(name=f"odd_first{n}", reset_less=True) for n in range(ADDRESSED, SHIFTED)
        ]
        self.steps = [Signal(step_layout(engine), name=f"step{n}") for n in range(1, SUMMED + 1)]
        # Result words of the tile in the shadow registers that are still to leave.
        self.beats_left = Signal.like(self.slot.step.beats)
        self.captures = Signal()  # the sums of this clock are those of a tile
        self.moves = Signal()  # more than one word is still to leave

    def elaborate(self, platform: object) -> Module:
        m = Module()
        engine = self.engine
        inputs, totals = lane_layouts(engine)
        self._delay(m)
        self._send(m)
        if self.tells_passes:
            self._retire(m)
        shadows = [Signal(totals, name=f"shadow_{n}") for n in range(engine.lanes)]
        for n in range(engine.lanes):
            lane = Signal(inputs, name=f"lane_{n}")
            self._steer(m, n, lane)
            if n + engine.result_lanes < engine.lanes:
                m.d.comb += lane.next_shadow.eq(shadows[n + engine.result_lanes])
            self._write(m, n, lane)
            self._lane(m, n, lane, shadows[n])
        m.d.comb += self.word.eq(Cat(shadows[: engine.result_lanes]))
        return m

    def _delay(self, m: Module) -> None:
        """The slot on its way behind the issue stage."""
        slot, address = self.slot, self.word2 + self.entry.word  # of the first word of a tap
        m.d.sync += [
            self.following2.eq(self.word1 + 1),
            self.even.eq((self.following2 + self.entry.word) >> 1),
            self.odd.eq(address >> 1),
        ]
        for pipeline in (
            (slot.word, self.word1, self.word2),
            self.masks,
            (self.entry.shift, *self.shifts),
            (address[0], *self.odd_firsts),
            (slot.step, *self.steps),
        ):
            m.d.sync += [later.eq(before) for before, later in pairwise(pipeline)]

    def _send(self, m: Module) -> None:
        """Result words of the tile in the shadow registers, one in a clock."""
        summed, beats_left = self.steps[-1], self.beats_left
        ends_sequence, writes = Signal(), Signal()
        m.d.sync += self.captures.eq(self.steps[-2].beats != 0)
        with m.If(self.captures):
            m.d.sync += [
                beats_left.eq(summed.beats),
                self.moves.eq(summed.beats > 1),
                ends_sequence.eq(summed.last),
            ]
        with m.Elif(beats_left != 0):
            m.d.sync += [beats_left.eq(beats_left - 1), self.moves.eq(beats_left > 2)]
        m.d.sync += writes.eq(self.captures | self.moves)
        m.d.comb += [
            self.write.eq(writes),
            self.read_done.eq(self.steps[ADDRESSED - 1].end),
            self.finished.eq((beats_left == 1) & ends_sequence),
        ]

    def _retire(self, m: Module) -> None:
        """Whether the tile in the shadow registers ends its pass."""
        summed = self.steps[-1]
        ends_pass = Signal()
        with m.If(self.captures):
            m.d.sync += ends_pass.eq(summed.end)
        m.d.comb += self.retires.eq((self.beats_left == 1) & ends_pass)

    def _steer(self, m: Module, n: int, lane: data.View) -> None:
        """What all lanes do in this clock, and the weight of lane n."""
        m.d.comb += [
            lane.even.eq(self.even),
            lane.odd.eq(self.odd),
            lane.odd_first.eq(self.odd_firsts[-1]),
            lane.shift.eq(self.shifts[-1]),
            lane.mask.eq(self.masks[-1]),
            lane.weight.eq(self.entry.weights[n]),
            lane.first.eq(self.steps[-2].first),
            lane.capture.eq(self.captures),
            lane.move.eq(self.moves),
        ]

    def _write(self, m: Module, n: int, lane: data.View) -> None:
        """Operands of lane n among those of the fill, in registers in front of its banks."""
        fill, valid, port = self.fill.payload, self.fill.valid, self.engine.fill_port
        pixels = self.engine.pixels
        places = range(n * pixels, (n + 1) * pixels)
        if port:
            chosen = Cat(valid & (fill.part == place // port) for place in places)
        else:
            port, chosen = self.engine.multipliers, valid
        words = later(
            m, f"fill_{n}", even=Mux(fill.address[0], 0, chosen),
            odd=Mux(fill.address[0], chosen, 0), address=fill.address >> 1,
            data=Cat(fill.data[place % port] for place in places),
        )  # fmt: skip
        m.d.comb += [
            lane.write_even.eq(words.even),
            lane.write_odd.eq(words.odd),
            lane.write_address.eq(words.address),
            lane.write_data.as_value().eq(words.data),
        ]

    def _lane(self, m: Module, n: int, inputs: data.View, outputs: data.View) -> None:
        if not self.shared:
            lane = self.lanes[n]
            lane.clock(m, inputs)
            m.d.comb += outputs.eq(lane.shadow)
            return
        m.submodules[f"lane_{n}"] = Instance(
            "depthwise_lane",
            i_clk=ClockSignal("sync"),
            i_rst=ResetSignal("sync"),
            i_i=inputs.as_value(),
            o_o=outputs.as_value(),
        )
