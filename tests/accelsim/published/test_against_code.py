"""The published models against their authors' code, and against plain readings of it.

scalesim.csv: SCALE-Sim 3.0.0 from PyPI with NumPy 1.26.4, "Total Cycles" of COMPUTE_REPORT.csv in
os, ws and is, for InterfaceBandwidth CALC and SRAMs of 1024 kB; no layer stalls. Layers were drawn
at random, by kind: strides that leave a rest or exceed the kernel, 1 x K and K x 1, two strides
(through topologies.load_layer_params_from_list, as a topology file has one), kernels as large as
the map, fully connected layers, 1 x 1, matrix products. "one-filter" is a line of one filter,
"per-channel" the sum over the layers that a name with DP makes; "stops" is a ZeroDivisionError.

fuseconv_2021.csv: latencies of ForwardHook in analyticalLatencyModel.py (iitm-sysdl/FuSeConv,
commit cef0779) on hardware "FuSe", for convolutions drawn at random in each of its branches, and
for linear layers at the end.
"""

import csv
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import accelsim as ax
from accelsim import published
from accelsim.errors import UnsupportedError
from accelsim.importers import load
from accelsim.ir import INPUT, Layer, Operator, Shape
from accelsim.ops import Conv2d, Depthwise, DynamicDepthwise, Linear, Pointwise
from tests.naive import published as naive

DATAFLOWS = ("os", "ws", "is")
FOLDER = Path(__file__).parent


def records(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def numbers(record: dict[str, str], *columns: str) -> tuple[int, ...]:
    return tuple(int(record[column]) for column in columns)


def cost(timing: published.Timing, op: Operator, shape: Shape) -> published.Cost:
    return timing.cost(Layer("it", op, (INPUT,)), (shape,))


def test_scalesim_reports_the_same():
    rows = records("scalesim.csv")
    assert {row["kind"] for row in rows} == {"conv", "linear", "one-filter", "per-channel"}
    for row in rows:
        kernel = numbers(row, "filter_height", "filter_width")
        stride = numbers(row, "stride_height", "stride_width")
        filters = int(row["filters"])
        op = {
            "conv": Conv2d(filters, kernel, stride),
            "linear": Linear(filters),
        }.get(row["kind"], Depthwise(kernel, stride, 0))
        convention = row["kind"] if row["kind"] in published.DEPTHWISE else "one-filter"
        for dataflow in DATAFLOWS:
            sizes = numbers(row, "rows", "columns")
            timing = published.get("scalesim", *sizes, dataflow, convention)
            shape = numbers(row, "channels", "height", "width")
            if row[dataflow] == "stops":
                with pytest.raises(UnsupportedError, match="one product on one multiplier"):
                    cost(timing, op, shape)
            else:
                assert cost(timing, op, shape) == (int(row[dataflow]), dataflow), row


def test_fuseconv_says_the_same():
    for row in records("fuseconv_2021.csv"):
        kernel = numbers(row, "kernel_height", "kernel_width")
        stride = numbers(row, "stride_height", "stride_width")
        p, q = numbers(row, "padding_height", "padding_width")
        groups, shape = int(row["groups"]), numbers(row, "channels", "height", "width")
        ops: list[Operator] = [
            Conv2d(int(row["out_channels"]), kernel, stride, (p, p, q, q), groups=groups)
        ]
        if groups == shape[0]:
            ops += [Depthwise(kernel, stride, (p, p, q, q))] * (groups == int(row["out_channels"]))
        if shape[1:] == kernel == (1, 1):
            ops += [Linear(int(row["out_channels"]))] * (groups == 1)
        timing = published.get("fuseconv-2021", *numbers(row, "rows", "columns"))
        for op in ops:
            assert cost(timing, op, shape).cycles == int(row["cycles"]), (op, row)


SIDES = st.integers(1, 20)


@st.composite
def convolutions(draw, paddings=(0, 3)):
    """Channels, size, kernel, stride and padding (rows, columns) that fit together."""
    small, channels = st.integers(1, 6), draw(st.integers(1, 9))
    kernel = draw(st.sampled_from([(1, 1), (1, None), (None, 1), (None, None)]))
    kernel = tuple(each or draw(small) for each in kernel)
    stride = draw(small), draw(small)
    padding = draw(st.integers(*paddings)), draw(st.integers(*paddings))
    size = tuple(
        draw(st.integers(max(1, k - 2 * p), 16)) for k, p in zip(kernel, padding, strict=True)
    )
    return channels, size, kernel, stride, padding


@given(SIDES, SIDES, convolutions(), st.integers(0, 9))
@example(64, 16, (16, (56, 5), (1, 1), (1, 1), (0, 0)), 0)  # 238: a 1 x 1 layer is lines, too
@example(8, 8, (8, (8, 8), (1, 3), (1, 1), (1, 1)), 0)  # 220: zeros across the kernel are lines
def test_fuseconv_2021_in_every_branch(rows, columns, convolution, filters):
    """A depthwise layer in all its spellings; with `filters` a dense one."""
    channels, size, kernel, stride, (p, q) = convolution
    timing = published.get("fuseconv-2021", rows, columns)
    shape, zeros = (channels, *size), (p, p, q, q)
    if filters:
        outputs, groups = filters, 1
        ops = [Conv2d(filters, kernel, stride, zeros)]
    else:
        outputs, groups = channels, channels
        ops = [
            Depthwise(kernel, stride, zeros),
            Conv2d(channels, kernel, stride, zeros, groups=channels),
        ]
    expected = naive.fuseconv_2021(rows, columns, *shape, outputs, groups, kernel, stride, (p, q))
    dataflow = "rows" if groups > 1 and 1 in kernel else "os"
    for op in ops:
        assert cost(timing, op, shape) == (expected, dataflow)


# Files as users write them: shape, attributes of the layer, array, cycles by the authors' code.
FILES = [
    ([1, 4, 4], 'op = "conv2d"\nout_channels = 1\nkernel = [1, 1]\nstride = [2, 2]', (4, 4),
     {"scalesim os": 20, "scalesim ws": 18, "scalesim is": 32}),
    ([16, 56, 5], 'op = "depthwise"\nkernel = [1, 1]', (64, 16), {"fuseconv-2021 auto": 238}),
    ([8, 8, 8], 'op = "depthwise"\nkernel = [1, 3]\npadding = 1', (8, 8),
     {"fuseconv-2021 auto": 220}),
    ([8, 8, 8], 'op = "depthwise"\nkernel = [3, 1]\npadding = 1', (8, 8),
     {"fuseconv-2021 auto": 220}),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "layer", "array", "totals"), FILES)
