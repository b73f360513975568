"""Sequences of the depthwise engine in which something comes together."""

from accelsim.passes import DepthwiseOpcode, DepthwisePass

ROW, FLAT = DepthwiseOpcode


def row(channels, h, w, oh, ow, *rest):
    return DepthwisePass(ROW, channels, h, w, oh, ow, *rest)


def flat(channels, h, w, oh, ow, *rest):
    return DepthwisePass(FLAT, channels, h, w, oh, ow, *rest)


# On 3 lanes x 4 pixels, one result word per lane: fh, fw, sh, sw, dh, dw, pt, pl.
CASES = {
    "one tap": (row(3, 2, 5, 2, 5), row(1, 1, 1, 1, 1), flat(1, 1, 1, 1, 1), flat(3, 2, 5, 2, 5)),
    "tiles of one clock behind tiles of three results": (
        row(3, 1, 4, 1, 4), row(1, 1, 4, 1, 4), row(3, 1, 4, 1, 4), row(1, 1, 4, 1, 4, 1, 2),
        row(1, 1, 4, 1, 4),
    ),
    "no tap meets the map": (
        row(2, 2, 2, 6, 9, 2, 2, 1, 1, 1, 1, 3, 0), row(1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 5, 5),
        flat(2, 2, 2, 6, 9, 2, 2, 1, 1, 1, 1, 0, 3),
    ),
    "a tile over several rows": (flat(3, 5, 1, 5, 1, 3, 1, 1, 1, 1, 1, 1, 0),
                                 flat(2, 4, 2, 4, 2, 3, 3, 1, 1, 1, 1, 1, 1)),
    "a row ends in the first pixel of a tile": (row(2, 2, 9, 2, 9, 3, 3, 1, 1, 1, 1, 1, 1),
                                                flat(2, 3, 5, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1)),
    "tiles between two rows": (flat(2, 3, 14, 3, 2, 3, 12), flat(1, 2, 14, 2, 1, 1, 5, 1, 1, 1, 3)),
    "strides": (row(2, 9, 9, 5, 5, 3, 3, 2, 2, 1, 1, 1, 1), row(2, 9, 9, 3, 9, 3, 3, 4, 1),
                flat(2, 9, 9, 5, 3, 3, 3, 2, 3, 1, 1, 1, 1)),
    "dilations": (row(2, 9, 9, 9, 9, 3, 3, 1, 1, 8, 2, 8, 2),
                  flat(2, 9, 9, 3, 9, 2, 3, 3, 1, 5, 7)),
    "even kernels": (row(2, 6, 6, 6, 6, 2, 4, 1, 1, 1, 1, 1, 2), flat(2, 6, 6, 6, 6, 4, 2)),
    "lines": (row(2, 3, 20, 3, 20, 1, 31, 1, 1, 1, 1, 0, 15), flat(1, 20, 2, 20, 2, 31, 1, 1, 1, 1,
                                                                   1, 15, 0)),
    "large kernels": (row(1, 4, 6, 4, 6, 5, 51, 1, 1, 1, 1, 2, 25),
                      flat(1, 4, 4, 4, 4, 51, 5, 1, 1, 1, 1, 25, 2),
                      row(2, 4, 4, 2, 4, 31, 31, 1, 1, 1, 1, 15, 15)),
    "padding on one side": (row(2, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 2, 0),
                            flat(2, 3, 3, 6, 6, 3, 3, 1, 1, 1, 1, 0, 5)),
    "kernels of several shapes": tuple(
        work(channels, 5, 6, 5, 6, fh, fw, 1, 1, 1, 1, fh // 2, fw // 2)
        for work, channels, fh, fw in (
            (row, 3, 3, 3), (flat, 2, 5, 5), (flat, 1, 1, 1), (row, 2, 1, 7), (row, 3, 2, 2),
        )
    ),
}  # fmt: skip
