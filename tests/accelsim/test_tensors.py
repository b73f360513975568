"""Types of maps: what they can be, which edges of a network have them, and what engines refuse."""

from dataclasses import replace

import pytest

import accelsim as ax
from accelsim.errors import AccelsimError, NetworkError, ShapeError, UnsupportedError
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import ChannelShuffle, Concat, Depthwise, GlobalPool, Linear, Slice
from accelsim.tensors import DTYPES, Tensor, check_operand

LAYERS = (
    Layer("dw", Depthwise((3, 3), (2, 2)), (INPUT,)),
    Layer("pool", GlobalPool(), ("dw",)),
    Layer("fc", Linear(5), ("pool",)),
)
NETWORK = Network("small", (2, 6, 4), LAYERS)
DESIGN = ax.Hardware(ax.SystolicArray(4, 4), depthwise=ax.DepthwiseEngine(2, 2))


def test_every_edge_has_a_tensor():
    shapes = {INPUT: (2, 6, 4), "dw": (2, 3, 2), "pool": (2, 1, 1), "fc": (5, 1, 1)}
    for name, shape in shapes.items():
        assert NETWORK.tensor(name) == Tensor(shape)
        assert NETWORK.tensor(name).dtype == "int8"
        assert NETWORK.shape(name) == shape
    assert NETWORK.in_shapes(LAYERS[2]) == ((2, 1, 1),)


def test_a_layer_says_the_type_of_its_map():
    layers = (replace(LAYERS[0], dtype="uint8"), *LAYERS[1:])
    network = Network("small", (2, 6, 4), layers, dtype="int16")
    assert [network.tensor(name).dtype for name in (INPUT, "dw", "pool")] == [
        "int16",
        "uint8",
        "int8",
    ]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Tensor((2, 0, 3)), ShapeError, r"shape must be three whole .*, not \(2, 0, 3\)"),
        (lambda: Tensor((2, 3)), ShapeError, r"shape must be three whole .*, not \(2, 3\)"),
        (lambda: Tensor((2, 3, 1.5)), ShapeError, r"shape must be .*, not \(2, 3, 1.5\)"),
        (lambda: Tensor([2, 3, 1]), ShapeError, r"shape must be .*, not \[2, 3, 1\]"),
        (lambda: Tensor((1, 1, 1), "int4"), NetworkError, "dtype must be one of .*, not 'int4'"),
        (lambda: Tensor((1, 1, 1), scale=0.0), NetworkError, "scale must be above 0 .*, not 0.0"),
        (lambda: Tensor((1, 1, 1), scale=float("nan")), NetworkError, "scale must be .*, not nan"),
        (
            lambda: Tensor((1, 1, 1), "uint8", 0.5, 256),
            NetworkError,
            "zero_point must be a whole number from 0 to 255, as uint8 is, not 256",
        ),
        (lambda: Tensor((True, 2, 3)), ShapeError, r"shape must be .*, not \(True, 2, 3\)"),
        (lambda: Tensor((1, 1, 1), scale="1"), NetworkError, "scale must be above 0 .*, not '1'"),
        (
            lambda: Tensor((1, 1, 1), zero_point=1.5),
            NetworkError,
            "zero_point must be a whole number from -128 to 127, as int8 is, not 1.5",
        ),
        (
            lambda: Network("n", (2, 6, 4), (replace(LAYERS[0], dtype="bool"),)),
            NetworkError,
            r"dtype must be one of int8, .*, not 'bool' \(layer dw\)",
        ),
        (lambda: Network("n", (2, -6, 4), LAYERS), ShapeError, "shape must be .* not .2, -6, 4"),
    ],
)
def test_what_is_no_type(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()


def test_scale_and_zero_point_are_kept():
    tensor = Tensor((1, 2, 3), "uint8", 0.25, 128)
    assert (tensor.scale, tensor.zero_point) == (0.25, 128)


@pytest.mark.parametrize("dtype", DTYPES)
def test_engines_take_int8(dtype):
    tensor = Tensor((1, 1, 1), dtype)
    if dtype == "int8":
        check_operand(tensor)
    else:
        with pytest.raises(UnsupportedError, match=f"map of {dtype}, and engines take int8 only"):
            check_operand(tensor)


@pytest.mark.parametrize("op", [Concat(), ChannelShuffle(2), Slice((0, 1))], ids=lambda op: op.name)
def test_an_alias_has_the_type_of_its_inputs(op):
    """Nothing is converted, so that what no engine takes remains so behind it."""
    layers = (replace(LAYERS[0], dtype="uint8"), Layer("alias", op, ("dw",), dtype="uint8"))
    assert Network("n", (2, 6, 4), layers).tensor("alias").dtype == "uint8"
    message = rf"^{op.name} only addresses .* theirs, uint8, not int8 \(layer alias\)$"
    with pytest.raises(NetworkError, match=message):
        Network("n", (2, 6, 4), (layers[0], replace(layers[1], dtype="int8")))


def test_a_map_that_no_engine_takes_is_refused_where_it_is_read():
    layers = (LAYERS[0], replace(LAYERS[1], dtype="uint8"), LAYERS[2])
    network = Network("small", (2, 6, 4), layers)
    assert ax.simulate(network, DESIGN, layers="dw..pool").total_cycles > 0
    with pytest.raises(UnsupportedError, match=r"^layer fc reads a map of uint8, and .* take int8"):
        ax.simulate(network, DESIGN)


@pytest.mark.parametrize("fidelity", ["golden", "cycle"])
def test_values_are_computed_of_int8_only(fidelity):
    network = replace(NETWORK, dtype="uint8")
    message = "^values are computed of maps of int8 only, and input of small is of uint8$"
    with pytest.raises(AccelsimError, match=message):
        ax.simulate(network, DESIGN, fidelity=fidelity)
