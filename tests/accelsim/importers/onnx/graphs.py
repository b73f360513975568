"""Small ONNX files made for tests, and what onnxruntime computes with them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from accelsim.graph.evaluate import evaluate
from accelsim.graph.network import GraphNetwork
from accelsim.importers import load

Shape = Sequence[int | str | None]


def node(kind: str, inputs: str, outputs: str, domain: str = "", **attributes: Any) -> Any:
    """A node; tensors are separated by spaces, "-" stands for one that is left out."""
    names = ["" if each == "-" else each for each in inputs.split()]
    return helper.make_node(kind, names, outputs.split(), domain=domain, **attributes)


def model(
    nodes: Sequence[Any],
    inputs: dict[str, Shape],
    outputs: Sequence[str],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 17,
    dtype: int = onnx.TensorProto.FLOAT,
    **others: Any,
) -> Any:
    """A model of these nodes; outputs have no shapes, which have to be inferred."""
    graph = helper.make_graph(
        list(nodes),
        "probe",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, **others)


def imported(folder: Path, made: Any, sizes: Any = None) -> GraphNetwork:
    """The network that a model comes to, by way of a file."""
    path = folder / "probe.onnx"
    path.write_bytes(made.SerializeToString())
    network = load(path, sizes=sizes)
    assert isinstance(network, GraphNetwork)
    return network


def by_onnxruntime(made: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by name, of the model as it is."""
    typed = onnx.shape_inference.infer_shapes(made)
    for output in typed.graph.output:  # onnxruntime wants their types
        if not output.type.WhichOneof("value"):
            output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(typed.SerializeToString(), options)
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def check(
    folder: Path, made: Any, inputs: dict[str, np.ndarray], atol: float = 1e-5
) -> GraphNetwork:
    """The network of a model, whose values are those of onnxruntime."""
    network = imported(folder, made)
    ours = evaluate(network.graph, inputs)
    for name, expected in by_onnxruntime(made, inputs).items():
        assert ours[name].dtype == expected.dtype
        np.testing.assert_allclose(ours[name], expected, rtol=1e-5, atol=atol)
    return network


def reals(*shape: int, seed: int = 0) -> np.ndarray:
    """float32, normal."""
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)
