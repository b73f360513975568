"""What the page that documents a core says of the systolic array."""

from typing import NamedTuple

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand
from rtl.engines.systolic_array.core import LEAD, PAUSE, ROOM_LEAD, TO_READER, Core
from rtl.flow.manual import Chapter, table


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
    Mode("os", "k", "k", "m * emit", "k + R + m + n + 2", "max(k, m)"),
    Mode("ws, is", "m", "k", "m * emit", "k + R + m + n + 4", "max(k, m)"),
    Mode(
        "rows",
        "streams * (taps + k) + (fires - 1) * n",
        "0",
        "fires * m * emit",
        "streams * (taps + k) + (fires - 1) * n + R + m + n + 2",
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
- **os, rows** with `emit` 0 keep their sums in the array. The next command must have the same
  opcode, m and n, and `accumulate` 1: its sums go on where those stopped. So K, or the streams of a
  window, may take several passes, of any length each; the last has `emit` 1.
"""

TIMING = """\
Busy cycles are counted from the first operand at a port of the array to the last result at the
result port, inclusive. R is {rows}.

{table}

{mixed}
Nothing waits once it is under way. A pass starts in the first clock in which its ports are free by
these rules, its command is there, and so is room for all of its result words. What is late moves
the start of a pass, and nothing else: clocks until then count as busy. They are stall cycles, too,
where a command is missing while the array could begin to load a stationary tile, or where room is
missing for a pass that could start otherwise. Where nothing is late there are none.

What a host must do:

- Commands, words of both banks, and the taking of results wait for nothing of each other in the
  core. The word that a pass reads first must have been sent in the clock in which the command is
  taken, or before, and its further words no later than a clock after another.
- The first operand of a pass is at its port {lead} clocks after the one in which its command is
  taken, if nothing is in front of it. The first pass of a sequence starts {pause} clocks after the
  last result of the sequence before it, or later.
- The result memory has {depth} words. A pass reserves all of its words; each is free for a pass
  that starts {room} clocks after the one in which it is taken, or later. A pass of ws or is has at
  most {streamed} result words, one of os or rows {fired}: so no pass waits for room while every
  word is taken at once.
- A result word is offered {reader} clocks after its last column has been at the result port, where
  no word is in front of it. So passes whose commands an idle core takes in consecutive clocks, from
  a host that takes every word at once, have all of their results with the host within
  {beyond} clocks after the first of these clocks plus their busy cycles, whatever is sent then.
- `passes_read` counts a pass max(R, C) - 2 clocks after its last operand at the port of row 0. Its
  words may then be overwritten.
"""

OVERLAPPED = """\
Passes overlap. With `load` the left words of an os or rows pass and `drain` = m, such passes
capture their results max(load of the later, drain of the earlier) clocks apart, in any mix; with
`emit` 0 nothing is captured, and `drain` is 1 here and in the table. A
stationary tile loads behind the stream of the tile before it; after an os or rows pass its load
takes k + 1 clocks of its own. Results follow R + 4 clocks after the last operand, column c another
c later.
"""

PLAIN = """\
Passes do not overlap: each begins after the last result of the one before it.
"""


WORDS = """\
A pass reads consecutive words from its addresses `left` and `top`; a word is one
operand for every row or column. Columns from n on of a result are undefined.

{order}
{table}"""


def chapter(array: SystolicArray, core: Core) -> Chapter:
    """The chapter on an array and its core."""
    modes = [(mode.name, *(f"`{formula}`" for formula in mode[1:4])) for mode in MODES]
    head = ("mode", "left words", "top words", "result words")
    return Chapter(
        title=f"{array.rows} x {array.columns} systolic array",
        sizes=array,
        core=core,
        command=ArrayCommand,
        words=WORDS.format(order=ORDER, table=table(head, modes)),
        timing=_timing(array),
    )


def _timing(array: SystolicArray) -> str:
    """Busy cycles by mode, and how passes follow each other."""
    rows = [
        (mode.name, f"`{mode.alone}`", f"`{mode.interval if array.overlap else mode.alone}`")
        for mode in MODES
    ]
    return TIMING.format(
        rows=array.rows,
        table=table(("mode", "a pass alone", "each further equal pass"), rows),
        mixed=OVERLAPPED if array.overlap else PLAIN,
        lead=LEAD,
        room=ROOM_LEAD,
        pause=PAUSE,
        depth=array.result_depth,
        streamed=array.most_streamed,
        fired=array.most_fired,
        reader=TO_READER,
        beyond=LEAD + TO_READER - 1,
    )
