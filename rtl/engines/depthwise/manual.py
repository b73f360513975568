"""What the page that documents a core says of the depthwise engine."""

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.engines.depthwise.job import lead
from rtl.engines.depthwise.lanes import SUMMED
from rtl.engines.depthwise.loader import RELEASE_STAGES
from rtl.engines.depthwise.queue import FOLLOWS
from rtl.flow.manual import Chapter
from rtl.lib.results import ResultMemory

WORDS = """\
P is {pixels}, L is {lanes}, Q = {together} lanes leave in one result word. Division rounds down.

- **Map**: `pitch` is the number of values from a plane row to the next. With `columns =
  ceil(w / sw)` it is `P * row_words`, `row_words = ceil(columns / P)`, in mode row, and
  `max(columns, ow)` in mode flat. Value (y, x) of a channel is value
  `(y / sh) * pitch + x / sw` of plane `(y mod sh) * sw + x mod sw`; planes follow each other and
  begin on a word, `plane_words` apart: `ceil(h / sh) * row_words` in mode row,
  `ceil(ceil(h / sh) * pitch / P)` in mode flat. What no value takes is anything.
- **Taps**: entry `ky * fw + kx` is for tap (ky, kx), with `v = ky * dh - pt`, `u = kx * dw - pl`,
  `n = (v / sh) * pitch + u / sw`: its `word` is
  `((v mod sh) * sw + u mod sw) * plane_words + n / P` modulo the words that an address can name,
  its `shift` is `n mod P`. `weights[l]` is for lane l.
- **Lists of taps**: an entry adds its weights times the values that lie at its `word` and `shift`,
  whatever tap that is. What `fh`, `fw`, `dh`, `dw`, `pt`, `pl`, `h` and `w` say is for which
  outputs: entry `ky * fw + kx` for those (oy, ox) with `oy * sh + ky * dh - pt` from 0 to `h - 1`
  and `ox * sw + kx * dw - pl` from 0 to `w - 1`. So any n taps of a kernel run as `fh * fw >= n`
  entries over a map with its padding as zeros, where with `pt = pl = 0` and `dh = dw = 1` the map
  has `h >= (oh - 1) * sh + fh` and `w >= (ow - 1) * sw + fw`: `v` and `u` of an entry are then the
  row and column of the padded map that output (0, 0) reads for its tap. Zeros behind a row may be
  those in front of the next one. Entries that are left over have the place of a tap, and weights 0.
- **Results**: a tile is P neighbouring outputs of a row, in mode flat of all rows with `pitch`
  outputs each; tiles come in order, row by row. Each sends `ceil(channels / Q)` words, lanes 0 to
  Q - 1 first; value `l * P + p` of a word is pixel p of its lane l. Pixels that are no output are
  0, lanes from `channels` on are undefined.
"""

TIMING = """\
A tile runs the kernel rows and columns between the first and the last that meet the map anywhere in
the smallest rectangle of outputs that holds it, in `M = max(1, rows * columns)` clocks, and its
results leave in `D = ceil(channels / Q)`. The last taps of two neighbouring tiles, also of two
passes, are `max(M of the later, D of the earlier)` clocks apart, and the last result is at the
result port `{pipeline} + D` clocks behind the last tap, on `results` {latency} clocks later, or in
the clock after the word in front of it was taken.
{more}
A pass starts no earlier than {lead} clocks after its command was taken; its start is {start}. A
last tap waits until the result memory has room for {most} words besides those of the tiles before:
it holds {depth}, and the place of a word is free from the {free}th clock on after it was taken.
Nothing else waits, and nothing that is under way does.

**Busy cycles** are counted from the start of the first pass to the last result at the result port,
inclusive, of the sequence under way or of the last one, waiting included. **Stall cycles** are the
clocks among them in which

- {missing};
- or a last tap waits for nothing but room in the result memory.

There are none where {supplied} and reader are never late. A sequence begins when the one before it
is over; what it is sent can be taken before.

**A host** may send and read in any order as long as it

- sends {first};
- overwrites words only after `passes_read` counts the passes that read them;
- reads results in the end, whatever else it waits for.

Then everything is taken, and every result comes: within the clocks above if {supplied} and reader
are in time, and otherwise later by no more clocks than there are stall cycles.
"""

FILL = """
A pass is filled in `max(words * ceil(channels * P / {port}), fh * fw)` clocks, beginning behind
the fill of the pass before and {released} clocks behind the last tap of the one before that; its
first tap is issued no earlier than {loaded} clocks behind its last word, and {tiles} behind the
start of its fill. Each of the two streams goes on with the words of the next pass by itself where
the other one offers nothing and two passes have room.
"""


def chapter(engine: DepthwiseEngine, core: DepthwiseCore) -> Chapter:
    """The chapter on an engine and its core."""
    lanes, pixels = engine.lanes, engine.pixels
    return Chapter(
        title=f"{lanes} x {pixels} depthwise engine",
        sizes=engine,
        core=core,
        command=DepthwiseCommand,
        words=WORDS.format(lanes=lanes, pixels=pixels, together=engine.result_lanes),
        timing=_timing(engine),
    )


def _timing(engine: DepthwiseEngine) -> str:
    """When passes start, and what is counted."""
    port = engine.fill_port
    wide = {
        "start": "its first tap",
        "missing": "no tile is there, since a command is missing or came too late",
        "supplied": "commands",
        "first": "the words that a command reads before it",
        "more": "",
    }
    narrow = {
        "start": "the first clock in which a word of its fill can be taken",
        "missing": (
            "a pass could be filled and its command is missing, or a word of the map or an entry "
            "of the taps of a pass that is being filled is"
        ),
        "supplied": "commands, words",
        "first": (
            "a command before it waits for words of its pass to be taken, each stream in the order "
            "of the commands, and of no stream words of a third pass before those of the first on "
            "the other one"
        ),
        "more": FILL.format(
            port=port, released=RELEASE_STAGES + 2, loaded=3 + FOLLOWS, tiles=engine.lead
        ),
    }
    return TIMING.format(
        lead=lead(engine),
        pipeline=SUMMED,
        latency=ResultMemory.LATENCY,
        most=-(-engine.lanes // engine.result_lanes),
        depth=engine.result_depth,
        free=2 + FOLLOWS,
        **(narrow if port else wide),
    )
