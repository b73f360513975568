"""The slowest path of a routed design, in the words of the hardware description.

nextpnr names every cell that a signal passes, after flattening and mapping. Cells that belong to
one signal of one part are put together here: a sum of 32 bits is one step, not 16 carries.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple


class Step(NamedTuple):
    """Cells of a path that make one signal of one part.

    part : the instance, by its place in the hierarchy; empty for the top.
    signal : as the Verilog calls it.
    cells : what it goes through, in order.
    logic_ns, routing_ns : in the cells, and on the way to them.
    """

    part: str
    signal: str
    cells: str
    logic_ns: float
    routing_ns: float


def read_path(paths: Sequence[dict[str, Any]], clock: str) -> tuple[Step, ...]:
    """The path between registers of a clock that decides its frequency, of nextpnr's report."""
    edge = f"posedge {clock}"
    (path,) = (each["path"] for each in paths if each["from"] == each["to"] == edge)
    return tuple(
        Step(
            *place,
            _through(hop.kind for hop in hops),
            round(sum(hop.logic_ns for hop in hops), 3),
            round(sum(hop.routing_ns for hop in hops), 3),
        )
        for place, group in groupby(_hops(path), key=lambda hop: (hop.part, hop.signal))
        for hops in [list(group)]
    )


class _Hop(NamedTuple):
    """A cell of a path."""

    part: str
    signal: str
    kind: str
    logic_ns: float
    routing_ns: float


def _hops(path: Sequence[dict[str, Any]]) -> Iterator[_Hop]:
    routing, place = 0.0, ("", "")
    for line in path:
        if line["type"] == "routing":
            routing += line["delay"]
        else:
            place = _place(line["to"]["cell"]) or place
            yield _Hop(*place, _kind(line), line["delay"], routing)
            routing = 0.0


# Yosys names a cell after a signal near it: the signal, what the cell is, and its port, perhaps
# several times over; nextpnr adds what it splits off. Memories end in the numbers of their blocks.
_CELLS = "LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS_FF|TRELLIS_DPR16X4|MULT18X18D|DP16KD"
_ADDED = re.compile(rf"(_({_CELLS})_|\$).*|(\.\d+)+(_DO[AB]?\d+.*)?$")


def _place(cell: str) -> tuple[str, str] | None:
    """Part and signal of a cell; None for one that has the name of no signal."""
    part, _, signal = _ADDED.sub("", cell).rpartition(".")
    return (part, signal) if signal else None


# Kinds of cells by the ports that they drive, and what a path ends in by its port.
_DRIVES = (
    (r"Q\d?", "register"),
    (r"F\d?", "LUT"),
    (r"OFX\d?", "multiplexer"),
    (r"FCO", "carry"),
    (r"DO[AB]?\d+", "block RAM"),
    (r"P\d+", "multiplier"),
)
_ENDS = (
    (r"DI\d?|M\d?", "into a register"),
    (r"CE", "into the enable of a register"),
    (r"LSR", "into the reset of a register"),
    (r"(AD|DI)[AB]\d+|(WE|CE|OCE|CS|RST)[AB]\d?", "into a block RAM"),
    (r"[AB]\d+", "into a multiplier"),
)


def _kind(line: dict[str, Any]) -> str:
    """What a cell is, by the ports that the path takes."""
    port = line["to"]["port"]
    if line["type"] == "setup":
        return _named(_ENDS, port) or f"into {port}"
    return "carry" if line["from"]["port"] == "FCI" else _named(_DRIVES, port) or port


def _named(patterns: Iterable[tuple[str, str]], port: str) -> str | None:
    return next((name for pattern, name in patterns if re.fullmatch(pattern, port)), None)


_PLURALS = {"carry": "carries"}


def _through(kinds: Iterable[str]) -> str:
    """Kinds of cells in order, with how many follow each other."""
    words = []
    for kind, group in groupby(kinds):
        number = len(list(group))
        words.append(kind if number == 1 else f"{number} {_PLURALS.get(kind, f'{kind}s')}")
    return ", ".join(words)
