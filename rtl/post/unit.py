"""The post-processing unit: a pipeline that never stops, and the memory that results wait in."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import PostProcessing
from accelsim.passes import PostChannel, PostLayer, Rule
from rtl.lib.layout import layout
from rtl.lib.pipeline import later
from rtl.lib.results import ResultMemory
from rtl.post.bytes import CLAMPED, LOOKED_UP, TABLE_ENTRY, Tables, clamped
from rtl.post.delay import delayed
from rtl.post.layers import Layers
from rtl.post.pair import OPERAND, Pair
from rtl.post.requantise import Requantise

TURN = 2  # clocks from the last word of a layer to the first for which its settings make room
HANDED = 2  # clocks from a result that is taken to room for the next


class PostProcessor(wiring.Component):
    """Words of sums become words of bytes, one in every clock, in their order.

    commands : settings of layers, one for each, in their order. Two are held, and a layer gives
        its own back when its last word has gone through: layers follow each other without a gap
        if none of them has fewer words than the pipeline is clocks long, and two more.
    table_fill : an entry of a table, always ready. It counts for words that are sent later.
    words : sums of P pixels of a channel, what belongs to the channel, the bytes of another map
        where the unit has operations on two, and whether the word is the last one of its layer.
    results : their bytes, int8 or uint8 as the settings say, and whether they are the last ones.

    Valid and ready of all are registers.
    """

    def __init__(self, sizes: PostProcessing) -> None:
        self.sizes = sizes
        lanes = sizes.lanes
        self.requantise = Requantise(lanes, [Rule[rule.upper()] for rule in sizes.rules])
        self.pair = Pair(sizes) if sizes.operations else None
        # Clocks until there are bytes of the layer, and until those of the results.
        self.made = 1 + self.requantise.latency + CLAMPED + (LOOKED_UP if sizes.tables else 0)
        self.latency = self.made + (0 if self.pair is None else self.pair.latency + CLAMPED)
        self.result_depth = 1 << (self.latency + ResultMemory.LATENCY + HANDED).bit_length()
        values = data.ArrayLayout(unsigned(8), lanes)
        word = {"sums": data.ArrayLayout(signed(32), lanes), "channel": layout(PostChannel)}
        word |= {} if self.pair is None else {"others": values}
        result = {"values": values, "last": 1}
        fill = stream.Signature(TABLE_ENTRY, always_ready=True)
        super().__init__(
            {
                "commands": In(stream.Signature(layout(PostLayer))),
                **({"table_fill": In(fill)} if sizes.tables else {}),
                "words": In(stream.Signature(data.StructLayout(word | {"last": 1}))),
                "results": Out(stream.Signature(data.StructLayout(result))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.layers = layers = Layers()
        wiring.connect(m, wiring.flipped(self.commands), layers.commands)
        result = self.results.payload.shape()
        m.submodules.results = results = ResultMemory(result, 1, self.result_depth)
        marks = self._marks(m, layers, results.handed)
        # What the word that came t clocks ago is to be done with.
        settings = [
            data.View(layout(PostLayer), Mux(mark.which, *reversed(layers.sets))) for mark in marks
        ]
        values = self._requantised(m, settings[1])
        age = 1 + self.requantise.latency
        values = [
            clamped(m, f"_{n}", value, settings[age], settings[age + 1])
            for n, value in enumerate(values)
        ]
        age += CLAMPED
        if self.sizes.tables:
            values = self._looked_up(m, values, settings[age])
        if self.pair is not None:
            values = self._paired(m, self.pair, values, settings[self.made :])
        self._send(m, values, marks[-1], results)
        return m

    def _marks(self, m: Module, layers: Layers, handed: Value) -> list[SimpleNamespace]:
        """Whether there is a word of every age, of which settings, and whether it is the last."""
        word, ready = self.words, Signal(name="ready")
        room = Signal(range(self.result_depth + 1), init=self.result_depth)  # no word has it yet
        room_left = Signal.like(room)
        mark = SimpleNamespace(valid=word.valid & ready, which=layers.which, last=word.payload.last)
        m.d.comb += [
            word.ready.eq(ready),
            layers.enters.eq(mark.valid),
            layers.ends.eq(mark.last),
            room_left.eq(room + handed - mark.valid),
        ]
        m.d.sync += [room.eq(room_left), ready.eq(layers.opens & (room_left != 0))]
        marks = [mark]
        for age in range(1, self.latency + 1):
            valid = Signal(name=f"valid{age}")
            m.d.sync += valid.eq(mark.valid)
            mark = later(m, f"mark{age}", which=mark.which, last=mark.last)
            mark.valid = valid
            marks.append(mark)
        m.d.comb += layers.leaves.eq(mark.valid & mark.last)
        return marks

    def _requantised(self, m: Module, settings: data.View) -> list[Value]:
        """Integers next to the sums plus their bias, times their factor."""
        word, requantise = self.words.payload, self.requantise
        channel = word.channel
        m.submodules.requantise = requantise
        factor = later(m, "channel", multiplier=channel.multiplier, shift=channel.shift)
        m.d.comb += [
            requantise.multiplier.eq(factor.multiplier),
            requantise.shift.eq(factor.shift),
            requantise.rule.eq(settings.rule),
        ]
        for n, total in enumerate(word.sums):
            biased = later(m, f"biased_{n}", total=(total + channel.bias)[: len(total)])
            m.d.comb += requantise.totals[n].eq(biased.total.as_signed())
        return list(requantise.values)

    def _looked_up(self, m: Module, values: list[Value], settings: data.View) -> list[Value]:
        """Bytes, or what a table has for them."""
        m.submodules.tables = tables = Tables(self.sizes.lanes, self.sizes.tables)
        wiring.connect(m, wiring.flipped(self.table_fill), tables.fill)
        m.d.comb += [tables.table.eq(settings.table), tables.looks_up.eq(settings.looks_up)]
        m.d.comb += [place.eq(value) for place, value in zip(tables.bytes, values, strict=True)]
        return list(tables.values)

    def _paired(
        self, m: Module, pair: Pair, values: list[Value], settings: list[data.View]
    ) -> list[Value]:
        """Bytes of the layer and those of another map become one."""
        others = delayed(m, "others", self.words.payload.others, self.made)
        first, second = (
            Signal(data.ArrayLayout(OPERAND, self.sizes.lanes), name=name)
            for name in ("first", "second")
        )
        now = [settings_of.pair for settings_of in settings]
        for operands, given, is_unsigned in (
            (first, values, now[0].first_unsigned),
            (second, others, now[0].second_unsigned),
        ):
            m.d.comb += [
                operand.eq(Cat(byte, byte[7] & ~is_unsigned))
                for operand, byte in zip(operands, given, strict=True)
            ]
        at = pair.latency
        return [
            clamped(m, f"_pair_{n}", value, now[at], now[at + 1])
            for n, value in enumerate(pair.values(m, first, second, now))
        ]

    def _send(
        self, m: Module, values: list[Value], mark: SimpleNamespace, memory: ResultMemory
    ) -> None:
        """Bytes go into the memory, and from there to the reader."""
        (word,) = memory.word
        (read,) = memory.results.payload
        m.d.comb += [
            memory.write.eq(mark.valid),
            word.values.eq(Cat(values)),
            word.last.eq(mark.last),
            self.results.payload.eq(read),
            self.results.valid.eq(memory.results.valid),
            memory.results.ready.eq(self.results.ready),
        ]
