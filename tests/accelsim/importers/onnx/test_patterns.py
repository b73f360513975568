"""What exporters take apart is one layer, of the values that onnxruntime has of the parts."""

from pathlib import Path

import numpy as np
import pytest

from tests.accelsim.importers.onnx.graphs import check, model, node, reals

F = np.float32
SCALARS = {
    name: np.array(value, F)
    for name, value in {
        "zero": 0,
        "half": 0.5,
        "one": 1,
        "two": 2,
        "three": 3,
        "six": 6,
        "sixth": 1 / 6,
        "root2": 2**0.5,
        "root_half": 0.5**0.5,
        "cubic": 0.044715,
        "root": (2 / np.pi) ** 0.5,
        "eps": 1e-6,
    }.items()
}
RELU6_OF_3_MORE = (node("Add", "x three", "a"), node("Clip", "a zero six", "b"))
ERF = (node("Div", "x root2", "a"), node("Erf", "a", "b"), node("Add", "b one", "c"))
TANH = (
    node("Pow", "x three", "a"),
    node("Mul", "cubic a", "b"),
    node("Add", "x b", "c"),
    node("Mul", "c root", "d"),
    node("Tanh", "d", "e"),
    node("Add", "one e", "f"),
)
CASES = {
    "hard-swish, multiplied first": (
        "HardSwish",
        (*RELU6_OF_3_MORE, node("Mul", "x b", "c"), node("Div", "c six", "y")),
    ),
    "hard-swish, divided first": (
        "HardSwish",
        (*RELU6_OF_3_MORE, node("Div", "b six", "c"), node("Mul", "c x", "y")),
    ),
    "hard-swish, times a sixth": (
        "HardSwish",
        (*RELU6_OF_3_MORE, node("Mul", "sixth b", "c"), node("Mul", "x c", "y")),
    ),
    "hard-swish by hard-sigmoid": (
        "HardSwish",
        (node("HardSigmoid", "x", "a", alpha=1 / 6), node("Mul", "a x", "y")),
    ),
    "hard-sigmoid": ("HardSigmoid", (*RELU6_OF_3_MORE, node("Div", "b six", "y"))),
    "swish": ("Swish", (node("Sigmoid", "x", "a"), node("Mul", "x a", "y"))),
    "gelu, halved last": ("Gelu", (*ERF, node("Mul", "x c", "d"), node("Mul", "d half", "y"))),
    "gelu, halved first": ("Gelu", (*ERF, node("Mul", "x half", "d"), node("Mul", "d c", "y"))),
    "gelu, erf halved": ("Gelu", (*ERF, node("Mul", "half c", "d"), node("Mul", "d x", "y"))),
    "gelu by tanh": ("Gelu", (*TANH, node("Mul", "x f", "g"), node("Mul", "g half", "y"))),
}


@pytest.mark.parametrize("case", CASES)
def test_activations(case: str, tmp_path: Path) -> None:
    kind, nodes = CASES[case]
    made = model(nodes, {"x": [1, 4, 5, 5]}, ["y"], SCALARS)
    network = check(tmp_path, made, {"x": 3 * reals(1, 4, 5, 5)})
    assert [layer.op.name for layer in network.layers] == [kind]
    assert network.total_params == 0


@pytest.mark.parametrize(
    ("case", "kinds"),
    [
        ("hard-swish, multiplied first", ["Add", "Clip", "Mul", "Div", "Relu"]),
        ("swish", ["Sigmoid", "Mul", "Relu"]),
        ("gelu, halved last", ["Div", "Erf", "Add", "Mul", "Mul", "Relu"]),
    ],
)
def test_what_others_read_too_stays(case: str, kinds: list[str], tmp_path: Path) -> None:
    _, nodes = CASES[case]
    made = model([*nodes, node("Relu", "a", "z")], {"x": [1, 4, 5, 5]}, ["y", "z"], SCALARS)
    network = check(tmp_path, made, {"x": 3 * reals(1, 4, 5, 5)})
    assert [layer.op.name for layer in network.layers] == kinds


