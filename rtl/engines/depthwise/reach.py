"""Which taps of a tile meet the map."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import COORDINATE_BITS, place_layout, reach_layout
from rtl.lib.layout import address_bits
from rtl.lib.pipeline import later


class Reach(wiring.Component):
    """Kernel rows and columns of a tile, `latency` clocks after it was given; one in every clock.

    They follow from the smallest rectangle that holds the tile: whole rows of outputs, where it
    spans several. Along an axis from `low` to `high`, kernel position k meets the map if
    k dilation >= padding - high and k dilation <= size - 1 + padding - low; so the first and the
    last one are quotients by the dilation. They come bit by bit, the highest first, a stage for
    each; and with every bit of the first one so many dilations, and kernel rows, are counted.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__({"place": In(place_layout(engine)), "reach": Out(reach_layout(engine))})
        self._bits = engine.max_kernel.bit_length()  # of a quotient
        # Of what is divided; beyond it, every kernel has ended.
        self._number_bits = (engine.max_kernel * engine.max_dilation).bit_length()

    @property
    def latency(self) -> int:
        """Clocks: the rectangle, the bits of the quotients, and what follows from them."""
        return 4 + self._bits + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        y, x = self._rectangle(m)
        for bit in reversed(range(self._bits)):
            y, x = _divide(m, f"y_{bit}", y, bit), _divide(m, f"x_{bit}", x, bit)
        first_y, first_x = (
            later(m, f"{name}_first", **_moved(axis, 0)) for name, axis in (("y", y), ("x", x))
        )
        y, x = (later(m, f"{name}_ends", **_ends(axis)) for name, axis in (("y", y), ("x", x)))
        met = y.met & x.met
        m.d.sync += [
            self.reach.y.eq(first_y.edge),
            self.reach.x.eq(first_x.edge),
            self.reach.entry.eq(Mux(met, first_y.entry + first_x.entry, 0)),
            self.reach.rows.eq(Mux(met, _behind(y), -2)),
            self.reach.columns.eq(Mux(met, _behind(x), -2)),
            self.reach.met.eq(met),
        ]
        return m

    def _rectangle(self, m: Module) -> tuple[SimpleNamespace, SimpleNamespace]:
        """What is divided for a tile, by rows and by columns, in the fields of `_divide`."""
        place, work = self.place, self.place.command.work
        sizes = {name: work[name] for name in ("fh", "dh", "pt", "fw", "dw", "pl")}
        ends = {name: place.command[name] for name in ("bottom", "right")}
        tile = later(
            m, "tile", y=place.y, x=place.x, ahead_y=place.ahead_y, ahead_x=place.ahead_x,
            h=work.h, w=work.w, sh=work.sh, sw=work.sw, wrap=place.command.wrap, **sizes, **ends,
        )  # fmt: skip
        new_row = tile.ahead_x == 0  # begins behind the last pixel
        corners = later(
            m, "corners", y=tile.y, x=tile.x,
            last_y=Mux(new_row, tile.ahead_y - tile.sh, tile.ahead_y)[:COORDINATE_BITS],
            last_x=Mux(new_row, tile.wrap - tile.sw, tile.ahead_x - tile.sw)[:COORDINATE_BITS],
            y_before=tile.pt + tile.dh - 1, y_room=tile.h + tile.pt - 1,
            x_before=tile.pl + tile.dw - 1, x_room=tile.w + tile.pl - 1,
            **_named(tile, *sizes, *ends),
        )  # fmt: skip
        beyond = corners.last_y > corners.bottom
        one_row = Mux(beyond, corners.y == corners.bottom, corners.y == corners.last_y)
        where = later(
            m, "where", beyond=beyond, one_row=one_row,
            first_outside=corners.x > corners.right, last_outside=corners.last_x > corners.right,
            **_named(corners, "y", "x", "last_y", "last_x", "y_before", "y_room", "x_before",
                     "x_room", *sizes, *ends),
        )  # fmt: skip
        low = Mux(where.beyond, where.bottom, where.last_y)
        left = Mux(where.one_row, Mux(where.first_outside, where.right, where.x), 0)
        ends_inside = where.one_row & ~where.beyond & ~where.last_outside
        right = Mux(ends_inside, where.last_x, where.right)
        found = later(
            m, "found", y_before=where.y_before - low, y_room=where.y_room - where.y,
            x_before=where.x_before - right, x_room=where.x_room - left, **_named(where, *sizes),
        )  # fmt: skip
        entry = Const(0, address_bits(self.engine.tap_depth))
        y = self._axis(found.y_before, found.y_room, found.fh, found.dh, found.pt)
        x = self._axis(found.x_before, found.x_room, found.fw, found.dw, found.pl)
        return (
            SimpleNamespace(**y, entry=entry, entries=found.fw),
            SimpleNamespace(**x, entry=entry, entries=Const(1)),
        )

    def _axis(
        self, before: Value, room: Value, kernel: Value, dilation: Value, padding: Value
    ) -> dict[str, Value]:
        """The fields of `_divide` along an axis, before the first stage."""
        before, room, inside = (
            _clamped(before, self._number_bits),
            _clamped(room, self._number_bits),
            room >= 0,
        )
        nothing = Const(0, 0)
        return {
            "before": before, "room": room, "first": nothing, "last": nothing, "kernel": kernel,
            "back": (-dilation)[: len(dilation) + 1].as_signed(), "edge": padding, "inside": inside,
        }  # fmt: skip


