"""The systolic array clock by clock in plain Python, one register after another.

Slow and obvious: an object per element, operands and control bits that wander from neighbour to
neighbour, every stream of a pass written out as a list of clocks. It follows the hardware's
description, and neither the simulation, which looks at all elements in the same frame, nor the
schedule.
"""

from itertools import accumulate
from typing import NamedTuple

import numpy as np

from accelsim.passes import ArrayCommand, ArrayPass, Opcode


class Flags(NamedTuple):
    """Control bits of an element."""

    first: bool = False  # start a sum
    cap: bool = False  # hand the sum to the shadow register
    ws: bool = False  # partial sums pass down
    sh: bool = False  # shadow registers move down
    fz: bool = False  # operands move right at half speed
    swap: bool = False  # take the stationary operand that has been loaded
    bsh: bool = False  # operands move down


class Element(NamedTuple):
    """Registers of an element."""

    a: int = 0  # operand from the left
    b: int = 0  # operand from above, or second half of the way of an operand
    w: int = 0  # stationary operand, or tap on its way right
    x: int = 0  # what a is multiplied with
    y: int = 0  # a, which is multiplied in the next clock
    z: int = 0  # ... with this
    p: int = 0  # product
    q: int = 0  # product, which is added in the next clock
    acc: int = 0
    s: int = 0  # shadow, or partial sum
    f: Flags = Flags()  # those of a and x
    g: tuple[Flags, Flags, Flags] = (Flags(),) * 3  # those of y and z, of p, of q


class Frame(NamedTuple):
    """What the edge of row 0 hears in a clock, the other rows each a clock later.

    left, top : addresses in the banks, None where they are not read.
    rows : that take part.
    tap_in, tap_out : tap that the operand is stored as, tap that is sent on its way.
    drain : results per column that this clock captures.
    beat : number of the row of partial sums that this clock makes; stored if not emitted.
    columns : of the pass.
    ends : number of the pass whose last results these are.
    """

    left: int | None = None
    top: int | None = None
    rows: range = range(0)
    flags: Flags = Flags()
    tap_in: int | None = None
    tap_out: int | None = None
    drain: int = 0
    beat: int | None = None
    accumulate: bool = False
    emit: bool = False
    columns: int = 0
    ends: int | None = None


class Load(NamedTuple):
    """A row of a stationary tile on its way: address in the column banks, rows before it."""

    top: int
    beat: int


class Step(NamedTuple):
    """What a column's bottom holds: a result, a partial sum to store, or nothing."""

    valid: bool = False
    store: bool = False
    accumulate: bool = False
    address: int = 0
    columns: int = 0
    ends: int | None = None


# ---- passes as lists of clocks -------------------------------------------------------------


def output_stationary(number, command, array):
    """The stream of a pass in os: a product per clock, captured with the last if it emits."""
    p, last = command.work, command.work.k - 1
    return [
        [
            Frame(
                left=command.left + clock,
                top=command.top + clock,
                rows=range(array.rows - p.m, array.rows),
                flags=Flags(
                    first=clock == 0 and not p.accumulate,
                    cap=clock == last and p.emit == 1,
                    bsh=True,
                ),
                drain=p.m if clock == last and p.emit else 0,
                columns=p.n,
                ends=number if clock == last else None,
            )
            for clock in range(p.k)
        ]
    ]


def row_streams(number, command, array):
    """The streams of a pass in rows: taps, then values; the sums are captured at the very end.

    Taps follow each other on their way such that the last one meets the last value.
    """
    p, at, words = command.work, command.left, []
    for stream in range(p.streams):
        frames = []
        for fire in range(p.fires):
            clocks = p.n if fire else p.taps + p.k
            for clock in range(clocks):
                tap, ending = clock - (clocks - 1 - p.taps), clock == clocks - 1
                ends = ending and stream == p.streams - 1
                cap = ends and p.emit == 1
                first = stream == 0 and tap == 1 and not p.accumulate
                frames.append(
                    Frame(
                        left=at,
                        rows=range(array.rows - p.m, array.rows),
                        flags=Flags(first=first, cap=cap, fz=True),
                        tap_in=clock if fire == 0 and clock < p.taps else None,
                        tap_out=tap if 0 <= tap < p.taps else None,
                        drain=p.m if cap else 0,
                        columns=p.n,
                        ends=number if ends and fire == p.fires - 1 else None,
                    )
                )
                at += 1
        words.append(frames)
    return words