@pytest.mark.parametrize(
    ("case", "changed"),
    [
        ("hard-swish, multiplied first", {"three": 2.5}),
        ("hard-swish, multiplied first", {"six": 5}),
        ("hard-swish, times a sixth", {"sixth": 0.2}),
        ("gelu, halved last", {"half": 0.25}),
        ("gelu, halved last", {"root2": 1.5}),
        ("gelu by tanh", {"cubic": 0.05}),
        ("gelu by tanh", {"three": 2}),
    ],
)
def test_other_numbers_are_no_pattern(case: str, changed: dict[str, float], tmp_path: Path) -> None:
    _, nodes = CASES[case]
    constants = SCALARS | {name: np.array(value, F) for name, value in changed.items()}
    network = check(
        tmp_path, model(nodes, {"x": [1, 4, 5, 5]}, ["y"], constants), {"x": reals(1, 4, 5, 5)}
    )
    assert len(network.layers) == len(nodes)


@pytest.mark.parametrize("square", ["Pow", "Mul"])
@pytest.mark.parametrize("divide", ["Div", "Reciprocal"])
def test_layer_norm(square: str, divide: str, tmp_path: Path) -> None:
    nodes = [
        node("ReduceMean", "x", "m", axes=[-1]),
        node("Sub", "x m", "d"),
        node("Pow", "d two", "s") if square == "Pow" else node("Mul", "d d", "s"),
        node("ReduceMean", "s", "v", axes=[-1]),
        node("Add", "v eps", "e"),
        node("Sqrt", "e", "r"),
    ]
    if divide == "Div":
        nodes.append(node("Div", "d r", "n"))
    else:
        nodes += [node("Reciprocal", "r", "i"), node("Mul", "d i", "n")]
    nodes += [node("Mul", "n gamma", "g"), node("Add", "g beta", "y")]
    constants = SCALARS | {"gamma": reals(7), "beta": reals(7, seed=1)}
    made = model(nodes, {"x": [1, 5, 7]}, ["y"], constants)
    network = check(tmp_path, made, {"x": reals(1, 5, 7)})
    assert [layer.op.name for layer in network.layers] == ["LayerNormalization"]
    assert network.total_params == 14


def test_means_over_an_image_are_pools(tmp_path: Path) -> None:
    made = model([node("ReduceMean", "x", "y", axes=[-1, -2])], {"x": [1, 3, 4, 5]}, ["y"])
    network = check(tmp_path, made, {"x": reals(1, 3, 4, 5)})
    assert [layer.op.name for layer in network.layers] == ["GlobalAveragePool"]


def test_channel_shuffle(tmp_path: Path) -> None:
    constants = {"there": np.array([1, 3, 2, 4, 5]), "back": np.array([1, 6, 4, 5])}
    nodes = [
        node("Reshape", "x there", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "b back", "y"),
    ]
    made = model(nodes, {"x": [1, 6, 4, 5]}, ["y"], constants)
    network = check(tmp_path, made, {"x": reals(1, 6, 4, 5)})
    assert [layer.op.name for layer in network.layers] == ["ChannelShuffle"]


NORM = {
    name: reals(6, seed=seed) for seed, name in enumerate(("gamma", "beta", "mean"), start=2)
} | {"variance": np.square(reals(6, seed=5)) + F(0.1)}


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("kind", ["Conv", "grouped", "ConvTranspose", "Gemm", "Gemm, transposed"])
def test_batch_norms_are_folded(kind: str, with_bias: bool, tmp_path: Path) -> None:
    name, *how = kind.split(", ")
    shape: tuple[int, ...] = (1, 4, 5, 5)
    attributes: dict[str, object] = {}
    if name == "Gemm":
        shape, weights = (1, 4), reals(6, 4) if how else reals(4, 6)
        attributes["transB"] = len(how)
    elif name == "grouped":
        name, weights, attributes = "Conv", reals(6, 2, 3, 3), {"group": 2}
    else:
        weights = reals(6, 4, 3, 3) if name == "Conv" else reals(4, 3, 3, 3)
        attributes["group"] = 1 if name == "Conv" else 2
    constants = {"w": weights, "b": reals(6, seed=9)} | NORM
    nodes = [
        node(name, "x w b" if with_bias else "x w", "a", **attributes),
        node("BatchNormalization", "a gamma beta mean variance", "y", epsilon=1e-3),
    ]
    made = model(nodes, {"x": shape}, ["y"], constants)
    network = check(tmp_path, made, {"x": reals(*shape)})
    (layer,) = network.layers
    assert layer.norm
    assert network.total_params == weights.size + 6 * with_bias + 12


