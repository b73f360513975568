"""One ONNX operator evaluated by onnxruntime, as an oracle that is not ours."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import helper

Array = npt.NDArray[Any]


def run(
    operator: str,
    *inputs: Array | None,
    opset: int = 20,
    domain: str = "",
    attributes: dict[str, Any],
) -> Array:
    """The first output of an operator for these inputs; None leaves an optional one out."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    given = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in given.items()
    ]
    node = helper.make_node(operator, names, ["y"], domain=domain, **attributes)
    graph = helper.make_graph([node], "one", values, [helper.make_empty_tensor_value_info("y")])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, given)[0]


def conv_integer(
    x: npt.NDArray[np.int8], w: npt.NDArray[np.int8], attributes: dict[str, Any]
) -> npt.NDArray[np.int32]:
    """int32[k, oh, ow] by ConvInteger.

    The int8 values go in as uint8 with zero point 128: onnxruntime's path for uint8 times int8
    may saturate pairs of products on processors without VNNI.
    """
    zero = np.array(128, np.uint8)
    unsigned = [(a.astype(np.int16) + 128).astype(np.uint8) for a in (x[None], w)]
    return run("ConvInteger", *unsigned, zero, zero, attributes=attributes)[0]
