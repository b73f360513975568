"""The depthwise engine clock by clock in plain Python, one register after another.

Slow and obvious: pixels by division, kernel positions by trying them all, operands from an even
and an odd memory, as the engine's description says and not as the simulation does it. It also
knows what late commands, late words of a fill port and a slow reader do, and counts as a core does.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from accelsim.engines.depthwise.cycle import (
    FIRST,
    LAST,
    PIPELINE,
    TAP,
    Counters,
    Registers,
    Tile,
)
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode, DepthwisePass


class Slot(NamedTuple):
    """A clock of the issue stage, as it goes down the pipeline; `ends` a pass."""

    tag: int
    mask: list[bool]
    word: int
    beats: int
    ends: bool


class Host(NamedTuple):
    """Clocks in which words crossed the ports of a core, stream by stream; None for in time.

    A command can be used from the second clock on, and a word of a fill port from the next; the
    place of a result word is free for a tap from the sixth one on.
    """

    commands: list[int] | None = None
    maps: list[int] | None = None
    taps: list[int] | None = None
    results: list[int] | None = None


IN_TIME = Host()


class Stream:
    """What comes in through a fill port on one stream: so many words for pass after pass.

    at : the pass that is being filled.  left : words of it that have not come.
    ended : the clocks in which passes had all of theirs.
    """

    def __init__(self, counts, crossed):
        self.counts, self.crossed = counts, crossed
        self.at = self.taken = 0
        self.left = 0
        self.ended = []
        self.dry = False

    def step(self, clock, passes):
        """A clock, with so many passes begun."""
        if self.at < passes and not self.left:
            self.left = self.counts[self.at]
        there = self.crossed is None or (
            self.taken < len(self.crossed) and self.crossed[self.taken] < clock
        )
        self.dry = self.at < passes and not there
        if self.at < passes and there:
            self.taken += 1
            self.left -= 1
            if not self.left:
                self.ended.append(clock)
                self.at += 1

    def over(self, passes):
        """None of these passes is without all of its words."""
        return self.at == passes


class Machine:
    """All registers, and what has left the result port.

    Clock 0 is the first one in which the first pass may start, as if nothing waited.

    earliest : clocks before which passes do not start, since they wait for other units.
    started, retired : clocks of the passes that have, in order.
    busy, stalls : clocks from the first start to the last result, and those among them in which a
        command, a word of a fill or room for results was missing.
    """

    def __init__(self, engine, commands, maps, taps, earliest=None, host=IN_TIME, reserved=0):
        self.engine, self.maps, self.table, self.host = engine, maps, taps, host
        fields = len(DepthwisePass._fields)
        self.queue = [
            DepthwiseCommand(DepthwisePass(*row[:fields]), *row[fields:])
            for row in commands.tolist()
        ]
        self.earliest = [0] * len(self.queue) if earliest is None else list(earliest)
        self.results, self.started, self.retired = [], [], []
        grid = [[0] * engine.lanes for _ in range(engine.pixels)]
        self.value = self.x = self.pr = self.term = self.acc = self.s = grid
        self.passes_of_sequence = list(self.queue)
        self.raw = self.entry = [0] * (2 + engine.lanes)
        self.weights = [[0] * engine.lanes] * 6  # behind the entry, the last at the multipliers
        self.shifts, self.odds = [0] * 4, [0] * 4
        self.low = self.high = grid  # words that were read, where they are shifted
        self.block = grid, grid  # and behind the memories
        self.beats = self.owed = self.passes = self.row_word = 0
        self.busy = self.stalls = 0
        self.reserved = reserved  # result words, those of earlier sequences included
        self.stages = [Slot(0, [False] * engine.pixels, 0, 0, False)] * PIPELINE
        self.ends = False  # the results that leave end a pass
        self.next = self.tile = None  # (command, first output, place, whether it ends its pass)
        self.todo = []  # taps of `tile` that are not issued yet
        self.address = self.read = None  # first words of those to read, and that were read
        beats = [command.words * command.parts for command in self.queue]
        self.map_stream = Stream(beats, host.maps)
        self.tap_stream = Stream([command.entries for command in self.queue], host.taps)
        self.released = False
        self.handed = 0  # passes behind a fill port that the generator has taken

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
        added = self.stages[-1]

        # The result port.
        if self.beats:
            self.results.append([self.s[p][lane] if lane < lanes else 0 for lane, p in self.port()])
            if self.ends and self.beats == 1:
                self.retired.append(clock + 1)

        # Issue.
        slot, entry, ended, crowded = Slot(0, [False] * pixels, 0, 0, False), None, False, False
        missing = not self.engine.fill_port and not self.tile and self.command_is_missing(clock)
        if self.tile and (len(self.todo) > 1 or self.owed <= 1):
            command, tap = self.tile[0], self.todo[0]
            final = len(self.todo) == 1
            crowded = final and not self.room(clock)
        if self.tile and (len(self.todo) > 1 or self.owed <= 1) and not crowded:
            fresh = self.todo == self.taps(self.tile)
            ky, kx = tap or (0, 0)
            entry = self.table[command.taps + ky * command.work.fw + kx].tolist()
            beats = -(-command.work.channels // port) if final else 0
            tag = TAP | FIRST * fresh | LAST * final
            ended = final and self.tile[3]
            self.reserved += beats
            slot = Slot(tag, self.alive(self.tile, tap), self.tile[2], beats, ended)
            if fresh and self.tile[1] == 0 and not self.engine.fill_port:
                self.started.append(clock)
        taken = not self.tile or slot.tag & LAST
        free = not self.next or (taken and self.next[3])

        # The pipeline, last stage first.
        sums = [[self.wrap(self.acc[p][n] + self.term[p][n]) for n in slots] for p in places]
        if added.beats:
            self.s, self.ends = sums, added.ends
        elif self.beats > 1:
            zero = [0] * port
            self.s = [(row + zero)[port:] for row in self.s]
        self.beats = added.beats or max(0, self.beats - 1)
        starts = self.stages[-2].tag & FIRST  # with the next term
        self.acc = [[0] * lanes for _ in places] if starts else sums
        self.term = self.pr
        self.pr = [[self.x[p][n] * self.weights[-1][n] for n in slots] for p in places]
        values = [*self.low, *self.high][self.shifts[-1] : self.shifts[-1] + pixels]
        mask = self.stages[5].mask
        self.x = self.value
        self.value = [[values[p][n] * mask[p] for n in slots] for p in places]
        self.low, self.high = self.block
        self.block = self.neighbours
        self.read = self.address
        address = self.stages[1].word + self.entry[0]
        self.address = address if self.stages[1].tag else None
        self.shifts = [self.entry[1], *self.shifts[:-1]]
        self.odds = [address & 1 if self.stages[1].tag else 0, *self.odds[:-1]]
        self.weights = [self.entry[2:], *self.weights[:-1]]
        self.entry = self.raw
        self.raw = entry or self.raw
        self.stages = [slot, *self.stages[:-1]]

        # Issue and generator.
        self.owed = slot.beats or max(0, self.owed - 1)
        self.todo = self.todo[1:] if slot.tag else self.todo
        command, dry = self.load(clock, free, ended)
        if taken:
            self.tile = self.next
            if self.next:
                self.todo = self.taps(self.next)
                if not self.next[3]:
                    first = self.next[1] + pixels
                    self.next, self.row_word = self.start(self.next[0], first)
        if free:
            self.next, self.row_word = self.start(command) if command else (None, 0)

        # Counters.
        if self.started and self.started[0] <= clock and not self.is_over(clock):
            self.busy += 1
            self.stalls += missing or crowded or dry

    def is_over(self, clock):
        """The last result left before this clock."""
        return len(self.retired) == len(self.passes_of_sequence) and self.retired[-1] <= clock

    def room(self, clock):
        """The result memory has room for a tile of all lanes."""
        if self.host.results is None:
            return True
        most = -(-self.engine.lanes // self.engine.result_lanes)
        handed = sum(at < clock - 5 for at in self.host.results)
        return self.reserved + most <= self.engine.result_depth + handed

    def command_is_missing(self, clock):
        """Nothing is there to start with, since the command of the next pass came too late."""
        number, crossed = len(self.started), self.host.commands
        if crossed is None or number == len(self.passes_of_sequence):
            return False
        return clock < crossed[number] + 2 + self.engine.lead

    @property
    def neighbours(self):
        """The two words that were read in the clock before, out of the even and the odd memory."""
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
        number, crossed = len(self.passes_of_sequence) - len(self.queue), self.host.commands
        ahead = 1 if self.engine.fill_port else self.engine.lead
        if crossed is not None and start < crossed[number] + 2 + ahead:
            return None
        self.earliest.pop(0)
        return self.queue.pop(0)

    def load(self, clock, free, ended):
        """The command that the generator can take at the end of this clock; what is missing.

        Its first tap comes two clocks later: one behind the generator, one behind the issue stage.
        """
        if not self.engine.fill_port:
            return self.take(clock + 2) if free else None, False
        begun, command = len(self.started), None
        maps, taps = self.map_stream, self.tap_stream
        for stream in (maps, taps):
            stream.step(clock, begun)
        # The first tap comes six clocks behind the last word, at least.
        filled = min(sum(at <= clock - 5 for at in ended) for ended in (maps.ended, taps.ended))
        made = self.engine.lead - 2  # from the start of a pass to where it can be taken
        if free and self.handed < filled and clock >= self.started[self.handed] + made:
            command = self.passes_of_sequence[self.handed]
            self.handed += 1
        room, over = self.passes <= 1, (maps.over(begun), taps.over(begun))
        dry = maps.dry or taps.dry
        goes_on = all(over) or (over[0] and taps.dry) or (over[1] and maps.dry)
        if room and goes_on:
            if self.take(clock + 1):
                self.passes += 1
                self.started.append(clock + 1)
            elif all(over) and self.queue and clock + 1 >= self.earliest[0]:
                dry = True
        self.passes -= self.released
        self.released = ended
        return command, dry

    # ---- what is seen ----------------------------------------------------------------------

    @property
    def words(self):
        """int32[result words, values], as they left."""
        return np.array(self.results, np.int32)

    @property
    def grids(self):
        """Registers of every pixel and lane."""
        return self.value, self.x, self.pr, self.term, self.acc, self.s

    def registers(self):
        def tile(held):
            if not held:
                return Tile(np.zeros(self.engine.pixels), np.zeros(self.engine.pixels), 0)
            y, x = np.array(self.pixels(held)).T
            return Tile(y, x, held[2])

        words = parts = 0
        filling = self.map_stream.at
        if self.engine.fill_port and self.started:
            command = self.passes_of_sequence[min(filling, len(self.started) - 1)]
            parts = command.parts
            if filling < len(self.started):
                left = self.map_stream.left or command.words * parts
                words, parts = -(-left // parts), (left - 1) % parts + 1
        entries = self.tap_stream.left
        if self.tap_stream.at < len(self.started) and self.engine.fill_port:
            entries = entries or self.passes_of_sequence[self.tap_stream.at].entries
        counters = Counters(
            generator_valid=int(self.next is not None),
            row_word=self.row_word,
            issue_valid=int(self.tile is not None),
            taps_left=len(self.todo),
            drain_left=self.owed,
            beats_left=self.beats,
            words_left=words,
            parts_left=parts,
            entries_left=entries,
            passes_held=self.passes,
        )
        grids = (np.array(grid) for grid in self.grids)
        masks = np.array([stage.mask for stage in self.stages[:6]])
        tags = np.array([stage.tag for stage in self.stages])
        return Registers(
            *grids, np.array([self.entry[2:], *self.weights]), masks,
            np.array(self.shifts), np.array(self.odds), tags,
            tile(self.next), tile(self.tile), counters,
        )  # fmt: skip

    @property
    def idle(self):
        filling = self.engine.fill_port and self.handed < len(self.started)
        busy = self.queue, filling, self.next, self.tile, self.beats
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
