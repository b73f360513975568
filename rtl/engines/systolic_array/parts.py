"""The systolic array in hardware: processing elements, their left edge, and the sequencer.

One processing element serves all modes of accelsim.passes.Opcode; it has wires to its four
neighbours only. Control bits enter row i i clocks after row 0 and travel right with the data, so
that element (i, j) does at clock t what element (0, 0) did at t - i - j.
"""

from typing import NamedTuple

from amaranth.hdl import (
    Array,
    ClockSignal,
    Const,
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

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode
from rtl.lib.layout import layout


class Flags(data.Struct):
    """Control bits of an element for one clock."""

    first: 1  # start a sum
    cap: 1  # hand the sum to the shadow register
    ws: 1  # partial sum passes down (ws, is)
    fz: 1  # operands move right at half speed (rows)
    swap: 1  # take the stationary operand that has been loaded
    bsh: 1  # operands move down
    sh: 1  # shadow registers move down


FLAG_BITS = 7


class Element:
    """One processing element: a multiply-accumulate and five data registers.

    a : operand from the left.  b : operand from above, or second half of the a chain in rows.
    w : stationary operand, or tap on its way right.  acc : sum.  s : shadow, or partial sum.
    f : control bits.

    A plain set of registers, not a Component: Amaranth's simulator runs a grid of them as one
    process instead of waking one per element, several times a clock.
    """

    def __init__(self, operand_bits: int, accumulator_bits: int, place: str = "") -> None:
        operand, total = signed(operand_bits), signed(accumulator_bits)
        self.a = Signal(operand, name=f"a{place}")
        self.b = Signal(operand, name=f"b{place}")
        self.w = Signal(operand, name=f"w{place}")
        self.acc = Signal(total, name=f"acc{place}")
        self.s = Signal(total, name=f"s{place}")
        self.f = Signal(Flags, name=f"f{place}")

    def clock(self, m: Module, en: Value, i: "Wires") -> None:
        """What happens in a clock in which `en` is set."""
        f = Flags(i.f)
        product = i.a * Mux(f.ws | f.fz, self.w, i.b)
        total = Mux(f.ws, i.s, Mux(f.first, 0, self.acc)) + product
        with m.If(en):
            m.d.sync += [
                self.a.eq(i.a),
                self.f.eq(f),
                self.b.eq(Mux(f.fz, self.a, Mux(f.bsh, i.b, self.b))),
                self.w.eq(Mux(f.swap, self.b, Mux(f.ws, self.w, i.w))),
                self.acc.eq(Mux(f.ws, self.acc, total)),
                self.s.eq(Mux(f.cap, total, Mux(f.sh, i.s, self.s))),
            ]

    @property
    def outputs(self) -> "Wires":
        """What its neighbours see: right (a, w, f) and below (b, s)."""
        a = Mux(self.f.fz, self.b, self.a)
        return Wires(a, self.b, self.w, self.s, self.f.as_value())


class Wires(NamedTuple):
    """The five wires into, or out of, an element."""

    a: Value
    b: Value
    w: Value
    s: Value
    f: Value


class ProcessingElement(wiring.Component):
    """An Element as a module of its own, of which Verilog can have many instances."""

    def __init__(self, operand_bits: int, accumulator_bits: int) -> None:
        operand, total = signed(operand_bits), signed(accumulator_bits)
        shapes = {"a": operand, "b": operand, "w": operand, "s": total, "f": FLAG_BITS}
        super().__init__(
            {"en": In(1)}
            | {f"{name}_i": In(shape) for name, shape in shapes.items()}
            | {f"{name}_o": Out(shape) for name, shape in shapes.items()}
        )
        self.element = Element(operand_bits, accumulator_bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.element.clock(m, self.en, Wires(*(getattr(self, f"{n}_i") for n in Wires._fields)))
        for name, value in self.element.outputs._asdict().items():
            m.d.comb += getattr(self, f"{name}_o").eq(value)
        return m


def token_layout(array: SystolicArray) -> data.StructLayout:
    """What a frame means for the result port, R clocks after row 0 of the array."""
    return data.StructLayout(
        {
            "beat": 1,  # a row of partial sums leaves (ws, is)
            "start": 1,  # ... the first of its pass
            "end": 1,  # last results of a pass
            "accumulate": 1,
            "emit": 1,
            "drain": unsigned(array.rows.bit_length()),  # results captured for the drain, or 0
            "columns": unsigned(array.columns.bit_length()),
        }
    )


def frame_layout(array: SystolicArray) -> data.StructLayout:
    """What the sequencer tells the edge of row 0; row i hears it i clocks later."""
    tap = unsigned(max(1, (array.max_taps - 1).bit_length()))
    return data.StructLayout(
        {
            "valid": 1,  # the row banks deliver operands
            "rows": unsigned(array.rows.bit_length()),  # rows that take part
            "from_top": 1,  # ... counted from the top (ws, is), else from the bottom
            "first": 1,
            "cap": 1,
            "ws": 1,
            "fz": 1,
            "swap": 1,
            "bsh": 1,
            "tap_write": 1,
            "tap_read": 1,
            "tap_in": tap,
            "tap_out": tap,
            "token": token_layout(array),
        }
    )


def load_layout(array: SystolicArray) -> data.StructLayout:
    """Loading of a stationary tile: `beat` rows are already in; not delayed from row to row."""
    beat = unsigned(max(1, (array.rows - 1).bit_length()))
    return data.StructLayout({"loading": 1, "beat": beat})


class Grid(wiring.Component):
    """R x C processing elements and the edge cells on their left.

    frame, load : from the sequencer, in step with the operands of row 0 and column 0.
    left, top : operands of row i, i clocks after row 0; of column j, j clocks after column 0.
    token : the frame's token, one clock before its results are on `result[0]`.
    rem : results of the current drain still to leave, counting the one on `result[0]`.
    result : bottom of column j, j clocks after column 0.

    With `shared` the elements are instances of one module, `processing_element`, to be supplied
    beside this one: far less text for large arrays, but Amaranth's simulator cannot run it.
    """

    def __init__(self, array: SystolicArray, shared: bool = False) -> None:
        self.array, self.shared = array, shared
        operand = signed(array.operands.bits)
        total = signed(array.operands.accumulator_bits)
        super().__init__(
            {
                "en": In(1),
                "frame": In(frame_layout(array)),
                "load": In(load_layout(array)),
                "left": In(data.ArrayLayout(operand, array.rows)),
                "top": In(data.ArrayLayout(operand, array.columns)),
                "token": Out(token_layout(array)),
                "rem": Out(unsigned(array.rows.bit_length())),
                "result": Out(data.ArrayLayout(total, array.columns)),
            }
        )
        operands = array.operands
        self.elements = [
            [
                Element(operands.bits, operands.accumulator_bits, f"_{i}_{j}")
                for j in range(array.columns)
            ]
            for i in range(array.rows if not shared else 0)
        ]
        self.taps: list[Signal] = []

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, columns = self.array.rows, self.array.columns
        bits = self.array.operands.accumulator_bits
        b: list[Value] = [self.top[j] for j in range(columns)]
        s: list[Value] = [Const(0, signed(bits)) for _ in range(columns)]

        frame = self.frame
        for i in range(rows):
            a, w, f = self._edge(m, i, frame)
            for j in range(columns):
                right = self._element(m, i, j, Wires(a, b[j], w, s[j], f))
                a, b[j], w, s[j], f = right
            if i + 1 < rows:
                later = Signal(frame_layout(self.array), name=f"frame_{i + 1}")
                with m.If(self.en):
                    m.d.sync += later.eq(frame)
                frame = later

        for j in range(columns):
            m.d.comb += self.result[j].eq(s[j])
        m.d.comb += self.token.eq(frame.token)
        with m.If(self.en):
            with m.If(frame.token.drain != 0):
                m.d.sync += self.rem.eq(frame.token.drain)
            with m.Elif(self.rem != 0):
                m.d.sync += self.rem.eq(self.rem - 1)
        return m

    def _edge(self, m: Module, i: int, frame: data.View) -> tuple[Signal, Signal, Signal]:
        """Edge cell of row i: operand mask, tap buffer, and the control bits of the row."""
        rows, taps = self.array.rows, self.array.max_taps
        operand = signed(self.array.operands.bits)
        value = Signal(operand, name=f"value_{i}")
        a, w = Signal(operand, name=f"a_{i}"), Signal(operand, name=f"w_{i}")
        f = Signal(Flags, name=f"f_{i}")
        buffer = Signal(data.ArrayLayout(operand, taps), name=f"taps_{i}")
        self.taps.append(buffer)
        tap = Array(buffer[t] for t in range(taps))
        used = Mux(frame.from_top, frame.rows > i, frame.rows >= rows - i)
        m.d.comb += [
            value.eq(Mux(frame.valid & used, self.left[i], 0)),
            a.eq(Mux(frame.tap_write, 0, value)),
            w.eq(Mux(frame.tap_read, tap[frame.tap_out], 0)),
            f.first.eq(frame.first),
            f.cap.eq(frame.cap),
            f.ws.eq(frame.ws),
            f.fz.eq(frame.fz),
            f.swap.eq(frame.swap),
            # Loads start with the skew and stop together; drains start together and stop with it.
            f.bsh.eq(frame.bsh | (self.load.loading & (self.load.beat >= i))),
            f.sh.eq(self.rem > rows - i),
        ]
        with m.If(self.en & frame.tap_write):
            m.d.sync += tap[frame.tap_in].eq(value)
        return a, w, f.as_value()

    def _element(self, m: Module, i: int, j: int, wires: Wires) -> Wires:
        """Element (i, j) behind its inputs; returns its outputs."""
        if not self.shared:
            element = self.elements[i][j]
            element.clock(m, self.en, wires)
            return element.outputs
        operand = signed(self.array.operands.bits)
        total = signed(self.array.operands.accumulator_bits)
        shapes = Wires(operand, operand, operand, total, unsigned(FLAG_BITS))
        outputs = Wires(
            *(Signal(shape, name=f"{name}_{i}_{j}") for name, shape in shapes._asdict().items())
        )
        m.submodules[f"pe_{i}_{j}"] = Instance(
            "processing_element",
            i_clk=ClockSignal("sync"),
            i_rst=ResetSignal("sync"),
            i_en=self.en,
            **{f"i_{name}_i": value for name, value in wires._asdict().items()},
            **{f"o_{name}_o": value for name, value in outputs._asdict().items()},
        )
        return outputs


class Sequencer(wiring.Component):
    """Works off a queue of ArrayCommands; one pass may start in every clock.

    A pass starts at the first clock at which its ports are free and its results will find the
    result port free. `obusy` counts the clocks until then for the capture of os and rows. A
    stationary tile loads behind the stream of the tile before it and waits in the b registers
    (`pend`) for the swap, one clock before its own stream.

    frame, load : for the edge, registered.  left_read, left_address, top_*: for the banks, one
        clock earlier.  quiet : nothing is left on its way to the result port (for overlap=False).
    starting : a pass starts.  needs : a command is needed now to keep to the schedule.
    read_done : the last operands of a pass are being read.
    """

    def __init__(self, array: SystolicArray, address_bits: int) -> None:
        self.array = array
        super().__init__(
            {
                "commands": In(stream.Signature(layout(ArrayCommand))),
                "quiet": In(1),
                "frame": Out(frame_layout(array)),
                "load": Out(load_layout(array)),
                "left_read": Out(1),
                "left_address": Out(address_bits),
                "top_read": Out(1),
                "top_address": Out(address_bits),
                "starting": Out(1),
                "needs": Out(1),
                "read_done": Out(1),
            }
        )
        self.address_bits = address_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        work = layout(ArrayPass)
        head = self.commands.payload
        is_tile = (head.work.opcode == Opcode.WS) | (head.work.opcode == Opcode.IS)
        ready = self.commands.valid & (self.quiet if not self.array.overlap else 1)

        cur, tile = Signal(work), Signal(work)
        cnt = Signal(18)  # clocks until the stream in progress ends
        streams, fires, tapping = Signal(8), Signal(16), Signal(8)
        fresh, pend = Signal(), Signal()
        q_left, q_beat = Signal(16), Signal(load_layout(self.array)["beat"].shape)
        left_at, top_at, q_at, tile_left = (Signal(self.address_bits) for _ in range(4))
        obusy = Signal(self.array.rows.bit_length())

        # What is known of this clock before any pass starts.
        held = Signal()  # an os or rows pass owns the array
        swap, free = Signal(), Signal()
        keeps = (cur.opcode == Opcode.OS) | (cur.opcode == Opcode.ROWS)
        m.d.comb += [
            held.eq(((cnt != 0) | (streams != 0)) & keeps),
            swap.eq(pend & (q_left == 0) & (cnt <= 1) & ~held & (obusy <= 1)),
            free.eq((q_left == 0) & (~pend | swap) & ~held),
            self.needs.eq(free & (self.quiet if not self.array.overlap else 1)),
        ]

        # now: the pass in progress, or the one that starts at this clock.
        now = Signal(work)
        count, taps_left = Signal.like(cnt), Signal.like(tapping)
        first_stream, more = Signal(), Signal.like(streams)
        refires = Signal.like(fires)
        now_left, now_top = Signal.like(left_at), Signal.like(top_at)
        start, resume, load = Signal(), Signal(), Signal()
        length = Signal.like(cnt)
        is_rows = head.work.opcode == Opcode.ROWS
        m.d.comb += [
            length.eq(head.work.k + Mux(is_rows, head.work.taps, 0)),
            start.eq(
                ready & ~is_tile & (cnt == 0) & (streams == 0) & ~pend
                & ((head.work.streams > 1) | (obusy < length))
            ),
            resume.eq(
                (cnt == 0) & (streams != 0) & ((streams > 1) | (obusy < cur.k + cur.taps))
            ),
            load.eq(ready & is_tile & free),
            self.starting.eq(start | load),
            self.commands.ready.eq(start | load),
            now.eq(cur), count.eq(cnt), taps_left.eq(tapping), first_stream.eq(fresh),
            more.eq(streams), refires.eq(fires), now_left.eq(left_at), now_top.eq(top_at),
        ]  # fmt: skip
        with m.If(start):
            m.d.comb += [
                now.eq(head.work),
                count.eq(length),
                taps_left.eq(head.work.taps),
                first_stream.eq(1),
                more.eq(head.work.streams - 1),
                refires.eq(head.work.fires - 1),
                now_left.eq(head.left),
                now_top.eq(head.top),
            ]
        with m.If(resume):
            m.d.comb += [
                count.eq(cur.k + cur.taps),
                taps_left.eq(cur.taps),
                first_stream.eq(0),
                more.eq(streams - 1),
            ]
        m.d.sync += [
            cur.eq(now),
            fresh.eq(first_stream),
            streams.eq(more),
            fires.eq(refires),
            tapping.eq(taps_left),
            cnt.eq(count),
            left_at.eq(now_left),
            top_at.eq(now_top),
        ]

        # One clock of a stream.
        frame = Signal(frame_layout(self.array))
        capture, ending = Signal(), Signal()
        running = count != 0
        m.d.comb += ending.eq(count == 1)
        with m.If(running):
            m.d.comb += [self.left_read.eq(1), frame.valid.eq(1), frame.token.columns.eq(now.n)]
            m.d.sync += [cnt.eq(count - 1), left_at.eq(now_left + 1)]
            with m.Switch(now.opcode):
                with m.Case(Opcode.OS):
                    m.d.comb += [
                        self.top_read.eq(1),
                        frame.bsh.eq(1),
                        frame.rows.eq(now.m),
                        frame.first.eq(count == now.k),
                        capture.eq(ending),
                        frame.token.end.eq(ending),
                    ]
                    m.d.sync += top_at.eq(now_top + 1)
                with m.Case(Opcode.ROWS):
                    last = ending & (more == 0)
                    m.d.comb += [
                        frame.fz.eq(1),
                        frame.rows.eq(now.m),
                        frame.tap_write.eq(taps_left != 0),
                        frame.tap_in.eq(now.taps - taps_left),
                        frame.tap_read.eq((count >= 2) & (count <= now.taps + 1)),
                        frame.tap_out.eq(now.taps + 1 - count),
                        frame.first.eq((count == now.taps) & first_stream),
                        capture.eq(last),
                        frame.token.end.eq(last & (refires == 0)),
                    ]
                    with m.If(taps_left != 0):
                        m.d.sync += tapping.eq(taps_left - 1)
                    with m.If(ending & (refires != 0)):
                        m.d.sync += [fires.eq(refires - 1), cnt.eq(now.n)]
                with m.Default():
                    m.d.comb += [
                        frame.ws.eq(1),
                        frame.cap.eq(1),
                        frame.from_top.eq(1),
                        frame.rows.eq(now.k),
                        frame.token.beat.eq(1),
                        frame.token.start.eq(count == now.m),
                        frame.token.end.eq(ending),
                        frame.token.accumulate.eq(now.accumulate),
                        frame.token.emit.eq(now.emit),
                    ]
        with m.If(capture):
            m.d.comb += [frame.cap.eq(1), frame.token.drain.eq(now.m)]
            m.d.sync += obusy.eq(now.m - 1)
        with m.Elif(obusy != 0):
            m.d.sync += obusy.eq(obusy - 1)
        m.d.comb += self.read_done.eq(frame.token.end)

        # The stationary tile: its swap, and the load of the next one.
        with m.If(swap):
            m.d.comb += frame.swap.eq(1)
            m.d.sync += [cur.eq(tile), left_at.eq(tile_left), cnt.eq(tile.m), pend.eq(0)]
        loading = Signal()
        beats, beat, at = Signal.like(q_left), Signal.like(q_beat), Signal.like(q_at)
        m.d.comb += [
            beats.eq(Mux(load, head.work.k, q_left)),
            beat.eq(Mux(load, 0, q_beat)),
            at.eq(Mux(load, head.top, q_at)),
            loading.eq(beats != 0),
        ]
        with m.If(load):
            m.d.sync += [tile.eq(head.work), tile_left.eq(head.left), pend.eq(1)]
        with m.If(loading):
            m.d.comb += self.top_read.eq(1)
            m.d.sync += [q_left.eq(beats - 1), q_beat.eq(beat + 1), q_at.eq(at + 1)]
        m.d.comb += [
            self.left_address.eq(now_left),
            self.top_address.eq(Mux(loading, at, now_top)),
        ]
        m.d.sync += [
            self.frame.eq(frame),
            self.load.loading.eq(loading),
            self.load.beat.eq(beat),
        ]
        return m
