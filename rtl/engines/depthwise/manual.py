"""What the page that documents a core says of the depthwise engine."""

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.flow.manual import Chapter

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
- **Results**: a tile is P neighbouring outputs of a row, in mode flat of all rows with `pitch`
  outputs each; tiles come in order, row by row. Each sends `ceil(channels / Q)` words, lanes 0 to
  Q - 1 first; value `l * P + p` of a word is pixel p of its lane l. Pixels that are no output are
  0, lanes from `channels` on are undefined.
"""

TIMING = """\
Busy cycles are counted from the first tap{fill} to the last result, inclusive; clocks spent
waiting for the host are counted apart. A tile runs the kernel rows and columns between the first
and the last that meet the map anywhere in the smallest rectangle of outputs that holds it, in
`M = max(1, rows * columns)` clocks, and its results leave in `D = ceil(channels / Q)`. The last
taps of two neighbouring tiles, also of two passes, are `max(M of the later, D of the earlier)`
clocks apart, and the last result follows `4 + D` clocks behind the last tap.
{more}"""

FILL = """
A pass is filled in `max(words * ceil(channels * P / {port}), fh * fw)` clocks, beginning behind
the fill of the pass before and two clocks behind the last tap of the one before that; its first
tap is issued no earlier than two clocks behind its last word.
"""


def chapter(engine: DepthwiseEngine, core: DepthwiseCore) -> Chapter:
    """The chapter on an engine and its core."""
    lanes, pixels, port = engine.lanes, engine.pixels, engine.fill_port
    return Chapter(
        title=f"{lanes} x {pixels} depthwise engine",
        sizes=engine,
        core=core,
        command=DepthwiseCommand,
        words=WORDS.format(lanes=lanes, pixels=pixels, together=engine.result_lanes),
        timing=TIMING.format(
            fill=", or word of the fill port," if port else "",
            more=FILL.format(port=port) if port else "",
        ),
    )