def stationary(number, command):
    """Load and stream of a pass in ws or is."""
    p = command.work
    load = [Load(command.top + beat, beat) for beat in range(p.k)]
    stream = [
        Frame(
            left=command.left + beat,
            rows=range(p.k),
            flags=Flags(cap=True, ws=True),
            beat=beat,
            accumulate=bool(p.accumulate),
            emit=bool(p.emit),
            columns=p.n,
            ends=number if beat == p.m - 1 else None,
        )
        for beat in range(p.m)
    ]
    return load, stream


# ---- the machine ---------------------------------------------------------------------------


class Machine:
    """All registers, and what has left the result port.

    Clock 0 is the first one with an operand at a port; the sequencer is a clock ahead.

    earliest : clocks before which passes do not start, as they wait for other units.
    sent, room : clocks before which they do not, as the command is not there, or no room for the
        results.
    results : of every column, in the order in which they leave.
    started, done : of every pass, None as long as it has not begun, or owes results.
    stalls : clocks between the first start and the last in which the next pass has not been sent
        and the array could begin to load a tile, or has no room and could start otherwise.
    """

    def __init__(self, array, commands, left, top, earliest=None, sent=None, room=None):
        self.array, self.left, self.top = array, left, top
        fields = len(ArrayPass._fields)
        self.commands = [
            ArrayCommand(ArrayPass(*row[:fields]), *row[fields:]) for row in commands.tolist()
        ]
        count = len(self.commands)
        self.earliest, self.sent, self.room = (
            [0] * count if clocks is None else list(clocks) for clocks in (earliest, sent, room)
        )
        self.stalls = 0
        self.started, self.done = [None] * count, [None] * count
        self.results = [[] for _ in range(array.columns)]

        self.grid = [[Element()] * array.columns for _ in range(array.rows)]
        self.taps = [[0] * array.max_taps for _ in range(array.rows)]
        self.frames = [Frame()] * array.rows  # at the edge of every row
        self.tops = [None] * array.columns  # address that every column bank has read
        self.load = None  # the row of a tile at the ports
        self.rem = 0  # results of the drain that are still to leave
        self.rem_columns, self.rem_ends = 0, None
        self.beat = Frame()  # whose partial sums come to the bottom of column 0
        self.bottoms = [
            (0, 0, None, Frame())
        ] * 4  # rem, its columns and ends, beat, four clocks ago
        self.steps = [Step()] * (array.columns - 1)
        self.accumulators = [[0] * array.accumulator_depth for _ in range(array.columns)]

        self.head = 0  # the next pass
        self.streams = []  # of the pass in progress, clocks that have not been
        self.owner = False  # whether it keeps the array until they have
        self.loads = []  # rows of a tile that have not been
        self.tile = None  # the stream of a tile that is loading or waits for its swap
        self.slot = -1  # clock of the sequencer from which on results may be captured

    def step(self, clock):
        """All next state from current state."""
        self.leave(clock)
        frame, load = self.sequence(clock)
        self.elements()
        self.count(self.frames[-1])
        self.frames = [frame, *self.frames[:-1]]
        reading = load.top if load else frame.top
        self.tops = [self.tops[0] if reading is None else reading, *self.tops[:-1]]
        self.load = load

    # ---- the result port -------------------------------------------------------------------

    def leave(self, clock):
        """What is at the bottom of the columns, each a clock behind the one on its left."""
        rem, columns, ends, beat = self.bottoms.pop(0)
        if rem:
            step = Step(valid=True, columns=columns, ends=ends if rem == 1 else None)
        elif beat.beat is not None:
            step = Step(
                beat.emit, not beat.emit, beat.accumulate, beat.beat, beat.columns, beat.ends
            )
        elif beat.ends is not None:  # a pass that keeps its sums
            step = Step(columns=beat.columns, ends=beat.ends)
        else:
            step = Step()
        steps = [step, *self.steps]
        for column, step in enumerate(steps):
            total = self.grid[-1][column].s
            if step.accumulate:
                total = self.wrap(total + self.accumulators[column][step.address])
            if step.store:
                self.accumulators[column][step.address] = total
            if step.valid:
                self.results[column].append(total)
            if step.ends is not None and column == step.columns - 1:
                self.done[step.ends] = clock + 1
        self.steps = steps[:-1]

    def count(self, frame):
        """The registers of column 0's result, from the frame of the last row."""
        self.bottoms.append((self.rem, self.rem_columns, self.rem_ends, self.beat))
        self.rem = frame.drain or max(0, self.rem - 1)
        if frame.drain:
            self.rem_columns, self.rem_ends = frame.columns, frame.ends
        self.beat = frame

    # ---- the elements ----------------------------------------------------------------------

    def elements(self):
        """A clock of the edges and of all elements."""
        grid = []
        for i, old in enumerate(self.grid):
            a, w, f = self.edge(i)
            row = []
            for j, element in enumerate(old):
                above = self.grid[i - 1][j] if i else Element(b=self.column_word(j))
                row.append(after(element, a, above.b, w, above.s, f, self.wrap))
                a, w, f = element.b if element.f.fz else element.a, element.w, element.f
            grid.append(row)
        self.grid = grid

    def wrap(self, total):
        """A sum as the accumulators keep it."""
        half = 1 << (self.array.operands.accumulator_bits - 1)
        return (total + half) % (2 * half) - half

    def edge(self, i):
        """What enters row i from the left: operand, tap, control bits."""
        frame = self.frames[i]
        value = int(self.left[frame.left][i]) if i in frame.rows else 0
        tap = 0 if frame.tap_out is None else self.taps[i][frame.tap_out]
        if frame.tap_in is not None:
            self.taps[i][frame.tap_in] = value
            value = 0
        # Loads start with the skew and stop together; drains start together and stop with it.
        loading = self.load is not None and self.load.beat >= i
        draining = self.rem > self.array.rows - i
        return value, tap, frame.flags._replace(bsh=frame.flags.bsh or loading, sh=draining)

    def column_word(self, j):
        """What the bank of column j has read last."""
        return 0 if self.tops[j] is None else int(self.top[self.tops[j]][j])

    # ---- the sequencer ---------------------------------------------------------------------

    def sequence(self, clock):
        """What the ports of row 0 and column 0 get in the next clock: a frame, a row of a tile."""
        left = sum(len(stream) for stream in self.streams)
        owned = self.owner and left > 0
        swap = self.tile is not None and not self.loads and not owned
        swap = swap and left <= 1 and clock + 1 >= self.slot
        waiting = self.tile is not None

        loadable = not owned and not self.loads and (not waiting or swap)
        head, tile = self.ready(clock, loadable), None
        if head and head.work.opcode in (Opcode.WS, Opcode.IS):
            load = stationary(self.head, head)
            if loadable and self.start(clock):
                self.loads, tile = load
        elif head and not left and not waiting:
            rows = head.work.opcode == Opcode.ROWS
            streams = (row_streams if rows else output_stationary)(self.head, head, self.array)
            if self.fits(clock, streams[0]) and self.start(clock):
                self.streams, self.owner = [[], *streams], True

        frame = self.next_frame(clock)
        load = self.loads.pop(0) if self.loads else None
        if swap:
            frame = frame._replace(flags=frame.flags._replace(swap=True))
            self.streams, self.owner, self.tile = [self.tile], False, None
        if tile:
            self.tile = tile
        return frame, load

    def ready(self, clock, loadable):
        """The command of the next pass if it is there: its operands are a clock later.

        Without overlap the last result of the pass before must be at the port. With no command, the
        array could at least begin to load a tile.
        """
        if self.head == len(self.commands):
            return None
        if not self.array.overlap and None in self.done[: self.head]:
            return None
        if clock + 1 < self.sent[self.head]:
            self.stalls += loadable and self.head > 0
            return None
        return self.commands[self.head]

    def start(self, clock):
        """Start the next pass, whose ports are free, if it has room and need not wait."""
        if clock + 1 < self.room[self.head]:
            self.stalls += self.head > 0
            return False
        if clock + 1 < self.earliest[self.head]:
            return False
        self.started[self.head] = clock + 1
        self.head += 1
        return True

    def fits(self, clock, stream):
        """Whether what a stream captures first finds the result port free, if it begins now.

        Likewise the end of a pass that captures nothing.
        """
        for place, frame in enumerate(stream):
            if frame.drain or frame.ends is not None:
                return clock + place >= self.slot
        return True

    def next_frame(self, clock):
        """The next clock of the pass in progress, nothing where it waits or there is none."""
        while self.streams and not self.streams[0]:
            if len(self.streams) > 1 and not self.fits(clock, self.streams[1]):
                return Frame()
            self.streams.pop(0)
        if not self.streams:
            return Frame()
        frame = self.streams[0].pop(0)
        if frame.drain:
            self.slot = clock + frame.drain
        return frame

    # ---- what is seen ----------------------------------------------------------------------

    @property
    def idle(self):
        return None not in self.done and not any(step.valid for step in self.steps)

    @property
    def retired(self):
        """When every pass and those before it have sent their last results."""
        return list(accumulate(self.done, max))

    @property
    def words(self):
        """int32[result words, C], the columns of a word side by side."""
        return np.array(self.results, np.int64).T.astype(np.int32)

    @property
    def registers(self):
        """Those of all elements as int[R, C], by their names, and taps as int[R, max_taps]."""
        registers = {
            name: np.array([[getattr(element, name) for element in row] for row in self.grid])
            for name in Element._fields[:-2]
        }
        f = [[number(element.f) for element in row] for row in self.grid]
        g = [[number(sum_flags(element.g)) for element in row] for row in self.grid]
        return registers | {"f": np.array(f), "g": np.array(g), "taps": np.array(self.taps)}


