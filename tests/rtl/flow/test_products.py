"""Products of two maps, at all levels: heads, transposed or not, and sizes that fit nothing."""

from itertools import cycle

import numpy as np
import pytest

import accelsim as ax
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import Conv2d, Matmul, Pointwise, Resize
from accelsim.reuse import moved
from rtl.flow.cosim import level
from tests.accelsim.values import on_layer
from tests.naive import operators as naive

FULL = pytest.mark.full
ARRAY = ax.Hardware(ax.SystolicArray(4, 3, bank_depth=32))
BOTH = ax.Hardware(ax.SystolicArray(4, 3), depthwise=ax.DepthwiseEngine(2, 4))
VERILATED = ax.Hardware(ax.SystolicArray(5, 3, bank_depth=1024))  # which other tests build too


def network(m, n, k, heads=1, transpose_b=False):
    """A B for every head: m x k times k x n, or A B^T."""
    channels, pixels = (heads * k, n) if transpose_b else (heads * n, k)
    layers = (
        Layer("small", Resize((pixels, 1)), (INPUT,)),
        Layer("b", Pointwise(channels), ("small",)),
        Layer("product", Matmul(heads, transpose_b), (INPUT, "b")),
    )
    return Network("product", (heads * k, m, 1), layers)


def by_hand(net):
    """The product's sums by naive loops, from the maps that the layer reads."""
    layer = net.layer("product")
    done = on_layer(net, "product", 3)
    halves = [np.split(each, layer.op.heads) for each in done.inputs]
    sums = []
    for a, b in zip(*halves, strict=True):
        right = naive.pixels(b).T if layer.op.transpose_b else naive.pixels(b)
        sums.append(naive.matmul(naive.pixels(a), right).T)
    assert np.array_equal(done.sums[:, :, 0], np.concatenate(sums))


def agree(net, hardware, simulator="amaranth", **options):
    found = ax.cosim(net, "product", hardware, level(hardware, simulator), seed=3, **options)
    assert found.values_equal
    assert found.cycles_equal
    return found


# One of each: a single token, primes, several heads, one channel a head, K beyond half a bank.
SIZES = {
    "token": network(1, 5, 7),
    "vector": network(1, 1, 3, 2, True),
    "primes": network(7, 5, 11, 1, True),
    "heads": network(5, 7, 3, 3),
    "wide": network(6, 5, 4, 2, True),
    "long": network(5, 4, 41, 1, True),
    "longer": network(3, 2, 37, 2),
}


RUNS = [
    *zip(SIZES, cycle(("os", "ws", "is")), strict=False),
    ("long", "ws"),
    ("longer", "is"),
]


@pytest.mark.parametrize(("name", "dataflow"), RUNS)
def test_all_levels_agree(name, dataflow):
    by_hand(SIZES[name])
    assert agree(SIZES[name], ARRAY, dataflow=dataflow).dataflow == dataflow


@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=FULL) for s in range(2, 20))])
def test_random_products_agree_in_verilator(seed):
    rng = np.random.default_rng((12, seed))
    m, n, heads = map(int, rng.integers(1, [40, 30, 5]))
    k = int(rng.integers(1, 60))
    net = network(m, n, k, heads, bool(seed % 2))
    by_hand(net)
    agree(net, VERILATED, "verilator")


@pytest.mark.parametrize(("batch", "name", "dataflow"), [(3, "wide", "ws"), (2, "long", "os")])
def test_every_image_has_its_own_product(batch, name, dataflow):
    agree(SIZES[name], ARRAY, dataflow=dataflow, batch=batch)


@pytest.mark.parametrize("place", ["array", "engine"])
def test_heads_of_one_channel_are_a_depthwise_layer(place):
    net = network(5, 3, 1, 6, True)
    by_hand(net)
    found = agree(net, BOTH, depthwise_on=place)
    assert found.engine == ("array" if place == "array" else "depthwise")


@pytest.mark.parametrize("name", SIZES)
def test_every_fidelity_film_and_report(name):
    net = SIZES[name]
    schedule, stepped = (ax.simulate(net, ARRAY, fidelity=f) for f in ("schedule", "cycle"))
    assert stepped.values_equal
    assert [x.cycles for x in stepped.layers] == [x.cycles for x in schedule.layers]
    cycles = schedule.layers[-1].cycles
    assert ax.film(net, "product", ARRAY).cycles == cycles
    assert ax.csynth(net, "product", ARRAY).report.latency_cycles == cycles


def test_a_product_costs_what_the_convolution_with_that_kernel_costs():
    net = network(12, 9, 10, 2, True)
    twin = Network("twin", (20, 12, 1), (Layer("a", Conv2d(18, (1, 1), groups=2), (INPUT,)),))
    product, conv = (ax.simulate(each, ARRAY).layers[-1] for each in (net, twin))
    assert (product.cycles, product.macs) == (conv.cycles, conv.macs) == (conv.cycles, 2160)
    assert (product.params, conv.params) == (0, 180)
    # Both inputs are maps that are read: where nothing stays on chip, once each.
    assert moved(net, 1, 1)[-1].read == 20 * 12 + 20 * 9


def test_a_wrong_kernel_is_seen(monkeypatch):
    """The registers multiply with the map that the layer has, golden with another."""
    right = Matmul.golden

    def wrong(op, weights, a, b):
        return right(op, weights, a, b[::-1])

    monkeypatch.setattr(Matmul, "golden", wrong)
    assert ax.simulate(SIZES["primes"], ARRAY, fidelity="cycle").values_equal is False


def test_published_timings_see_a_matrix_product():
    design = ax.Hardware(ax.SystolicArray(4, 4))
    fixed = Network("n", (11, 7, 1), (Layer("a", Pointwise(5), (INPUT,)),))
    expected = ax.simulate(fixed, design, "os", timing="scalesim").total_cycles
    found = ax.simulate(SIZES["primes"], design, "os", timing="scalesim", layers="product")
    assert found.total_cycles == expected > 0
    with pytest.raises(ax.errors.UnsupportedError, match=r"3 groups of 9 channels.* \(layer prod"):
        ax.simulate(SIZES["heads"], design, "os", timing="scalesim", layers="product")
