"""Which taps of a tile meet the map."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import COORDINATE_BITS, place_layout, reach_layout
from rtl.lib.layout import address_bits
from rtl.lib.pipeline import later, less


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
        return 7 + self._bits + 3

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
        found = later(
            m, "found", y=first_y.edge, x=first_x.edge, met=met, end=x.end,
            entry=Mux(met, first_y.entry + first_x.entry, 0),
            rows=Mux(met, _behind(y), -2), columns=Mux(met, _behind(x), -2),
        )  # fmt: skip
        counts, where = self.reach.counts, self.reach.where
        one_row, one_column = _is_lowest(found.rows), _is_lowest(found.columns)
        m.d.sync += [
            *(counts[name].eq(getattr(found, name)) for name in ("rows", "columns")),
            counts.one_row.eq(one_row),
            counts.one_column.eq(one_column),
            counts.one.eq(one_row & one_column),
            *(where[name].eq(getattr(found, name)) for name in ("y", "x", "entry", "met")),
            where.row_gap.eq(found.end - found.columns),
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
        # Ahead is the pixel behind the last one, which may be in that row or ends the one above.
        steps = later(
            m, "steps", new_row=tile.ahead_x == 0, ahead_y=tile.ahead_y,
            above=(tile.ahead_y - tile.sh)[:COORDINATE_BITS],
            before=(tile.ahead_x - tile.sw)[:COORDINATE_BITS],
            row_end=(tile.wrap - tile.sw)[:COORDINATE_BITS],
            y_pad=tile.pt + tile.dh, x_pad=tile.pl + tile.dw,
            y_size=tile.h + tile.pt, x_size=tile.w + tile.pl,
            **_named(tile, "y", "x", *sizes, *ends),
        )  # fmt: skip
        corners = later(
            m, "corners",
            last_y=Mux(steps.new_row, steps.above, steps.ahead_y),
            last_x=Mux(steps.new_row, steps.row_end, steps.before),
            y_before=steps.y_pad - 1, y_room=steps.y_size - 1,
            x_before=steps.x_pad - 1, x_room=steps.x_size - 1,
            **_named(steps, "y", "x", *sizes, *ends),
        )  # fmt: skip
        kept = ("y_before", "y_room", "x_before", "x_room", "y", *sizes)
        compared = later(
            m, "compared", beyond=less(corners.bottom, corners.last_y),
            at_bottom=corners.y == corners.bottom, at_last=corners.y == corners.last_y,
            first_outside=less(corners.right, corners.x),
            last_outside=less(corners.right, corners.last_x),
            **_named(corners, "x", "last_y", "last_x", *kept, *ends),
        )  # fmt: skip
        one_row = Mux(compared.beyond, compared.at_bottom, compared.at_last)
        first = Mux(compared.first_outside, compared.right, compared.x)
        ends_inside = compared.at_last & ~compared.beyond & ~compared.last_outside
        rectangle = later(
            m, "rectangle",
            low=Mux(compared.beyond, compared.bottom, compared.last_y),
            left=Mux(one_row, first, 0),
            right=Mux(ends_inside, compared.last_x, compared.right),
            **_named(compared, *kept),
        )  # fmt: skip
        room = later(
            m, "room", y_before=rectangle.y_before - rectangle.low,
            y_room=rectangle.y_room - rectangle.y, x_before=rectangle.x_before - rectangle.right,
            x_room=rectangle.x_room - rectangle.left, **_named(rectangle, *sizes),
        )  # fmt: skip
        y = self._axis(m, "y", room.y_before, room.y_room, room.fh, room.dh, room.pt)
        x = self._axis(m, "x", room.x_before, room.x_room, room.fw, room.dw, room.pl)
        entry = Const(0, address_bits(self.engine.tap_depth))
        y.entry = x.entry = entry
        y.entries, x.entries = x.kernel, Const(1)
        return y, x

    def _axis(
        self, m: Module, name: str, before: Value, room: Value,
        kernel: Value, dilation: Value, padding: Value,
    ) -> SimpleNamespace:  # fmt: skip
        """The fields of `_divide` along an axis but its entries, before the first stage."""
        axis = later(
            m, f"{name}_axis", before=_clamped(before, self._number_bits),
            room=_clamped(room, self._number_bits), inside=room >= 0, kernel=kernel,
            back=(-dilation)[: len(dilation) + 1].as_signed(), edge=padding,
        )  # fmt: skip
        axis.first = axis.last = Const(0, 0)
        return axis


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
        "met": axis.inside & ~less(axis.last, axis.first) & less(axis.first, axis.kernel),
        "last_in_map": axis.last < axis.kernel,
        "end": axis.kernel - 2,
        "last": axis.last - 1,
        "first": axis.first,
    }


def _behind(axis: SimpleNamespace) -> Value:
    """Positions behind the first but two, to the last that meets the map or ends the kernel."""
    back = (~Cat(axis.first, Const(0, 1))).as_signed()  # -first - 1
    return Mux(axis.last_in_map, axis.last + back, axis.end + back)


def _clamped(number: Value, bits: int) -> Value:
    """A signed number in so many bits without a sign; 0 where it is below."""
    above = number[bits:-1].any()
    return Mux(number[-1], 0, Mux(above, (1 << bits) - 1, number[:bits]))[:bits]


def _named(stage: SimpleNamespace, *names: str) -> dict[str, Value]:
    """Some registers of a stage by their names."""
    return {name: getattr(stage, name) for name in names}


def _is_lowest(less: Value) -> Value:
    """A number of rows or columns, of which the lowest is -2, is that."""
    return less[-1] & ~less[0]
