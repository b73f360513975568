"""Transposed convolutions of every kind, at random."""

from hypothesis import assume
from hypothesis import strategies as st

from accelsim.errors import ShapeError
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import ConvTranspose2d


@st.composite
def networks(draw, most=6, depthwise=None):
    """Of one layer, `it`: maps of one pixel, strides beyond the kernel, outputs that are cut off.

    most : rows and columns of the map.  depthwise : whether it is; None for both.
    """
    pairs = st.tuples(*[st.integers(1, 5)] * 2)
    stride, dilation = draw(pairs), draw(st.just((1, 1)) | pairs)
    groups, each, out = (draw(st.integers(1, 3)) for _ in range(3))
    if draw(st.booleans()) if depthwise is None else depthwise:
        groups, each = groups + 1, 1
    op = ConvTranspose2d(
        out_channels=groups * out,
        kernel=draw(st.tuples(*[st.integers(1, 7)] * 2)),
        stride=stride,
        padding=draw(st.integers(0, 3) | st.tuples(*[st.integers(0, 8)] * 4)),
        output_padding=tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        ),
        dilation=dilation,
        groups=groups,
    )
    shape = groups * each, draw(st.integers(1, most)), draw(st.integers(1, most))
    try:
        return Network("one", shape, (Layer("it", op, (INPUT,)),))
    except ShapeError:  # nothing is left of the output
        assume(False)
