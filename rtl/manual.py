"""The page that documents a core: its ports, the format of its commands, and their timing."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode
from rtl.ports import Field, payload, ports

# What no type can say: the meaning of a field of a command.
MEANINGS = {
    "work.opcode": ", ".join(f"{opcode.value} {opcode.name.lower()}" for opcode in Opcode),
    "work.m": "rows of results (os, rows); words streamed past the stationary tile (ws, is)",
    "work.n": "columns of results; windows per fire (rows)",
    "work.k": "products per sum (os); rows of the tile (ws, is); values per stream (rows)",
    "work.taps": "taps of a stream (rows), else 0",
    "work.streams": "streams summed into one result (rows), else 1",
    "work.fires": "groups of n windows on one stream (rows), else 1",
    "work.accumulate": "1 adds word t of the accumulators to result t (ws, is)",
    "work.emit": "1 sends results to the result port, 0 writes them to the accumulators (ws, is)",
    "left": "address of the first word in the row banks",
    "top": "address of the first word in the column banks",
    "last": "1 ends the sequence",
}


class Mode(NamedTuple):
    """How a mode uses the ports; formulas in the fields of a command, R rows and C columns.

    alone : busy cycles of a pass that is a sequence by itself.
    interval : further busy cycles for each further pass like it.
    """

    name: str
    left: str
    top: str
    results: str
    alone: str
    interval: str


MODES = (
    Mode("os", "k", "k", "m", "k + R + m + n - 2", "max(k, m)"),
    Mode("ws, is", "m", "k", "m * emit", "k + R + m + n", "max(k, m)"),
    Mode(
        "rows",
        "streams * (taps + k) + (fires - 1) * n",
        "0",
        "fires * m",
        "streams * (taps + k) + (fires - 1) * n + R + m + n - 2",
        "(fires - 1) * n + max(streams * (taps + k), m)",
    ),
)

ORDER = """\
- **os**: row r of the result is computed in array row R - m + r. Left word b holds A[r, b] at
  operand R - m + r, top word b holds B[b, c] at operand c, b = 0 .. k - 1. Result word q holds row
  m - 1 - q: the last row leaves first.
- **ws, is**: top word b holds row k - 1 - b of the stationary tile W. Left word t holds X[t, i] at
  operand i, i = 0 .. k - 1; operands from k on are ignored. Result word t holds the sums over i of
  X[t, i] W[i, c], and word t of the accumulators where `accumulate` is 1.
- **rows**: array rows R - m .. R - 1 work. Left words: for each stream its taps, tap 0 first, then
  its k values; with more fires, n further values for each. Window o of fire f is the sum over t of
  tap[t] x[k - n - taps + 1 + f n + o + t], where x[0] is the first value and x is zero before it;
  windows of several streams are summed. Result words of a fire: row m - 1 first; column c holds
  window n - 1 - c.
"""

TIMING = """\
Busy cycles are counted from the first operand at a port of the array to the last result,
inclusive; clocks spent waiting for the host are counted apart. R is {rows}.

{table}

{mixed}"""

OVERLAPPED = """\
Passes overlap. With `load` the left words of an os or rows pass and `drain` = m, such passes
capture their results max(load of the later, drain of the earlier) clocks apart, in any mix. A
stationary tile loads behind the stream of the tile before it; after an os or rows pass its load
takes k + 1 clocks of its own. Results follow R clocks after capture, column c another c later.
"""

PLAIN = """\
Passes do not overlap: each begins after the last result of the one before it.
"""


def page(array: SystolicArray, core: Any) -> str:
    """The text of core.md."""
    sizes = [(name, str(value)) for name, value in _sizes(asdict(array))]
    wires = [
        (f"`{port.name}`", "input" if port.is_input else "output", str(port.bits))
        for port in ports(core)
    ]
    commands = [
        (f"`{field.name}`", *_place(field), MEANINGS[field.name])
        for field in payload(core, "commands")
    ]
    payloads = [
        row
        for stream in ("left_fill", "top_fill", "results")
        for row in _payload_rows(core, stream)
    ]
    modes = [(mode.name, *(f"`{formula}`" for formula in mode[1:4])) for mode in MODES]
    return "\n".join(
        (
            f"# Core with a {array.rows} x {array.columns} systolic array\n",
            "Module `core`, SystemVerilog, one clock `clk`, synchronous reset `rst` (active high).",
            "Written by accelsim; `parameters.json` says the same for programs.\n",
            _docstring(inspect.getmodule(type(core))),
            "\n## Sizes\n",
            _table(("size", "value"), sizes),
            "\n## Ports\n",
            _docstring(type(core)),
            "\nA stream transfers a payload at every rising edge of `clk` at which its `valid` and",
            "`ready` are both 1. A stream without a `ready` port is always ready.\n",
            _table(("port", "direction", "bits"), wires),
            "\n## Payloads\n",
            _table(("payload", "field", "bits", "offset", "type"), payloads),
            "\n## Commands\n",
            _docstring(ArrayPass),
            "",
            _table(("field", "bits", "offset", "meaning"), commands),
            "\n### Words and their order\n",
            "A pass reads consecutive words from its addresses `left` and `top`; a word is one",
            "operand for every row or column. Columns from n on of a result are undefined.\n",
            ORDER,
            _table(("mode", "left words", "top words", "result words"), modes),
            "\n## Timing\n",
            _timing(array),
        )
    )


def _timing(array: SystolicArray) -> str:
    """Busy cycles by mode, and how passes follow each other."""
    rows = [
        (mode.name, f"`{mode.alone}`", f"`{mode.interval if array.overlap else mode.alone}`")
        for mode in MODES
    ]
    return TIMING.format(
        rows=array.rows,
        table=_table(("mode", "a pass alone", "each further equal pass"), rows),
        mixed=OVERLAPPED if array.overlap else PLAIN,
    )


def _sizes(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _sizes(value, f"{name}.")
        else:
            yield prefix + name, value


def _payload_rows(core: Any, stream: str) -> Iterator[tuple[str, ...]]:
    """Fields of a payload; a run of equal elements of an array in one row."""
    fields = payload(core, stream)
    for index, field in enumerate(fields):
        if field.name.endswith("[0]"):
            last = fields[-1]
            step = f"{field.offset} + {field.bits} i"
            name = f"{field.name[:-3]}[i], i = 0 .. {len(fields) - index - 1}"
            yield f"`{stream}`", name, str(last.bits), step, _kind(field)
            return
        yield f"`{stream}`", field.name, *_place(field), _kind(field)


def _place(field: Field) -> tuple[str, str]:
    return str(field.bits), str(field.offset)


def _kind(field: Field) -> str:
    return "signed" if field.signed else "unsigned"


def _docstring(documented: object) -> str:
    """A docstring as it is written; its columns are aligned by spaces."""
    return f"```text\n{inspect.getdoc(documented)}\n```"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
