"""Golden model of the depthwise engine: results of a sequence by plain NumPy."""

import numpy as np
import numpy.typing as npt

from accelsim.engines.depthwise.schedule import drain_clocks, words
from accelsim.errors import UnsupportedError
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
    taps : integers[entries, 2 + L], the tap memory: word and shift of a tap relative to its tile,
        and its weights.

    Returns
    -------
    int32[result words, results_per_clock], lane by lane, wrapped to the accumulators' width;
    pixels that are no output and lanes without a channel are zero. UnsupportedError where a tap
    reads values outside the map of its pass.
    """
    words_of = []
    for row in commands.tolist():
        p, at, entry = DepthwisePass(*row[:FIELDS]), row[MAP], row[TAPS]
        bank = maps[at : at + words(engine, p), :, : p.channels].astype(np.int64)
        out = _convolve(engine, p, bank, taps[entry : entry + p.fh * p.fw])
        words_of.append(_arrange(engine, p, out))
    width = engine.result_lanes * engine.pixels
    sums = np.concatenate([np.zeros((0, width), np.int64), *words_of])
    return wrap(sums, engine.operands.accumulator_bits)


def _convolve(engine: DepthwiseEngine, p: DepthwisePass, bank: Int, taps: Int) -> Int:
    """int64[oh, ow, channels], entry by entry: kernel positions say of which outputs, places where.

    Values of an entry lie in rows of `pitch`, from its place on.
    """
    pitch = p.layout(engine.pixels).pitch
    values = np.pad(bank.reshape(-1, p.channels), ((0, pitch), (0, 0)))
    out = np.zeros((p.oh, p.ow, p.channels), np.int64)
    for (ky, kx), (word, shift, *weights) in zip(
        np.ndindex(p.fh, p.fw), taps[:, : 2 + p.channels].tolist(), strict=True
    ):
        rows = _inside(p.oh, p.sh, ky * p.dh - p.pt, p.h)
        columns = _inside(p.ow, p.sw, kx * p.dw - p.pl, p.w)
        if rows and columns:
            first = word * engine.pixels + shift + rows.start * pitch + columns.start
            end = first + (len(rows) - 1) * pitch + len(columns)
            if not 0 <= first < end <= bank.size // p.channels:
                raise UnsupportedError(f"tap ({ky}, {kx}) reads values outside the map of its pass")
            lines = values[first : first + len(rows) * pitch].reshape(len(rows), pitch, -1)
            part = lines[:, : len(columns)] * weights
            out[rows.start : rows.stop, columns.start : columns.stop] += part
    return out


def _inside(outputs: int, stride: int, offset: int, size: int) -> range:
    """The outputs along an axis whose value, so far from them, is in the map."""
    first = max(0, -(offset // stride))
    return range(first, min(outputs, (size - 1 - offset) // stride + 1))


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
