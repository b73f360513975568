"""DRConv: beside the equations of its paper, on reals, on integers and in int8; published costs."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import AccelsimWarning, NetworkError, ShapeError
from accelsim.importers import load
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Conv2d, Depthwise, Pointwise, RegionConv, Resize
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.drconv import DrConv
from accelsim.quantised import with_values
from tests.accelsim.ops.papers import dynamic
from tests.naive import operators as naive

SHAPE = 4, 7, 6
CASES = {
    "code": DrConv(6, (3, 3), padding=1, m=4, nw=3),
    "strided": DrConv(5, (3, 1), (2, 2), (1, 1, 0, 0), m=3, nw=2),
    "point": DrConv(6, (1, 1), m=3),
    "single": DrConv(6, (3, 3), padding=1, m=1, nw=4),
    "paper": DrConv(6, (3, 3), padding=1, m=3, version="paper"),
    "paper strided": DrConv(5, (3, 2), (2, 1), 1, m=2, version="paper"),
    "paper point": DrConv(5, (1, 1), m=3, version="paper"),
}


def sides(op):
    return op.padding if isinstance(op.padding, tuple) else (op.padding,) * 4


def kernels_of_code(op, weights, x):
    """W_t = sum of a[t, j] B_j, with a = 2 sigmoid(fc(mean(x))) / nw."""
    values = dynamic.dense(weights["drconv_fc"], x.mean(axis=(1, 2)))
    a = 2 * dynamic.sigmoid(values).reshape(op.m, op.nw) / op.nw
    # The layer has the factor in its bank.
    bank = weights["drconv_kernels"].kernel.reshape(-1, op.nw).astype(np.float64) * op.nw / 2
    made = [sum(a[t, j] * bank[:, j] for j in range(op.nw)) for t in range(op.m)]
    return np.array(made).reshape(op.m, op.out_channels, SHAPE[0], *op.kernel)


def kernels_of_paper(op, weights, x):
    """Every tap from the average of the part of the map that is in its place."""
    (rows, columns), (c, h, w) = op.kernel, x.shape
    made = np.zeros((op.m, op.out_channels, c, rows, columns))
    fc, last = weights["drconv_fc"], weights["drconv_kernels"]
    for i, j in np.ndindex(rows, columns):
        down = slice(i * h // rows, -(-(i + 1) * h // rows))
        across = slice(j * w // columns, -(-(j + 1) * w // columns))
        values = dynamic.sigmoid(dynamic.dense(fc, x[:, down, across].mean(axis=(1, 2))))
        groups = values.reshape(op.m, op.m)
        filters = last.kernel.reshape(op.m, -1, op.m).astype(np.float64)
        for t in range(op.m):
            taps = filters[t] @ groups[t] + last.bias.reshape(op.m, -1)[t]
            made[t, :, :, i, j] = taps.reshape(op.out_channels, c)
    return made


def guide_of(op, weights, x, size):
    """F, which of the code has the nearest pixels' above and on the left."""
    real = weights["drconv_guide"]
    if op.version == "paper":
        kernel = real.kernel.reshape(op.m, SHAPE[0], *op.kernel).astype(np.float64)
        sums = dynamic.convolve(x, kernel, op.stride, sides(op))
        return sums + real.bias[:, None, None]
    whole = np.einsum("tc,chw->thw", real.kernel.reshape(op.m, -1).astype(np.float64), x)
    rows, columns = (np.arange(n) * every // n for n, every in zip(size, x.shape[1:], strict=True))
    return whole[:, rows[:, None], columns]


def by_the_equation(op, kernels, guide, x):
    """Sums[k, oh, ow]: at every pixel, W of the region whose guide is the greatest, the first."""
    every = np.array([dynamic.convolve(x, w, op.stride, sides(op)) for w in kernels])
    out = np.zeros(every.shape[1:])
    for y, column in np.ndindex(out.shape[1:]):
        here = guide[:, y, column].tolist()
        out[:, y, column] = every[here.index(max(here)), :, y, column]
    return out


@pytest.mark.parametrize("name", CASES)
def test_the_layers_are_the_equation(name):
    """On reals but for float32. In int8, where rounding leaves a pixel its region, within 6 %.

    The guide's integers are off by at most a step and what the rounding of its weights does, so
    that only pixels of which two channels are nearer to each other may take another kernel.
    """
    op = CASES[name]
    op = replace(op, norm=op.m > 1, bias=op.m == 1)
    network = op.network(SHAPE)
    weights, x, made = dynamic.on_reals(network)
    of = kernels_of_code if op.version == "code" else kernels_of_paper
    kernels = of(op, weights, x)
    guide = guide_of(op, weights, x, made.shape[1:])
    expected = dynamic.affine(weights["drconv"], by_the_equation(op, kernels, guide, x))
    assert np.allclose(made, expected, rtol=1e-4, atol=1e-4)
    assert len(np.unique(guide.argmax(axis=0))) == op.m  # every region has pixels
    found = dynamic.on_integers(network)
    ordered = np.sort(guide, axis=0)
    sure = np.full(guide.shape[1:], True)
    if op.m > 1:
        sure = ordered[-1] - ordered[-2] > 2 * error_of_guide(op, network, weights, x)
        assert sure.mean() > 0.5
    error = np.abs(found - expected)[:, sure].max()
    assert error < 0.06 * np.abs(expected).max()


def error_of_guide(op, network, weights, x):
    """By how much the guide's integers are off at most: those of x, of its weights, and its own."""
    graph = with_values(network, 0).graph
    real = weights["drconv_guide"]
    kernel = np.abs(real.kernel.reshape(op.m, -1).astype(np.float64))
    step = float(graph.type(INPUT).quantisation.scale)
    steps = kernel.max(axis=1) / 127
    of_map = kernel.sum(axis=1) * step / 2
    of_weights = steps / 2 * kernel.shape[1] * (np.abs(x).max() + step / 2)
    made = float(graph.type("drconv_guide").quantisation.scale)
    return (of_map + of_weights).max() + made


@pytest.mark.parametrize("way", [pytest.param("expand", marks=pytest.mark.full), "bucket"])
@pytest.mark.parametrize("name", CASES)
def test_every_level_and_a_batch(name, way):
    """Every image has kernels and regions of its own; registers have the clocks of the schedule."""
    network = replace(CASES[name], way=way, bias=True).network(SHAPE)
    design = ax.Hardware(ax.SystolicArray(5, 4))
    sums, cycle = (ax.simulate(network, design, fidelity=f, batch=2) for f in ("golden", "cycle"))
    assert cycle.values_equal
    assert [x.cycles for x in cycle.layers] == [x.cycles for x in sums.layers]
    assert np.array_equal(cycle.output, sums.output)
    cost = cycle.layers[-1]
    assert (cost.op, cost.way) == ("region_conv", way)
    assert cost.cycles_min <= cost.cycles <= cost.cycles_max


@pytest.mark.parametrize("name", CASES)
def test_on_integers_the_layers_are_the_equation_exactly(name):
    """Attentions are given; guide, kernels and sums follow in integers, with many ties."""
    op, rng = CASES[name], np.random.default_rng(5)
    network = op.network(SHAPE)
    x = rng.integers(-128, 128, SHAPE)
    region_conv = network.layers[-1]
    size = network.shape(region_conv.name)[1:]
    size_of = network.shape("drconv_kernels")
    shape = op.m, op.out_channels, SHAPE[0], *op.kernel
    if op.version == "code":
        a, bank = dynamic.integers(rng, op.m, op.nw), dynamic.integers(rng, size_of[0], op.nw)
        given = {"drconv_attention": a.T[:, :, None]}
        trained = {"drconv_kernels": Trained(bank[..., None, None])}
        kernels = np.einsum("tj,wj->tw", a, bank).reshape(shape)
    else:
        values = dynamic.integers(rng, op.m, op.m, *op.kernel)
        filters = dynamic.integers(rng, op.m, op.out_channels * SHAPE[0], op.m)
        offset = dynamic.integers(rng, size_of[0])
        given = {"drconv_fc": values.reshape(op.m**2, *op.kernel)}
        trained = {"drconv_kernels": Trained(filters.reshape(-1, op.m, 1, 1), None, offset)}
        kernels = np.einsum("twj,tjyx->twyx", filters, values).reshape(shape)
        kernels = kernels + offset.reshape(*shape[:3], 1, 1)
    guide = rng.integers(-2, 3, network.shape(region_conv.inputs[1]))
    given[region_conv.inputs[1]] = guide
    assert op.m == 1 or (np.sort(guide, axis=0)[-1] == np.sort(guide, axis=0)[-2]).any()
    every = [naive.conv2d(x, w, op.stride, sides(op)) for w in kernels]
    found = golden(network, trained, x, given)
    for y, column in np.ndindex(*size):
        here = guide[:, y, column].tolist()
        chosen = every[here.index(max(here))]
        assert np.array_equal(found[:, y, column], chosen[:, y, column])


# 64 channels of 56 x 56, 3 x 3, 8 regions; products of the convolution, the kernels, the guide.
@pytest.mark.parametrize(
    ("version", "params", "macs"),
    [
        ("code", 299_072 + 512, 115_605_504 + 2_359_296 + 4_096 + 1_605_632),
        ("paper", 299_072 + 4_616, 115_605_504 + 2_396_160 + 14_450_688),
    ],
)
def test_costs(version, params, macs):
    network = DrConv(64, (3, 3), padding=1, version=version).network((64, 56, 56))
    assert (network.total_params, network.total_macs) == (params, macs)


@pytest.mark.parametrize(("c", "k", "m", "kernel"), [(5, 7, 3, (3, 3)), (4, 2, 6, (1, 1))])
def test_costs_of_the_version_of_the_paper(c, k, m, kernel):
    taps, pixels = kernel[0] * kernel[1], 30
    op = DrConv(k, kernel, padding=kernel[0] // 2, m=m, version="paper")
    network = op.network((c, 6, 5))
    params = c * m**2 + m**2 + m * c * k * m + m * c * k + c * m * taps + m
    macs = k * c * taps * pixels + taps * (c * m**2 + m**2 * c * k) + c * m * taps * pixels
    assert (network.total_params, network.total_macs) == (params, macs)


# In millions, of the authors' network: counted by the equations from its layers, not by us.
SHUFFLENET = {
    ("x0_5", None): (1.367, 40.48),
    ("x0_5", 4): (2.233, 45.3),
    ("x0_5", 8): (2.293, 50.1),
    ("x1_0", None): (2.280, 145.8),
    ("x1_0", 4): (None, 169.6),
    ("x1_0", 8): (None, 193.5),
}


def authors_shufflenet(width):
    """The first unit leaves its input's 24 channels on the left, where torchvision makes half."""
    network = networks.get(f"shufflenet_v2_{width}")
    outputs = network.shape("b1.concat")[0]
    wide = {"b1.left": Pointwise(24), "b1.project": Pointwise(outputs - 24)}
    layers = (replace(each, op=wide.get(each.name, each.op)) for each in network.layers)
    return replace(network, layers=tuple(layers))


@pytest.mark.parametrize(("width", "m"), SHUFFLENET)
def test_published_costs(width, m):
    network = authors_shufflenet(width)
    if m is not None:
        network = apply(network, f"drconv:m={m}")
    params, macs = SHUFFLENET[width, m]
    assert params is None or round(network.total_params / 1e6, 3) == params
    assert round(network.total_macs / 1e6, len(str(macs).split(".")[1])) == macs


def test_a_block_shares_its_guide():
    plain, network = (networks.get("shufflenet_v2_x0_5", v) for v in ("baseline", "drconv:m=4"))
    replaced = [x.name for x in network.layers if isinstance(x.op, RegionConv)]
    units = [f"b{n}" for n in range(1, 17)]
    assert replaced == [f"{unit}.{part}" for unit in units for part in ("expand", "project")]
    for unit in units:
        first, second = (network.layer(f"{unit}.{part}") for part in ("expand", "project"))
        guide = first.inputs[1]
        assert guide == f"{unit}.expand_guide"
        assert network.layer(guide).inputs == first.inputs[:1]
        strided = plain.shape(f"{unit}.dw") != plain.shape(f"{unit}.expand")
        if strided:  # of the nearest pixels where the map shrinks
            nearest = network.layer(second.inputs[1])
            assert nearest.op == Resize(plain.shape(f"{unit}.project")[1:])
            assert nearest.inputs == (guide,)
        else:
            assert second.inputs[1] == guide
    assert all(network.shape(x.name) == plain.shape(x.name) for x in plain.layers)


def test_in_a_chain_of_blocks_every_second_one_has_the_guide_before():
    network = networks.get("mobilenet_v1", "drconv:m=2,nw=2")
    guides = {
        layer.name: next(name for name in layer.inputs if "guide" in name or "nearest" in name)
        for layer in network.layers
        if isinstance(layer.op, RegionConv)
    }
    assert list(guides) == [f"b{n}.project" for n in range(1, 14)]
    for n in range(1, 14):
        guide = guides[f"b{n}.project"]
        if guide.endswith("nearest"):
            (guide,) = network.layer(guide).inputs
        assert guide == f"b{n if n % 2 else n - 1}.project_guide"


def test_what_is_replaced():
    """Dense convolutions but the first, and 1 x 1 only as the two around a depthwise one."""
    for name, kept in (
        ("resnet18", {"stem", "fc"}),
        ("mobilenet_v1", {"stem", "fc"}),
        ("mobilenet_v2", {"stem", "head", "fc"}),
    ):
        plain, network = networks.get(name), networks.get(name, "drconv:m=2,nw=2")
        dense = [
            x
            for x in plain.layers
            if any(not p.conv.depthwise for p in x.op.lower(*plain.in_shapes(x)))
        ]
        left = {x.name for x in dense if network.layer(x.name) == x}
        assert kept <= left
        assert len(dense) - len(left) == sum(isinstance(x.op, RegionConv) for x in network.layers)
        for x in left - kept:
            (conv,) = (
                piece.conv for piece in plain.layer(x).op.lower(*plain.in_shapes(plain.layer(x)))
            )
            assert (conv.fh, conv.fw) == (1, 1)


def test_what_does_not_fit_stays():
    layers = (
        Layer("stem", Conv2d(4, (3, 3)), (INPUT,)),
        Layer("first", Conv2d(4, (3, 3), padding=1), ("stem",)),
        Layer("first_guide", Pointwise(4), ("first",)),
        Layer("up", Pointwise(8), ("first_guide",)),
        Layer("up_guide", Depthwise((3, 3)), ("up",)),
        Layer("down", Pointwise(4), ("up_guide",)),
        Layer("last", Conv2d(6, (3, 3), padding=1), ("down",)),
    )
    with pytest.warns(AccelsimWarning) as seen:
        made = apply(Network("n", (3, 9, 8), layers), "drconv:m=2")
    said = "; ".join(str(each.message) for each in seen)
    assert "needs a layer first_guide, and there is one already (layer first)" in said
    assert "needs a layer up_guide, and there is one already (layer up)" in said
    assert isinstance(made.layer("last").op, RegionConv)
    assert not isinstance(made.layer("first").op, RegionConv)


TOML = """
name = "n"
input = [8, 9, 9]
[[layer]]
name = "it"
op = "drconv"
out_channels = 6
kernel = [3, 3]
padding = 1
norm = true
m = 2
nw = 4
[[layer]]
name = "next"
op = "drconv"
out_channels = 6
kernel = [1, 1]
stride = [2, 2]
m = 2
guide = "it_guide"
resized = true
"""


def test_in_a_file(tmp_path):
    path = tmp_path / "n.toml"
    path.write_text(TOML)
    network = load(path)
    first = DrConv(6, (3, 3), padding=1, norm=True, m=2, nw=4).expand("it", (INPUT,), (8, 9, 9))
    assert network.layers[: len(first)] == first
    assert network.layer("next").inputs == ("it", "next_nearest", "next_kernels")
    assert network.layer("next_nearest").inputs == ("it_guide",)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DrConv(4, (3, 3), m=0), "m must be a whole number from 1 to 256, not 0"),
        (lambda: DrConv(4, (3, 3), m=257), "m must be a whole number from 1 to 256, not 257"),
        (lambda: DrConv(4, (3, 3), nw=0), "nw must be a whole number from 1 to 4096, not 0"),
        (lambda: DrConv(4, (3, 3), version="b"), "version must be one of code, paper, not 'b'"),
        (lambda: DrConv(4, (3, 3), way="both"), "way must be one of auto, expand, bucket"),
        (lambda: DrConv(4, (3, 3), groups=2), "groups must be 1, as the kernels are dense, not 2"),
        (lambda: DrConv(4, (3, 3), guide=1), "guide must be of type str, not 1"),
        (
            lambda: DrConv(4, (3, 3), version="paper", guide="a"),
            "guide is of version code; version paper has one for each layer",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("drconv:m=300", "key m of variant drconv must be a whole number from 1 to 256, not 300"),
        ("drconv:way=x", "key way of variant drconv must be one of auto, expand, bucket, not x"),
        ("drconv:n=2", "variant drconv takes only the keys m, nw, version, way, not 'n'"),
    ],
)
def test_mistakes_in_a_variant(variant, message):
    with pytest.raises(NetworkError, match=message):
        networks.get("resnet18", variant)
