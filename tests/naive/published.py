"""Published timing models from their code's meaning: fold by fold, on the numbers of one layer.

Nothing of accelsim is used: a map is height x width x channels, padding zeros on both sides.
"""

import math


def parts(total: int, size: int) -> list[int]:
    """How much of `total` every fold of `size` has."""
    return [min(size, total - first) for first in range(0, total, size)]


def starts(size: int, kernel: int, stride: int) -> int:
    """Where a kernel begins while all of it is inside the map."""
    return sum(1 for first in range(0, size, stride) if first + kernel <= size)


def product(pixels: int, taps: int, filters: int, rows: int, columns: int) -> int:
    """FuSeConv's output-stationary product: a fold pays for the rows and columns that it uses."""
    return sum(taps + r + c - 1 for r in parts(pixels, rows) for c in parts(filters, columns))


def fuseconv_2021(
    rows: int,
    columns: int,
    channels: int,
    height: int,
    width: int,
    out_channels: int,
    groups: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> int:
    """What the released forward hook adds for a convolution on hardware "FuSe"."""
    size = height + 2 * padding[0], width + 2 * padding[1]
    pixels = math.prod(map(starts, size, kernel, stride))
    if groups == 1:
        return product(pixels, math.prod(kernel) * channels, out_channels, rows, columns)
    if 1 not in kernel:
        return sum(product(pixels, math.prod(kernel), 1, rows, columns) for _ in range(channels))
    along = 1 if kernel[0] == 1 else 0
    lines = parts(size[1 - along] * channels, rows)
    clocks = sum(columns + kernel[along] for _ in parts(size[along], columns))
    return math.ceil(len(lines) / stride[along] * clocks)


def fuseconv_2020(
    side: int,
    channels: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
) -> int:
    """The paper's lines, of several channels, on an array of `side`: folds by the other axis."""
    across = size[0] if kernel[0] == 1 else size[1]
    lines = parts(across * channels, side)
    clocks = sum(side + max(kernel) for _ in parts(across, side))
    return math.ceil(len(lines) / stride * clocks)


def scalesim_pixels(size: int, kernel: int, stride: int) -> int:
    """Output rows or columns: starts inside the map, and one more where the stride has a rest."""
    return starts(size, kernel, stride) + ((size - kernel) % stride > 0)


def scalesim(dataflow: str, rows: int, columns: int, pixels: int, filters: int, window: int) -> int:
    """The number, from 0, of the last line of SCALE-Sim's demand matrices."""
    if dataflow == "os":
        down, across, streamed, loaded = pixels, filters, window, 0
    elif dataflow == "ws":
        down, across, streamed, loaded = window, filters, pixels, rows
    else:
        down, across, streamed, loaded = window, pixels, filters, rows
    lines = 0
    for _ in parts(down, rows):
        for _ in parts(across, columns):
            lines += loaded + streamed + (rows - 1) + (columns - 1)
    return lines - 1
