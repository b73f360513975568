"""From magnitudes to integers: shifted to their binary point, then rounded, in a pipeline."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Value

from rtl.lib.pipeline import later
from rtl.post.rounding import Moved, Point, move


def pointed(
    m: Module, n: str, now: SimpleNamespace, shifts: tuple[Value, Value], behind: int, front: int
) -> SimpleNamespace:
    """A Point, whether more is in front of it (`beyond`), and the sign, in two clocks.

    now : size, over 2**shift, and whether it is that of something negative.
    shifts : the shift in either clock; the first one takes its highest two bits.
    behind, front : bits of the point.
    """
    none, kept = Const(0, 1), behind + front
    first, *others = reversed(range(0, len(shifts[0]), 2))
    start = Moved(Cat(Const(0, behind), now.size), none, none)
    moved = move(start, shifts[0][first:], 1 << first, kept + (1 << first) - 1)
    now = later(m, f"near{n}", **moved._asdict(), negative=now.negative)
    moved = Moved(now.bits, now.rest, now.beyond)
    for low in others:
        moved = move(moved, shifts[1][low : low + 2], 1 << low, kept + (1 << low) - 1)
    bits, rest, beyond = moved
    return later(
        m, f"pointed{n}", fraction=bits[:behind], front=bits[behind:], rest=rest, beyond=beyond,
        negative=now.negative,
    )  # fmt: skip


def point(now: SimpleNamespace) -> Point:
    """The Point of what has one."""
    return Point(now.front, now.fraction, now.rest)


def rounded(m: Module, n: str, now: SimpleNamespace, up: Value) -> Value:
    """The integer, in two clocks: whether it is the next one, and which."""
    now = later(m, f"up{n}", front=now.front, up=up, beyond=now.beyond, negative=now.negative)
    negative, bits, most = now.negative, len(now.front) + 2, 1 << len(now.front)
    # One addition does: -(front + up) is ~front + 1 - up.
    turned = Cat(now.front, Const(0, 2)) ^ negative.replicate(bits)
    near = (turned + (negative ^ now.up))[:bits].as_signed()
    value = Mux(now.beyond, Mux(negative, -most, most), near)
    return later(m, f"value{n}", value=value).value
