"""What the depthwise engine can run: passes at every limit, and one beyond."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.engines import depthwise
from accelsim.engines.depthwise.cycle import simulate
from accelsim.hardware import DepthwiseEngine
from accelsim.limits.depthwise import limits
from accelsim.passes import (
    DepthwiseCommand,
    DepthwiseOpcode,
    DepthwisePass,
    depthwise_command,
    largest,
)
from tests.engines.depthwise import sequence

ROW, FLAT = DepthwiseOpcode


def engine(lanes=1, pixels=16, bank_depth=1 << 12, **sizes):
    return DepthwiseEngine(lanes, pixels, bank_depth=bank_depth, **sizes)


def largest_engine(lanes=1, pixels=16, **sizes):
    """As large as an engine can be, but for its memories."""
    most = {"max_kernel": 255, "max_stride": 15, "max_dilation": 63, "max_padding": 4095}
    return engine(lanes, pixels, **{**most, **sizes})


def row(channels, h, w, oh, ow, *rest):
    return DepthwisePass(ROW, channels, h, w, oh, ow, *rest)


def flat(channels, h, w, oh, ow, *rest):
    return DepthwisePass(FLAT, channels, h, w, oh, ow, *rest)


# An engine, a pass at a limit of it, the same one beyond, and what is said of that.
# fh, fw, sh, sw, dh, dw, pt, pl
EDGES = {
    "channels": (engine(3), row(3, 4, 4, 4, 4), {"channels": 4}, "at most 3 channels.* not 4"),
    "all lanes": (engine(512, 1), row(512, 2, 2, 2, 2), {"channels": 513}, "at most 512 channels"),
    "kernel rows": (engine(max_kernel=5), flat(1, 5, 5, 5, 5, 5, 3), {"fh": 6}, "kernel 6 .* 5"),
    "kernel columns": (engine(max_kernel=5), row(1, 5, 9, 5, 5, 3, 5), {"fw": 6}, "kernel 6 .* 5"),
    "stride": (engine(max_stride=3), row(1, 9, 9, 3, 3, 1, 1, 3, 3), {"sw": 4}, "stride 4 .* 3"),
    "dilation": (engine(max_dilation=7), row(1, 9, 9, 2, 2, 2, 2, 1, 1, 7, 7), {"dh": 8}, "8 .* 7"),
    "padding": (engine(max_padding=9), row(1, 1, 1, 12, 1, 3, 1, 1, 1, 1, 1, 9), {"pt": 10}, "10"),
    "kernel field": (largest_engine(), flat(1, 255, 1, 1, 1, 255), {"fh": 256}, "256 .* 255"),
    "stride field": (largest_engine(), row(1, 16, 16, 2, 2, 1, 1, 15, 15), {"sh": 16}, "16 .* 15"),
    "dilation field": (
        largest_engine(), row(1, 9, 64, 1, 1, 1, 2, 1, 1, 1, 63), {"dw": 64}, "dilation 64 .* 63",
    ),
    "padding field": (
        largest_engine(), flat(1, 1, 1, 4097, 1, 2, 1, 1, 1, 1, 1, 4095), {"pt": 4096}, "4096",
    ),
    "kernel, dilation and padding": (
        largest_engine(), row(1, 80, 9, 1, 9, 255, 1, 1, 1, 63, 1, 4095, 0), {"fh": 256}, "256",
    ),
    "half of the taps": (engine(tap_depth=30), row(1, 4, 4, 4, 4, 3, 5), {"fh": 4}, "20 .* 15"),
    "half of odd taps": (engine(tap_depth=31), row(1, 4, 4, 4, 4, 3, 5), {"fw": 6}, "18 .* 15"),
    "fewest taps": (engine(tap_depth=2), row(1, 4, 4, 4, 4), {"fw": 2}, "area 2 .* 1, half of 2"),
    "half of a bank, row": (
        engine(1, 4, 24), row(1, 4, 12, 4, 12), {"w": 13}, "map in words 16 .* 12, half of 24;",
    ),
    "half of a bank, flat": (engine(1, 4, 25), flat(1, 4, 12, 4, 12), {"h": 5}, "words 15 .* 12"),
    "half of a bank, planes": (
        engine(2, 4, 64), row(2, 8, 12, 4, 6, 2, 2, 2, 2), {"h": 9}, "map in words 40 .* 32",
    ),
    "shallowest bank": (engine(1, 1, 4), row(1, 2, 1, 2, 1), {"h": 3}, "3 .* 2, half of 4;"),
    "rows of the map": (engine(), flat(1, 16383, 1, 1, 1), {"h": 16384}, "h of a pass is .* 16383"),
    "columns of the map": (
        engine(), row(1, 1, 16383, 1, 1), {"w": 16384}, "w of a pass is .* 16383",
    ),
    "rows": (engine(), flat(1, 5, 1, 16383, 1), {"oh": 16384}, "oh of a pass .* 16383"),
    "columns": (engine(), row(1, 1, 5, 1, 16383), {"ow": 16384}, "ow of a pass .* 16383"),
    "rows and stride": (
        engine(), flat(1, 5, 1, 5461, 1, 1, 1, 3), {"oh": 5462}, "at most 16383 .* not 16386",
    ),
    "columns and stride": (
        engine(), row(1, 1, 5, 1, 5461, 1, 1, 1, 3), {"ow": 5462}, "at most 16383 .* not 16386",
    ),
    "pitch": (
        engine(1, 16, 1 << 13), flat(1, 2, 16383, 2, 9, 1, 1, 1, 3), {"sw": 4}, "16383 .* 16384",
    ),
    "nothing": (engine(), row(1, 1, 1, 1, 1), {"oh": 0}, "oh of a pass is from 1 to 16383, not 0"),
    "no padding": (engine(), row(1, 1, 1, 1, 1), {"pl": -1}, "pl of a pass is from 0 to 4095"),
    "mode": (engine(), flat(1, 1, 1, 1, 1), {"opcode": 2}, "opcode of a pass is from 0 to 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_one_beyond_a_limit_is_refused(name):
    sizes, p, change, said = EDGES[name]
    assert limits(sizes, p) is None
    reason = limits(sizes, p._replace(**change))
    assert reason is not None
    assert re.search(said, reason)


@pytest.mark.parametrize("fill_port", [0, 1])
@pytest.mark.parametrize("name", EDGES)
def test_a_pass_at_a_limit_runs(name, fill_port):
    """Twice, and once with other data: golden model, schedule and registers agree."""
    sizes, p, _, _ = EDGES[name]
    sizes = DepthwiseEngine(**{**vars(sizes), "fill_port": fill_port})
    work = sequence(np.random.default_rng(1), sizes, (p, p))
    run = simulate(sizes, work.commands, *work.memories)
    words = depthwise.golden(sizes, work.commands, *work.memories)
    assert np.array_equal(run.words[work.used], words[work.used])
    assert run.busy_cycles == depthwise.ENGINE.cycles(sizes, work.passes)


@given(st.data())
def test_what_follows_from_a_legal_pass_fits_its_fields(data):
    def draw(least, most):
        return data.draw(st.sampled_from((least, most)) | st.integers(least, most))

    pixels, opcode = draw(1, 256), draw(0, 1)
    sh, sw = draw(1, 15), draw(1, 15)
    oh, ow = draw(1, 16383 // sh), draw(1, 16383 // sw)
    port = draw(0, 1)  # none, and the narrowest
    sizes = largest_engine(512, pixels, bank_depth=1 << 22, tap_depth=1 << 16, fill_port=port)
    kernel = draw(1, 255), draw(1, 255), sh, sw, draw(1, 63), draw(1, 63)
    p = DepthwisePass(opcode, 512, draw(1, 16383), draw(1, 16383), oh, ow, *kernel)
    p = p._replace(pt=draw(0, 4095), pl=draw(0, 4095))
    assume(limits(sizes, p) is None)
    half = sizes.bank_depth // 2, sizes.tap_depth // 2
    command = depthwise_command(p, sizes, *half, last=1)
    for field, value in command._asdict().items():
        if field != "work":
            assert 0 <= value <= largest(DepthwiseCommand, field), field
