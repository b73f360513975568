"""Passes that the depthwise engine can run."""

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseOpcode, DepthwisePass, outside

# Rows and columns are registers of 15 bits, and of 16 with a sign in the simulation. What they hold
# twice over leaves room for a tile that begins at the last output, and for the taps around it.
MOST_REACH = (1 << 14) - 1


def limits(engine: DepthwiseEngine, p: DepthwisePass) -> str | None:
    """Why the engine cannot run a pass, in one sentence; None where it can."""
    if p.channels > engine.lanes:
        return f"a pass has at most {engine.lanes} channels, one a lane, not {p.channels}"
    for what, value, most in (
        ("kernel", max(p.fh, p.fw), engine.max_kernel),
        ("stride", max(p.sh, p.sw), engine.max_stride),
        ("dilation", max(p.dh, p.dw), engine.max_dilation),
        ("padding", max(p.pt, p.pl), engine.max_padding),
    ):
        if value > most:
            return _more(what, value, str(most), f"max_{what}")
    if p.fh * p.fw > engine.tap_depth // 2:
        return _more("kernel area", p.fh * p.fw, _half(engine.tap_depth), "tap_depth")
    if reason := outside(p, ("opcode", "pt", "pl")):
        return reason
    layout = p.layout(engine.pixels)
    if layout.words > engine.bank_depth // 2:
        return _more("map in words", layout.words, _half(engine.bank_depth), "bank_depth")
    across = max(p.ow, layout.pitch) if p.opcode == DepthwiseOpcode.FLAT else p.ow
    reach = max(p.oh * p.sh, across * p.sw)
    if reach > MOST_REACH:
        return f"a pass reaches over at most {MOST_REACH} rows and columns, not {reach}"
    return None


def _half(depth: int) -> str:
    return f"{depth // 2}, half of {depth}"


def _more(what: str, value: int, most: str, option: str) -> str:
    return (
        f"{what} {value} is more than the depthwise engine's {most}; "
        f"a larger {option} in [depthwise] of the hardware file allows it"
    )
