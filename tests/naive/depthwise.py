"""The depthwise engine clock by clock in plain Python, one register after another.

Slow and obvious: pixels by division, kernel positions by trying them all, operands from an even
and an odd memory, as the engine's description says and not as the simulation does it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from accelsim.engines.depthwise.cycle import FIRST, LAST, TAP, Counters, Registers, Tile
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode, DepthwisePass


class Slot(NamedTuple):
    """A clock of the issue stage, as it goes down the pipeline; `ends` a pass."""

    tag: int
    mask: list[bool]
    word: int
    beats: int
    ends: bool


class Machine:
    """All registers, and what has left the result port.

    Clock 0 is the first one in which the first pass may start, as if nothing waited.

    started, retired : clocks of the passes that have, in order.
    """

    def __init__(self, engine, commands, maps, taps, earliest=None):
        self.engine, self.maps, self.table = engine, maps, taps
        fields = len(DepthwisePass._fields)
        self.queue = [
            DepthwiseCommand(DepthwisePass(*row[:fields]), *row[fields:])
            for row in commands.tolist()
        ]
        self.earliest = [0] * len(self.queue) if earliest is None else list(earliest)
        self.results, self.started, self.retired = [], [], []
        grid = [[0] * engine.lanes for _ in range(engine.pixels)]
        self.x = self.pr = self.acc = self.s = grid
        self.entry = [0] * (2 + engine.lanes)
        self.w1 = self.w2 = [0] * engine.lanes
        self.shift = self.odd = self.beats = self.owed = self.passes = self.row_word = 0
        self.stages = [Slot(0, [False] * engine.pixels, 0, 0, False)] * 4
        self.ends = False  # the results that leave end a pass
        self.next = self.tile = None  # (command, first output, place, whether it ends its pass)
        self.todo = []  # taps of `tile` that are not issued yet
        self.read = None  # the first word that was read
        self.loading = self.loaded = None
        self.done = self.entries = 0

    # ---- tiles -----------------------------------------------------------------------------

    def pixels(self, tile):
        """Row and column of the input of every pixel."""
        command, first, *_ = tile
        work, places = command.work, []
        for n in range(first, first + self.engine.pixels):
            if work.opcode == DepthwiseOpcode.FLAT:
                oy, ox = divmod(n, command.wrap // work.sw)
            else:
                tiles = -(-work.ow // self.engine.pixels)
                oy, ox = divmod(first, tiles * self.engine.pixels)
                ox += n - first
            places.append((oy * work.sh, ox * work.sw))
        return places

    def start(self, command, first=0):
        """A tile of a pass, given by its first pixel."""
        work, pixels = command.work, self.engine.pixels
        if work.opcode == DepthwiseOpcode.FLAT:
            last = (work.oh - 1) * (command.wrap // work.sw) + work.ow
            word = row_word = command.map
            word += first // pixels
        else:
            across = -(-work.ow // pixels)
            last = work.oh * across * pixels
            row, column = divmod(first // pixels, across)
            row_word = command.map + row * command.row_words
            word = row_word + column
        return (command, first, word, first + pixels >= last), row_word

    def taps(self, tile):
        """Taps of a tile: rows and columns of the kernel that meet the smallest rectangle."""
        command, work, places = tile[0], tile[0].work, self.pixels(tile)
        (top, left), (low, right) = places[0], places[-1]
        ends = low > command.bottom
        low = min(low, command.bottom)
        if top == low:
            left = min(left, command.right)
            right = command.right if ends else min(right, command.right)
        else:
            left, right = 0, command.right
        rows = [
            ky
            for ky in range(work.fh)
            if any(0 <= y + ky * work.dh - work.pt < work.h for y in range(top, low + 1))
        ]
        columns = [
            kx
            for kx in range(work.fw)
            if any(0 <= x + kx * work.dw - work.pl < work.w for x in range(left, right + 1))
        ]
        return [(ky, kx) for ky in rows for kx in columns] or [None]

    def alive(self, tile, tap):
        """Pixels that are outputs and whose value for a tap lies in the map."""
        command, work = tile[0], tile[0].work
        if tap is None:
            return [False] * self.engine.pixels
        return [
            y <= command.bottom
            and x <= command.right
            and 0 <= y + tap[0] * work.dh - work.pt < work.h
            and 0 <= x + tap[1] * work.dw - work.pl < work.w
            for y, x in self.pixels(tile)
        ]

    # ---- a clock ---------------------------------------------------------------------------

    def step(self, clock):
        """All next state from current state."""
        lanes, pixels, port = self.engine.lanes, self.engine.pixels, self.engine.result_lanes
        slots, places = range(lanes), range(pixels)
        one, two, _, four = self.stages

        # The result port.
        if self.beats:
            self.results.append([self.s[p][lane] if lane < lanes else 0 for lane, p in self.port()])
            if self.ends and self.beats == 1:
                self.retired.append(clock + 1)

        # Issue.
        slot, entry, ended = Slot(0, [False] * pixels, 0, 0, False), None, False
        if self.tile and (len(self.todo) > 1 or self.owed <= 1):
            command, tap = self.tile[0], self.todo[0]
            final = len(self.todo) == 1
            fresh = self.todo == self.taps(self.tile)
            ky, kx = tap or (0, 0)
            entry = self.table[command.taps + ky * command.work.fw + kx].tolist()
            beats = -(-command.work.channels // port) if final else 0
            tag = TAP | FIRST * fresh | LAST * final
            ended = final and self.tile[3]
            slot = Slot(tag, self.alive(self.tile, tap), self.tile[2], beats, ended)
            if fresh and self.tile[1] == 0 and not self.engine.fill_port:
                self.started.append(clock)
        taken = not self.tile or slot.tag & LAST
        free = not self.next or (taken and self.next[3])

        # The pipeline, last stage first.
        sums = [
            [self.wrap((0 if four.tag & FIRST else self.acc[p][n]) + self.pr[p][n]) for n in slots]
            for p in places
        ]
        if four.beats:
            self.s, self.ends = sums, four.ends
        elif self.beats > 1:
            zero = [0] * port
            self.s = [(row + zero)[port:] for row in self.s]
        self.beats = four.beats or max(0, self.beats - 1)
        self.acc = sums
        self.pr = [[self.x[p][n] * self.w2[n] for n in slots] for p in places]
        low, high = self.neighbours
        values = [*low, *high][self.shift : self.shift + pixels]
        self.x = [[values[p][n] * two.mask[p] for n in slots] for p in places]
        self.w2, self.w1 = self.w1, self.entry[2:]
        address = one.word + self.entry[0]
        self.read = address if one.tag else None
        self.shift, self.odd = self.entry[1], address & 1 if one.tag else 0
        self.stages = [slot, *self.stages[:3]]
        self.entry = entry or self.entry

        # Issue and generator.
        self.owed = slot.beats or max(0, self.owed - 1)
        self.todo = self.todo[1:] if slot.tag else self.todo
        command = self.load(clock, free, ended)
        if taken:
            self.tile = self.next
            if self.next:
                self.todo = self.taps(self.next)
                if not self.next[3]:
                    first = self.next[1] + pixels
                    self.next, self.row_word = self.start(self.next[0], first)
        if free:
            self.next, self.row_word = self.start(command) if command else (None, 0)

    @property
    def neighbours(self):
        """The two words that were read one clock ago, out of the even and the odd memory."""
        address = self.read
        if address is None:
            return [[[0] * self.engine.lanes] * self.engine.pixels] * 2
        size = 1 << (self.engine.bank_depth - 1).bit_length()
        even, odd = (address + 1) % size // 2, address % size // 2
        banks = (self.word(2 * even), self.word(2 * odd + 1))
        return banks[::-1] if address % 2 else banks

    def word(self, address):
        if address < len(self.maps):
            return self.maps[address].tolist()
        return [[77] * self.engine.lanes] * self.engine.pixels  # what nobody has written

    def wrap(self, total):
        """A sum as the accumulator keeps it."""
        half = 1 << (self.engine.operands.accumulator_bits - 1)
        return (total + half) % (2 * half) - half

    def port(self):
        """Lane and pixel of every value on the result port."""
        return [(n, p) for n in range(self.engine.result_lanes) for p in range(self.engine.pixels)]

    # ---- the fill port ---------------------------------------------------------------------

    def take(self, start):
        """The next command if its pass may start at this clock."""
        if not self.queue or start < self.earliest[0]:
            return None
        self.earliest.pop(0)
        return self.queue.pop(0)

    def load(self, clock, free, ended):
        """The command that the generator can take at the end of this clock.

        Its first tap comes two clocks later: one behind the generator, one behind the issue stage.
        """
        if not self.engine.fill_port:
            return self.take(clock + 2) if free else None
        command, room = None, self.passes <= 1
        if self.loading:
            self.done += self.done < self.beats_of(self.loading)
            self.entries = max(0, self.entries - 1)
            if free and self.done == self.beats_of(self.loading) and not self.entries:
                command, self.loaded, self.loading = self.loading, self.loading, None
        if not self.loading and room and (taken := self.take(clock + 1)):
            self.loading, self.done = taken, 0
            self.entries = taken.work.fh * taken.work.fw
            self.passes += 1
            self.started.append(clock + 1)
        self.passes -= ended
        return command

    def per_word(self, command):
        return -(-command.work.channels * self.engine.pixels // self.engine.fill_port)

    def beats_of(self, command):
        return command.words * self.per_word(command)

    # ---- what is seen ----------------------------------------------------------------------

    @property
    def words(self):
        """int32[result words, values], as they left."""
        return np.array(self.results, np.int32)

    def registers(self):
        def tile(held):
            if not held:
                return Tile(np.zeros(self.engine.pixels), np.zeros(self.engine.pixels), 0)
            y, x = np.array(self.pixels(held)).T
            return Tile(y, x, held[2])

        words = operands = 0
        command = self.loading or self.loaded
        if command:
            part = self.per_word(command)
            words = command.words - self.done // part
            used = self.done % part * self.engine.fill_port
            operands = command.work.channels * self.engine.pixels - used
        one, two, *_ = self.stages
        counters = Counters(
            generator_valid=int(self.next is not None),
            row_word=self.row_word,
            issue_valid=int(self.tile is not None),
            taps_left=len(self.todo),
            drain_left=self.owed,
            beats_left=self.beats,
            loader_valid=int(self.loading is not None),
            words_left=words,
            operands_left=operands,
            fill_taps_left=self.entries,
            passes_held=self.passes,
        )
        grids = (np.array(grid) for grid in (self.x, self.pr, self.acc, self.s))
        weights = np.array(self.w1), np.array(self.w2)
        masks = np.array(one.mask), np.array(two.mask)
        tags = np.array([stage.tag for stage in self.stages])
        return Registers(
            *grids, *weights, *masks, self.shift, self.odd, tags,
            tile(self.next), tile(self.tile), counters,
        )  # fmt: skip

    @property
    def idle(self):
        busy = self.queue, self.loading, self.next, self.tile, self.beats
        return not any(busy) and not any(stage.tag for stage in self.stages)


def run(machine: Machine) -> Iterator[Registers]:
    """The registers at the beginning of every clock from clock 0 on, as long as there is work."""
    for clock in range(-1 if machine.engine.fill_port else -2, 0):
        machine.step(clock)
    clock = 0
    while not machine.idle:
        yield machine.registers()
        machine.step(clock)
        clock += 1
    yield machine.registers()
