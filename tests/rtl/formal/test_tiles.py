"""Every command becomes its tiles, one in a clock where there is room, and each lies where it does.

Shown for so many clocks after reset, with small maps; the pixels are stepped through one by one.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from accelsim.hardware import DepthwiseEngine
from accelsim.passes.depthwise import NO_WRAP
from rtl.engines.depthwise import tiles
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import past
from tests.rtl.mutants import Mutant, load

PIXELS = 2
ENGINE = DepthwiseEngine(1, PIXELS)
CLOCKS = 9
# A pass in outputs, and its first word in the banks; a pitch that is not 0 is that of mode flat.
PASS = data.StructLayout({"oh": 2, "ow": 3, "pitch": 3, "sh": 2, "sw": 2, "row_words": 2, "map": 3})


class Tiles(wiring.Component):
    """Any passes at any time, and room at any time."""

    def __init__(self, dut):
        self.dut = dut
        super().__init__({"work": In(PASS), "valid": In(1), "room": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        extents, work = dut.extents, self.work
        self._offer(m, work, past(m, work.as_value()))
        # The pass whose tiles are made, its tile by its first pixel, and the words behind the map.
        of = Signal(PASS)
        there, first = Signal(), Signal()
        oy, ox, index = Signal(3), Signal(4), Signal(5)
        places = self._pixels(of, oy, ox)
        (next_oy, next_ox), flat = places[-1], of.pitch != 0
        ends_row = ~flat & (ox + PIXELS >= of.ow)
        last = (oy + 1 == of.oh) & (ox + PIXELS >= of.ow)
        # A tile of mode flat may also end behind the last row, or begin between two.
        last |= flat & (next_oy >= of.oh)
        last |= flat & (next_oy + 1 == of.oh) & (next_ox >= of.ow)
        takes = self.valid & extents.ready
        m.d.comb += [
            extents.valid.eq(self.valid),
            dut.room.eq(self.room),
            Assert(extents.ready == (~there | (self.room & last))),
            Assert(dut.sent == (there & self.room)),
        ]
        with m.If(dut.sent):
            m.d.sync += [
                first.eq(0),
                oy.eq(Mux(ends_row, oy + 1, next_oy)),
                ox.eq(Mux(ends_row, 0, next_ox)),
                index.eq(index + 1),
            ]
        with m.If(extents.ready):
            m.d.sync += [
                there.eq(takes),
                first.eq(1),
                of.eq(work),
                oy.eq(0),
                ox.eq(0),
                index.eq(0),
            ]
        word = of.map + Mux(flat, index, oy * of.row_words + (ox >> 1))
        place, was = dut.place, past(m, dut.sent)
        lies = {
            "begins": first,
            "ends": last,
            "word": word[: len(place.word)],
            "y": oy * of.sh,
            "x": ox * of.sw,
            "ahead_y": next_oy * of.sh,
            "ahead_x": next_ox * of.sw,
        }
        m.d.comb += [Assert(~was | (place[name] == past(m, value))) for name, value in lies.items()]
        m.d.comb += [
            Cover(was & place.ends & ~place.begins & past(m, flat & (oy == 1))),
            Cover(takes & there & ~flat & (oy == 1)),
        ]
        return m

    def _offer(self, m, work, taken):
        """What is decided of a pass, and its command a clock later."""
        extent, kept = self.dut.extents.payload, self.dut.command
        flat = work.pitch != 0
        outputs = Mux(flat, (work.oh - 1) * work.pitch + work.ow, work.ow)
        row_tiles = (outputs + 1) >> 1
        before = data.View(PASS, taken)
        pitch, command = before.pitch, kept.command
        m.d.comb += [
            *(Assume(work[name] != 0) for name in ("oh", "ow", "sh", "sw")),
            Assume(~flat | (work.pitch >= work.ow)),
            extent.one_row.eq(flat | (work.oh == 1)),
            extent.one_tile.eq(row_tiles == 1),
            extent.tiles_left.eq(row_tiles - 3),
            extent.rows_left.eq(work.oh - 3),
            *(command.work[name].eq(before[name]) for name in ("sh", "sw")),
            command.map.eq(before.map),
            command.row_words.eq(before.row_words),
            command.wrap.eq(Mux(pitch == 0, NO_WRAP, pitch * before.sw)),
            # Whole rows of two pixels, and pixels beyond them.
            command.stride_y.eq(Mux(pitch == 1, 2, pitch == 2) * before.sh),
            command.stride_x.eq(Mux((pitch == 1) | (pitch == 2), 0, PIXELS) * before.sw),
            kept.over_y.eq(command.stride_y + command.work.sh),
            kept.over_x.eq(command.stride_x - command.wrap),
        ]

    def _pixels(self, of, oy, ox):
        """Row and column of every pixel of a tile, and of the one behind it."""
        places = [(oy, ox)]
        for _ in range(PIXELS):
            y, x = places[-1]
            wraps = x + 1 == of.pitch
            places.append((y + wraps, Mux(wraps, 0, x + 1)))
        return places


MUTANTS = (
    Mutant("a row of tiles too few", "in_last_row.eq(rows_left < 0)", "in_last_row.eq(1)"),
    Mutant("rows of one tile", "ends_row.eq(one_tile)", "ends_row.eq(1)"),
    Mutant(
        "a command over the last tile",
        "take.eq(~valid | (self.room & ends))",
        "take.eq(~valid | ends)",
    ),
    Mutant("a tile without room", "self.sent.eq(valid & self.room)", "self.sent.eq(valid)"),
    Mutant("rows go on with the column", "Mux(goes_on, place.ahead_x, 0)", "place.ahead_x"),
    Mutant("a wrap without a row", "Mux(wraps, wrapped_y, ahead_y)", "ahead_y"),
)


@pytest.mark.full
def test_tiles_and_where_they_lie():
    prove(Tiles(tiles.TileGenerator(ENGINE)), CLOCKS, induction=0)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(tiles, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Tiles(twin.TileGenerator(ENGINE)), CLOCKS, induction=0)