def _divide(m: Module, stage: str, axis: SimpleNamespace, bit: int) -> SimpleNamespace:
    """A bit of the quotients along an axis, a clock later.

    before, room : what is left of the dividends.  back : the divisor, below zero.
    first, last : bits of the quotients, the positions that meet the map, and `inside`: there are.
    edge, entry : first pixel for which the first one is in the map, its entry in the tap memory,
        by its bits but the last one, which is added a clock later; `entries` to a position.
    """
    skipped, reached = axis.before + (axis.back << bit), axis.room + (axis.back << bit)
    skips, reaches = skipped >= 0, reached >= 0
    moved = _moved(axis, bit + 1)
    return later(
        m, stage,
        before=Mux(skips, skipped, axis.before)[: len(axis.before)],
        room=Mux(reaches, reached, axis.room)[: len(axis.room)],
        first=Cat(skips, axis.first), last=Cat(reaches, axis.last),
        **moved, **_named(axis, "back", "kernel", "entries", "inside"),
    )  # fmt: skip


def _moved(axis: SimpleNamespace, bit: int) -> dict[str, Value]:
    """Edge and entry along an axis, with the last bit of `first` that is known, which is `bit`."""
    if not len(axis.first):
        return _named(axis, "edge", "entry")
    skips = axis.first[0]
    edge = Mux(skips, axis.edge + (axis.back << bit), axis.edge)
    entry = Mux(skips, axis.entry + (axis.entries << bit), axis.entry)
    return {
        "edge": edge[:COORDINATE_BITS].as_signed(),
        "entry": entry[: len(axis.entry)],
    }


def _ends(axis: SimpleNamespace) -> dict[str, Value]:
    """Whether any position meets the map, and what tells how many."""
    return {
        "met": axis.inside & (axis.first <= axis.last) & (axis.first < axis.kernel),
        "last_in_map": axis.last < axis.kernel,
        "end": axis.kernel - 2,
        "last": axis.last - 1,
        "first": axis.first,
    }


def _behind(axis: SimpleNamespace) -> Value:
    """Positions behind the first but two, to the last that meets the map or ends the kernel."""
    less = (~Cat(axis.first, Const(0, 1))).as_signed()  # -first - 1
    return Mux(axis.last_in_map, axis.last + less, axis.end + less)


def _clamped(number: Value, bits: int) -> Value:
    """A signed number in so many bits without a sign; 0 where it is below."""
    above = number[bits:-1].any()
    return Mux(number[-1], 0, Mux(above, (1 << bits) - 1, number[:bits]))[:bits]


def _named(stage: SimpleNamespace, *names: str) -> dict[str, Value]:
    """Some registers of a stage by their names."""
    return {name: getattr(stage, name) for name in names}