def test_a_batch_norm_elsewhere_is_on_the_host(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "a"),
        node("BatchNormalization", "a gamma beta mean variance", "y"),
    ]
    network = check(
        tmp_path, model(nodes, {"x": [1, 6, 3, 3]}, ["y"], NORM), {"x": reals(1, 6, 3, 3)}
    )
    assert [layer.op.name for layer in network.layers] == ["Relu", "BatchNormalization"]
    assert network.total_params == 12  # gamma and beta; mean and variance are not trained


@pytest.mark.parametrize(
    ("kind", "weights", "shape", "bias"),
    [
        ("Conv", (6, 4, 3, 3), (1, 4, 5, 5), (6, 1, 1)),
        ("Conv", (6, 4, 3, 3), (1, 4, 5, 5), (1, 6, 1, 1)),
        ("MatMul", (4, 6), (1, 4), (6,)),
        ("MatMul", (4, 6), (1, 5, 4), (6,)),
        ("MatMul", (4, 6), (1, 4), (1, 6)),
    ],
)
def test_sums_with_constants_are_biases(
    kind: str,
    weights: tuple[int, ...],
    shape: tuple[int, ...],
    bias: tuple[int, ...],
    tmp_path: Path,
) -> None:
    constants = {"w": reals(*weights), "b": reals(*bias)}
    made = model([node(kind, "x w", "a"), node("Add", "b a", "y")], {"x": shape}, ["y"], constants)
    network = check(tmp_path, made, {"x": reals(*shape)})
    assert network.layers[-1].bias
    assert not [layer for layer in network.layers if layer.op.name == "Add"]
    assert network.total_params == constants["w"].size + 6


@pytest.mark.parametrize("shape", [(5, 1), (1, 5, 6), (4, 1, 1, 1)])
def test_other_sums_with_constants_are_no_biases(shape: tuple[int, ...], tmp_path: Path) -> None:
    constants = {"w": reals(4, 6), "b": reals(*shape)}
    nodes = [node("MatMul", "x w", "a"), node("Add", "a b", "y")]
    network = check(
        tmp_path, model(nodes, {"x": [1, 5, 4]}, ["y"], constants), {"x": reals(1, 5, 4)}
    )
    assert [layer.op.name for layer in network.layers if "in" not in layer.name] == [
        "pointwise",
        "Add",
    ]


@pytest.mark.parametrize("value", ["pads", "pads -", "pads zero"])
def test_padding_before_a_convolution_is_its_own(value: str, tmp_path: Path) -> None:
    constants = SCALARS | {"w": reals(6, 4, 3, 3), "pads": np.array([0, 0, 1, 2, 0, 0, 3, 0])}
    nodes = [
        node("Pad", f"x {value}", "a"),
        node("Conv", "a w", "y", pads=[0, 1, 0, 1], strides=[2, 1]),
    ]
    network = check(
        tmp_path, model(nodes, {"x": [1, 4, 7, 5]}, ["y"], constants), {"x": reals(1, 4, 7, 5)}
    )
    assert [layer.op.name for layer in network.layers] == ["conv2d"]


@pytest.mark.parametrize(
    ("pads", "value", "mode"),
    [
        ([0, 0, -1, 0, 0, 0, 0, 0], "zero", "constant"),
        ([0, 1, 0, 0, 0, 0, 0, 0], "zero", "constant"),
        ([0, 0, 1, 0, 0, 0, 0, 0], "one", "constant"),
        ([0, 0, 1, 0, 0, 0, 0, 0], "zero", "reflect"),
    ],
)
def test_other_padding_stays(pads: list[int], value: str, mode: str, tmp_path: Path) -> None:
    constants = SCALARS | {"w": reals(6, 4 + pads[1], 3, 3), "pads": np.array(pads)}
    nodes = [node("Pad", f"x pads {value}", "a", mode=mode), node("Conv", "a w", "y")]
    network = check(
        tmp_path, model(nodes, {"x": [1, 4, 7, 5]}, ["y"], constants), {"x": reals(1, 4, 7, 5)}
    )
    assert [layer.op.name for layer in network.layers] == ["Pad", "conv2d"]