def number(flags):
    """Control bits as a number, the first one lowest."""
    return sum(bit << place for place, bit in enumerate(flags))


def sum_flags(behind):
    """Of control bits, the four that a sum needs, one after another."""
    return [bit for flags in behind for bit in flags[:4]]


def after(old, a, b, w, s, f, wrap):
    """An element's registers after a clock in which these values are at its inputs."""
    coming, adding = old.g[-2:]
    total = wrap((s if adding.ws else old.acc) + old.q)
    return Element(
        a=a,
        b=old.a if f.fz else b if f.bsh else old.b,
        w=old.b if f.swap else old.w if f.ws else w,
        x=w_or_b(old, b, f),
        y=old.a,
        z=old.x,
        p=old.y * old.z,
        q=old.p,
        acc=0 if coming.first else old.acc if adding.ws else total,
        s=total if adding.cap else s if adding.sh else old.s,
        f=f,
        g=(old.f, *old.g[:-1]),
    )


def w_or_b(old, b, f):
    """What an element multiplies by."""
    return old.w if f.ws or f.fz else b


def run(machine, most=100_000):
    """Let a machine work off its sequence, clock by clock; yields every clock before it is done."""
    for clock in range(-1, most):
        if machine.idle:
            return
        if clock >= 0:
            yield clock
        machine.step(clock)
    raise AssertionError(f"not done after {most} clocks")
