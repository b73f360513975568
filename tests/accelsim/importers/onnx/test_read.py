"""What files say in many ways: storages, inputs, sizes; and what is refused in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from accelsim.errors import AccelsimError, FileError, NetworkError, UnsupportedError
from accelsim.graph.evaluate import evaluate
from accelsim.importers import load
from tests.accelsim.importers.onnx.graphs import by_onnxruntime, check, imported, model, node, reals

W = reals(4, 3, 3, 3)
CONV = node("Conv", "x w", "y")


def _conv(tensor: Any = None, nodes: tuple[Any, ...] = (CONV,), **others: Any) -> Any:
    """A convolution whose weights stand in the model as the tensor."""
    made = model(nodes, {"x": [1, 3, 5, 5]}, ["y"], **others)
    if tensor is not None:
        made.graph.initializer.append(tensor)
    return made


def _typed() -> Any:
    return helper.make_tensor("w", TensorProto.FLOAT, W.shape, W.ravel())


def _half() -> Any:
    return helper.make_tensor("h", TensorProto.FLOAT16, W.shape, W.astype(np.float16).ravel())


STORAGES = {
    "raw": _conv(numpy_helper.from_array(W, "w")),
    "typed": _conv(_typed()),
    "Constant": _conv(
        nodes=(node("Constant", "", "w", value=numpy_helper.from_array(W)), CONV),
    ),
    "ConstantOfShape": _conv(
        numpy_helper.from_array(np.array(W.shape), "s"),
        (node("ConstantOfShape", "s", "w", value=numpy_helper.from_array(W[0, 0, 0, :1])), CONV),
    ),
    "Identity": _conv(numpy_helper.from_array(W, "v"), (node("Identity", "v", "w"), CONV)),
    "Transpose": _conv(
        numpy_helper.from_array(W.transpose(2, 3, 1, 0).copy(), "v"),
        (node("Transpose", "v", "w", perm=[3, 2, 0, 1]), CONV),
    ),
    "Cast of float16": _conv(_half(), (node("Cast", "h", "w", to=TensorProto.FLOAT), CONV)),
    "DequantizeLinear": _conv(
        numpy_helper.from_array((W * 50).astype(np.int8), "v"),
        (
            node("Constant", "", "s", value_floats=[0.1, 0.2, 0.3, 0.4]),
            node("DequantizeLinear", "v s", "w", axis=0),
            CONV,
        ),
    ),
}


@pytest.mark.parametrize("storage", STORAGES)
def test_weights_in_any_storage(storage: str, tmp_path: Path) -> None:
    network = check(tmp_path, STORAGES[storage], {"x": reals(1, 3, 5, 5)}, atol=1e-4)
    assert [layer.op.name for layer in network.layers] == ["conv2d"]
    assert network.total_params == W.size


def test_weights_of_another_type_are_cast(tmp_path: Path) -> None:
    made = model(
        [CONV], {"x": [1, 3, 5, 5]}, ["y"], {"w": W.astype(np.float16)}, dtype=TensorProto.FLOAT16
    )
    network = imported(tmp_path, made)
    x = reals(1, 3, 5, 5).astype(np.float16)
    result = evaluate(network.graph, {"x": x})["y"]
    assert result.dtype == np.float16
    expected = by_onnxruntime(_conv(numpy_helper.from_array(W, "w")), {"x": x.astype(np.float32)})
    np.testing.assert_allclose(result, expected["y"], atol=0.05)


def _save_with_external_data(path: Path, w: np.ndarray = W) -> None:
    """The weights in far.data."""
    made = _conv(numpy_helper.from_array(w, "w"))  # which becomes the external form
    onnx.save(made, path, save_as_external_data=True, location="far.data", size_threshold=0)


def test_costs_alone_read_no_weights(tmp_path: Path) -> None:
    path, w = tmp_path / "far.onnx", reals(64, 3, 3, 3)
    _save_with_external_data(path, w)
    network = load(path)
    assert network.total_params == w.size
    (tmp_path / "far.data").write_bytes(bytes(4 * w.size))  # after the import
    assert not evaluate(network.graph, {"x": reals(1, 3, 5, 5)})["y"].any()


def test_external_data(tmp_path: Path) -> None:
    path = tmp_path / "far.onnx"
    _save_with_external_data(path)
    x = reals(1, 3, 5, 5)
    expected = by_onnxruntime(_conv(numpy_helper.from_array(W, "w")), {"x": x})
    made = evaluate(load(path).graph, {"x": x})
    np.testing.assert_allclose(made["y"], expected["y"], atol=1e-5)
    (tmp_path / "far.data").write_bytes(bytes(100))
    with pytest.raises(FileError, match=r"far\.onnx: tensor 'w' needs 432 bytes from 0 on of far"):
        load(path)
    (tmp_path / "far.data").unlink()
    with pytest.raises(FileError, match=r"tensor 'w' is to be read from 'far\.data': No such file"):
        load(path)


@pytest.mark.parametrize("place", ["../far.data", "/etc/passwd", ""])
def test_external_data_elsewhere_is_not_read(place: str, tmp_path: Path) -> None:
    (tmp_path / "far.data").write_bytes(bytes(4 * W.size))
    made = _conv(numpy_helper.from_array(W, "w"))
    onnx.external_data_helper.set_external_data(made.graph.initializer[0], place)
    made.graph.initializer[0].ClearField("raw_data")
    (tmp_path / "in").mkdir()
    with pytest.raises(FileError, match="which is no file beside it"):
        imported(tmp_path / "in", made)


def test_initializers_may_be_inputs(tmp_path: Path) -> None:
    made = _conv(_typed())
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, W.shape))
    assert imported(tmp_path, made).graph.inputs == ("x",)


def test_unused_operator_sets_and_missing_names_do_not_matter(tmp_path: Path) -> None:
    made = model(
        [CONV, node("Relu", "y", "z"), node("Relu", "y", "a")],
        {"x": [1, 3, 5, 5]},
        ["z", "a"],
        {"w": W},
    )
    made.opset_import.append(helper.make_opsetid("org.pytorch.aten", 1))
    for each in made.graph.node:
        each.name = "twice"
    network = imported(tmp_path, made)
    assert [layer.name for layer in network.layers] == ["twice", "twice.2", "twice.3"]


def test_nodes_in_any_order_and_without_use(tmp_path: Path) -> None:
    nodes = [node("Relu", "y", "z"), CONV, node("Loop", "x x", "q")]
    network = imported(tmp_path, model(nodes, {"x": [1, 3, 5, 5]}, ["z"], {"w": W}))
    assert [layer.op.name for layer in network.layers] == ["conv2d", "Relu"]


def test_outputs_that_are_other_names(tmp_path: Path) -> None:
    nodes = [
        CONV,
        node("Identity", "y", "a"),
        node("Identity", "y", "b"),
        node("Identity", "x", "c"),
        node("Identity", "w", "d"),
        node("Identity", "y", "e"),
        node("Relu", "e", "f"),
    ]
    made = model(nodes, {"x": [1, 3, 5, 5]}, ["a", "b", "c", "d", "f"], {"w": W})
    check(tmp_path, made, {"x": reals(1, 3, 5, 5)})


@pytest.mark.parametrize(
    ("shape", "sizes", "expected"),
    [
        (["n", 3, "h", "w"], (8, 9), (1, 3, 8, 9)),
        ([None, 3, None, None], (8, 9), (1, 3, 8, 9)),
        (["n", "h", "w", 3], (8, 9), (1, 8, 9, 3)),
        ([1, 9, 1, 1], (8, 7), (1, 9, 8, 7)),
        ([2, 3, 5, 5], None, (2, 3, 5, 5)),
        ([2, 3, 5, 5], (8, 9), (2, 3, 8, 9)),
        (["n", 3, 5, 5], None, (1, 3, 5, 5)),
        (["n", 16], None, (1, 16)),
        (["n", "t"], (1, 9), (1, 9)),
        (["n", 4, "t"], (1, 9), (1, 4, 9)),
        (["n", "n", 4], None, (1, 1, 4)),
        ([4, "batch_size", 4], None, (4, 1, 4)),
        (["n", 3, "h", "w"], {"x": (2, 3, 4, 5)}, (2, 3, 4, 5)),
    ],
)
def test_sizes(shape: list[Any], sizes: Any, expected: tuple[int, ...], tmp_path: Path) -> None:
    network = imported(tmp_path, model([node("Relu", "x", "y")], {"x": shape}, ["y"]), sizes)
    assert network.graph.type("x").shape == network.graph.type("y").shape == expected


@pytest.mark.parametrize(
    ("shape", "sizes", "message"),
    [
        (["n", 3, "h", "w"], None, r"\[n, 3, h, w\]; its height and width must be given, for"),
        (["n", "t"], None, r"for instance --input 1x1000"),
        (["n", "t"], (8, 9), r"which is one row; its size is written as --input 1x9, not 8x9"),
        (["n", "c", "h", "w"], (8, 9), r"dimension 1 of input 'x', \[n, c, h, w\], is neither"),
        (["n", 3, "h", "w"], {"z": (1, 3, 4, 5)}, r"has no input 'z'; its inputs are x"),
        (["n", 3, "h", "w"], {"x": (1, 3, 0, 5)}, r"input 'x' cannot have the shape \[1, 3, 0"),
        ([1 << 20, 1 << 20], None, r"input 'x' cannot have the shape"),
    ],
)
def test_sizes_that_are_missing_or_wrong(
    shape: list[Any], sizes: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(NetworkError, match=message):
        imported(tmp_path, model([node("Relu", "x", "y")], {"x": shape}, ["y"]), sizes)


def test_sizes_are_those_of_images_among_several_inputs(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "y"), node("Relu", "t", "u"), node("Relu", "v", "w")]
    inputs = {"x": ["n", 3, "h", "w"], "t": ["n", 16], "v": ["n", 4, "s"]}
    made = model(nodes, inputs, ["y", "u", "w"])
    made.graph.input[2].type.tensor_type.shape.dim[2].dim_value = 7
    graph = imported(tmp_path, made, (8, 9)).graph
    shapes = [graph.type(name).shape for name in graph.inputs]
    assert shapes == [(1, 3, 8, 9), (1, 16), (1, 4, 7)]


def _changed(change: Any) -> Any:
    made = _conv(_typed())
    change(made)
    return made


def _no_opset(made: Any) -> None:
    del made.opset_import[:]


def _too_few(made: Any) -> None:
    del made.graph.initializer[0].float_data[5:]


REFUSED = [
    (_changed(lambda m: m.graph.node.pop()), FileError, "has a graph without nodes"),
    (_changed(lambda m: m.graph.output.pop()), NetworkError, "has a graph without outputs"),
    (_changed(lambda m: m.graph.input.pop()), NetworkError, "without inputs"),
    (_changed(lambda m: m.ClearField("graph")), FileError, "it has no graph"),
    (_changed(_no_opset), UnsupportedError, "names no operator set"),
    (
        model([CONV], {"x": [1, 3, 5, 5]}, ["y"], {"w": W}, opset=99),
        UnsupportedError,
        r"operator set 99, and those from 6 to",
    ),
    (_changed(_too_few), FileError, r"'w' of \[4, 3, 3, 3\] float32 has 5 values instead of 108"),
    (
        _conv(helper.make_tensor("w", TensorProto.STRING, [1], [b"a"])),
        UnsupportedError,
        "tensor 'w' is of type string",
    ),
    (
        _conv(_typed(), (node("Conv", "y w", "y"),)),
        NetworkError,
        r"node y \(Conv\) reads 'y', which depends on what the node makes",
    ),
    (
        _conv(_typed(), (node("Conv", "a w", "y"),)),
        NetworkError,
        r"node y \(Conv\) reads 'a', which no node makes",
    ),
    (
        _conv(_typed(), (CONV, node("Relu", "x", "y"))),
        NetworkError,
        r"node y\.2 \(Relu\) makes 'y', which node y \(Conv\) makes too",
    ),
    (_conv(nodes=(CONV,)), NetworkError, r"reads 'w', which no node makes"),
    (
        model([CONV], {"x": [1, 4, 5, 5]}, ["y"], {"w": W}),
        NetworkError,
        r"weights of node y \(Conv\), 'w', must be \[4, 4, 3, 3\], not \[4, 3, 3, 3\]",
    ),
    (
        _conv(_typed(), (node("Conv", "x w", "y", pads=[0, 0, -1, 0]),)),
        NetworkError,
        r"node y \(Conv\) do not infer: Attribute pads must not contain negative values",
    ),
    (
        _conv(nodes=(node("MaxPool", "x", "y", kernel_shape=[2, 2], pads=[-1, 0, 0, 0]),)),
        NetworkError,
        r"node y \(MaxPool\) do not infer: Attribute pads must not contain negative",
    ),
    (
        _conv(_typed(), (node("Conv", "x w", "y", strides=[0, 1]),)),
        NetworkError,
        r"strides of node y \(Conv\) must be of at least 1, not \(0, 1\)",
    ),
    (
        _conv(nodes=(node("Reshape", "x s", "y"), node("Constant", "", "s", value_ints=[7]))),
        NetworkError,
        r"node y \(Reshape\) makes \[7\] of 'x', which is \[1, 3, 5, 5\]",
    ),
    (
        _conv(nodes=(node("NonZero", "x", "a"), node("Cast", "a", "y", to=TensorProto.FLOAT))),
        UnsupportedError,
        r"a \(NonZero: the shape of its result depends on values\)",
    ),
    (
        _conv(
            nodes=(
                node("LSTM", "x w r", "a"),
                node("Mystery", "a", "b", domain="my.own"),
                node("Relu", "b", "c"),
                node("TreeEnsemble", "c", "y", domain="ai.onnx.ml"),
            ),
            tensor=numpy_helper.from_array(W, "w"),
        ),
        NetworkError,
        "reads 'r', which no node makes",
    ),
]


@pytest.mark.parametrize("place", range(len(REFUSED)))
def test_what_is_wrong_is_one_sentence(place: int, tmp_path: Path) -> None:
    made, error, message = REFUSED[place]
    with pytest.raises(error, match=message) as caught:
        imported(tmp_path, made)
    assert str(tmp_path / "probe.onnx") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_nodes_that_cannot_be_executed_are_listed(tmp_path: Path) -> None:
    nodes = [
        node("LSTM", "x w w", "a"),
        node("Mystery", "a", "b", domain="my.own"),
        node("Relu", "b", "c"),
        node("QLinearReduceMean", "c", "y", domain="com.microsoft"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        imported(tmp_path, model(nodes, {"x": ["n", 3, "open", 5]}, ["y"], {"w": W}))
    assert str(caught.value).endswith(
        "these nodes cannot be executed: a (LSTM: recurrent layers are not supported), "
        "b (my.own.Mystery: the domain my.own is unknown), "
        "y (com.microsoft.QLinearReduceMean: the operator is not supported)"
    )


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x08", bytes(1000)])
def test_files_that_are_none(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"none\.onnx is (empty, and )?no ONNX model"):
        load(path)


def test_truncated_files(tmp_path: Path) -> None:
    whole = STORAGES["raw"].SerializeToString()
    path = tmp_path / "short.onnx"
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(AccelsimError, match=r"short\.onnx"):
            load(path)


def test_branches_of_constant_conditions_are_taken(tmp_path: Path) -> None:
    def branch(kind: str) -> Any:
        output = onnx.ValueInfoProto(name=kind)
        return helper.make_graph([node(kind, "y", kind)], kind, [], [output])

    for truth in (True, False):
        nodes = [
            CONV,
            node("Constant", "", "c", value=numpy_helper.from_array(np.array(truth))),
            node("If", "c", "z", then_branch=branch("Relu"), else_branch=branch("Sigmoid")),
            node("Neg", "z", "q"),
        ]
        network = imported(tmp_path, model(nodes, {"x": [1, 3, 5, 5]}, ["q"], {"w": W}))
        kinds = [layer.op.name for layer in network.layers]
        assert kinds == ["conv2d", "Relu" if truth else "Sigmoid", "Neg"]


@pytest.mark.parametrize("kind", ["Relu", "Mul", "Div"])
def test_many_nodes_backwards(kind: str, tmp_path: Path) -> None:
    """In a time that grows with their number, not with its square."""
    count = 3_000
    others = "" if kind == "Relu" else " s"
    nodes = [node(kind, f"t{place}{others}", f"t{place + 1}") for place in range(count)]
    constants = {"s": np.array(2, np.float32)}
    made = model(nodes[::-1], {"t0": [1, 4]}, [f"t{count}"], constants)
    network = imported(tmp_path, made)
    assert [layer.name for layer in network.layers] == [f"t{i + 1}" for i in range(count)]