def test_files_cost_what_the_code_says(shape, layer, array, totals, tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(f'name = "net"\ninput = {shape}\n[[layer]]\nname = "L"\n{layer}\n')
    network, design = load(path), ax.Hardware(ax.SystolicArray(*array))
    found = {
        model: ax.simulate(network, design, dataflow, timing=timing).total_cycles
        for model in totals
        for timing, dataflow in [model.split()]
    }
    assert found == totals


@pytest.mark.parametrize("timing", ["fuseconv-2020", "fuseconv-2021"])
def test_zeros_count_on_the_side_where_they_are(timing):
    """The hook sees a padded map only: two zeros on one side are one on each of two."""
    model = published.get(timing, 8, 8)
    for kernel in [(1, 3), (3, 1), (3, 3), (1, 1)]:
        uneven = cost(model, Depthwise(kernel, padding=(2, 0, 0, 4)), (3, 7, 7))
        assert uneven == cost(model, Depthwise(kernel, padding=(1, 1, 2, 2)), (3, 7, 7))


@pytest.mark.parametrize("timing", ["fuseconv-2020", "fuseconv-2021"])
def test_spellings_of_one_layer_cost_the_same(timing):
    model = published.get(timing, 8, 8)
    shape = (6, 9, 9)
    same = [Pointwise(6, (2, 2), groups=6), Depthwise((1, 1), (2, 2))]
    assert len({cost(model, op, shape) for op in same}) == 1
    dynamic = Layer("it", DynamicDepthwise((1, 3)), (INPUT, "kernels"))
    assert model.cost(dynamic, (shape, (6, 1, 3))) == cost(model, Depthwise((1, 3)), shape)
    gates = [Linear(4), Pointwise(4), Conv2d(4, (1, 1))]
    assert {cost(model, op, (16, 1, 1)) for op in gates} == {(20, "os")}


@given(SIDES, convolutions(), st.integers(1, 6))
def test_fuseconv_2020_in_lines(side, convolution, stride):
    channels, size, kernel, _, (p, q) = convolution
    if channels == 1 or 1 not in kernel:
        return
    padded = size[0] + 2 * p, size[1] + 2 * q
    expected = naive.fuseconv_2020(side, channels, padded, kernel, stride)
    op = Depthwise(kernel, (stride, stride), (p, p, q, q))
    timing = published.get("fuseconv-2020", side, side)
    assert cost(timing, op, (channels, *size)) == (expected, "rows")


@given(SIDES, SIDES, convolutions(paddings=(0, 0)), st.integers(1, 9), st.sampled_from(DATAFLOWS))
@example(4, 4, (1, (4, 4), (1, 1), (2, 2), (0, 0)), 1, "os")  # 20
def test_scalesim_rounds_up(rows, columns, convolution, filters, dataflow):
    channels, size, kernel, stride, _ = convolution
    shape, window = (channels, *size), kernel[0] * kernel[1]
    high, wide = map(naive.scalesim_pixels, size, kernel, stride)

    def expected(filters, depth):
        return naive.scalesim(dataflow, rows, columns, high * wide, filters, window * depth)

    depthwise = Depthwise(kernel, stride, 0)
    for op, convention, cycles in [
        (Conv2d(filters, kernel, stride), "one-filter", expected(filters, channels)),
        (depthwise, "one-filter", expected(1, channels)),
        (depthwise, "per-channel", channels * expected(1, 1)),
    ]:
        if cycles:
            timing = published.get("scalesim", rows, columns, dataflow, convention)
            assert cost(timing, op, shape) == (cycles, dataflow)


@given(convolutions(paddings=(1, 3)), st.sampled_from(DATAFLOWS))
def test_scalesim_sees_padded_maps_as_long_as_their_outputs_need(convolution, dataflow):
    channels, size, kernel, stride, (p, q) = convolution
    timing = published.get("scalesim", 3, 5, dataflow)
    outputs = [
        naive.starts(n + 2 * zeros, k, s)
        for n, zeros, k, s in zip(size, (p, q), kernel, stride, strict=True)
    ]
    written = [(o - 1) * s + k for o, s, k in zip(outputs, stride, kernel, strict=True)]
    padded = cost(timing, Conv2d(4, kernel, stride, (p, p, q, q)), (channels, *size))
    assert padded == cost(timing, Conv2d(4, kernel, stride), (channels, *written))


def test_scalesim_takes_each_axis_by_itself():
    # 8 rows in steps of 3 are 4 rows, the last of them a row that the layer does not have; its 9
    # padded columns are 3 by themselves: 12 pixels on one row, 1 x 3 on one column.
    timing = published.get("scalesim", 1, 1, "os")
    op = Conv2d(1, (1, 3), (3, 3), (0, 0, 1, 1))
    assert cost(timing, op, (1, 8, 8)).cycles == 12 * 3 - 1
