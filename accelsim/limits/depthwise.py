"""Passes that the depthwise engine can run."""

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwisePass, outside

# Rows and columns are registers of 15 bits, and of 16 with a sign in the simulation. What they hold
# twice over leaves room for a tile that begins at the last output, and for the taps around it.
MOST_REACH = (1 << 14) - 1


def limits(engine: DepthwiseEngine, p: DepthwisePass) -> str | None:
    """Why the engine cannot run a pass, in one sentence; None where it can."""
    if p.channels > engine.lanes:
        return f"a pass has at most {engine.lanes} channels, one a lane, not {p.channels}"
    for what, value, most, option in (
        ("kernel", max(p.fh, p.fw), engine.max_kernel, "max_kernel"),
        ("stride", max(p.sh, p.sw), engine.max_stride, "max_stride"),
        ("dilation", max(p.dh, p.dw), engine.max_dilation, "max_dilation"),
        ("padding", max(p.pt, p.pl), engine.max_padding, "max_padding"),
        ("kernel area", p.fh * p.fw, engine.tap_depth // 2, "half of tap_depth"),
    ):
        if value > most:
            return _more(what, value, most, option)
    if reason := outside(p, ("opcode", "pt", "pl")):
        return reason
    layout, half = p.layout(engine.pixels), engine.bank_depth // 2
    if layout.words > half:
        return _more("map in words", layout.words, half, "half of bank_depth")
    reach = max(p.oh * p.sh, p.ow * p.sw, layout.pitch * p.sw)
    if reach > MOST_REACH:
        return f"a pass reaches over at most {MOST_REACH} rows and columns, not {reach}"
    return None


def _more(what: str, value: int, most: int, option: str) -> str:
    return (
        f"{what} {value} is more than the depthwise engine's {most}; "
        f"{option} in [depthwise] of the hardware file raises it"
    )
