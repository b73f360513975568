"""Golden model of the depthwise engine: results of a sequence by plain NumPy."""

import numpy as np
import numpy.typing as npt

from accelsim.engines.depthwise.schedule import drain_clocks, words
from accelsim.hardware import DepthwiseEngine
from accelsim.numerics import wrap
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode, DepthwisePass, addresses

Int = npt.NDArray[np.int64]
FIELDS = len(DepthwisePass._fields)
MAP, TAPS = addresses(DepthwiseCommand)


def golden(engine: DepthwiseEngine, commands: Int, maps: Int, taps: Int) -> npt.NDArray[np.int32]:
    """Results of a sequence in the order in which they leave, by plain NumPy.

    Parameters
    ----------
    commands : int64[passes, fields], of DepthwiseCommand.
    maps : integers[words, P, L], the banks.
    taps : integers[entries, 2 + L], the tap memory: word and shift of a tap, which the golden
        model has no need of, and its weights.

    Returns
    -------
    int32[result words, results_per_clock], lane by lane, wrapped to the accumulators' width;
    pixels that are no output and lanes without a channel are zero.
    """
    words_of = []
    for row in commands.tolist():
        p, at, entry = DepthwisePass(*row[:FIELDS]), row[MAP], row[TAPS]
        x = read_map(engine, p, maps[at : at + words(engine, p)])
        w = taps[entry : entry + p.fh * p.fw, 2 : 2 + p.channels].reshape(p.fh, p.fw, -1)
        words_of.append(_arrange(engine, p, _convolve(p, x, w.astype(np.int64))))
    width = engine.result_lanes * engine.pixels
    sums = np.concatenate([np.zeros((0, width), np.int64), *words_of])
    return wrap(sums, engine.operands.accumulator_bits)


def read_map(engine: DepthwiseEngine, p: DepthwisePass, bank: Int) -> Int:
    """The map int64[h, w, channels] of a pass from its words int[words, P, L]."""
    layout = p.layout(engine.pixels)
    values = bank.reshape(p.sh, p.sw, layout.plane_words * engine.pixels, engine.lanes)
    y, x = np.arange(p.h)[:, None], np.arange(p.w)
    at = y // p.sh * layout.pitch + x // p.sw
    return values[y % p.sh, x % p.sw, at, : p.channels].astype(np.int64)


def _convolve(p: DepthwisePass, x: Int, w: Int) -> Int:
    """int64[oh, ow, channels], tap by tap over a map with zeros on all sides."""
    below = max(0, (p.oh - 1) * p.sh + (p.fh - 1) * p.dh + 1 - p.pt - p.h)
    beyond = max(0, (p.ow - 1) * p.sw + (p.fw - 1) * p.dw + 1 - p.pl - p.w)
    x = np.pad(x, ((p.pt, below), (p.pl, beyond), (0, 0)))
    out = np.zeros((p.oh, p.ow, p.channels), np.int64)
    for ky in range(p.fh):
        for kx in range(p.fw):
            top, left = ky * p.dh, kx * p.dw
            part = x[top : top + p.oh * p.sh : p.sh, left : left + p.ow * p.sw : p.sw]
            out += part[: p.oh, : p.ow] * w[ky, kx]
    return out


def _arrange(engine: DepthwiseEngine, p: DepthwisePass, out: Int) -> Int:
    """Result words of a pass from its outputs int64[oh, ow, channels]."""
    pixels, beat = engine.pixels, engine.result_lanes
    if p.opcode == DepthwiseOpcode.FLAT:
        pitch = p.layout(pixels).pitch
        line = np.pad(out, ((0, 0), (0, pitch - p.ow), (0, 0))).reshape(1, p.oh * pitch, -1)
        line = line[:, : (p.oh - 1) * pitch + p.ow]
    else:
        line = out
    drain = drain_clocks(engine, p)
    missing = -line.shape[1] % pixels
    line = np.pad(line, ((0, 0), (0, missing), (0, drain * beat - p.channels)))
    words = line.reshape(-1, pixels, drain, beat).transpose(0, 2, 3, 1)
    return words.reshape(-1, beat * pixels)
