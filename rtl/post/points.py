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
    shifts : the shift in either clock; the second one takes its last two bits.
    behind, front : bits of the point.
    """
    none, kept = Const(0, 1), behind + front
    moved = Moved(Cat(Const(0, behind), now.size), none, none)
    for low in reversed(range(2, len(shifts[0]), 2)):
        moved = move(moved, shifts[0][low : low + 2], 1 << low, kept + (1 << low) - 1)
    now = later(m, f"near{n}", **moved._asdict(), negative=now.negative)
    near = Moved(now.bits, now.rest, now.beyond)
    bits, rest, beyond = move(near, shifts[1][:2], 1, kept)
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
    size = Mux(now.beyond, 1 << len(now.front), now.front + now.up)
    return later(m, f"value{n}", value=Mux(now.negative, -size, size)).value
