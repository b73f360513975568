"""What TFLite's reference kernels make of tflite_cases, as tflite_cases.npz keeps it.

    pip install ai-edge-litert
    python -m tests.accelsim.numerics.tflite_oracle

ai-edge-litert 2.3.0 wrote the file that is there. It is no dependency of the tests: it has no
wheels for some machines that these run on.
"""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.accelsim.numerics.tflite_cases import CHANNELS, FILE, SLOPE, SUMS, Case, cases

TYPES = {
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int32": schema.TensorType.INT32,
}
VERSIONS = {"HARD_SWISH": 1, "CONV_2D": 3, "FULLY_CONNECTED": 12}
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "ADD": ("AddOptions", {}),
    "SUB": ("SubOptions", {}),
    "MUL": ("MulOptions", {}),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": SLOPE}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": 1.0}),
    "CONV_2D": (
        "Conv2DOptions",
        {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1},
    ),
    "FULLY_CONNECTED": ("FullyConnectedOptions", {}),
}


class Model:
    """A model of one operator, made tensor by tensor."""

    def __init__(self) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.model.subgraphs, self.graph.tensors = [self.graph], []

    def tensor(self, shape, dtype, scales, zero_point, values=None, axis=0) -> int:
        """Its number; `values` make it a constant."""
        tensor, kind = schema.TensorT(), schema.QuantizationParametersT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), TYPES[str(dtype)], 0
        tensor.name = f"t{len(self.graph.tensors)}".encode()
        kind.scale = [float(scale) for scale in np.atleast_1d(scales)]
        kind.zeroPoint = [int(zero_point)] * len(kind.scale)
        kind.quantizedDimension, tensor.quantization = axis, kind
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, name: str, inputs: list[int], output: int) -> None:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = VERSIONS.get(name, 2)
        operator.opcodeIndex, operator.inputs, operator.outputs = 0, inputs, [output]
        if name in OPTIONS:
            kind, values = OPTIONS[name]
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            for field, value in values.items():
                setattr(operator.builtinOptions, field, value)
        self.model.operatorCodes, self.graph.operators = [code], [operator]

    def run(self, inputs: dict[int, np.ndarray], output: int) -> np.ndarray:
        self.graph.inputs, self.graph.outputs = list(inputs), [output]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        interpreter = Interpreter(
            model_content=bytes(builder.Output()),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        for detail, values in zip(interpreter.get_input_details(), inputs.values(), strict=True):
            interpreter.set_tensor(detail["index"], values)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def theirs(case: Case) -> np.ndarray:
    """What TFLite makes of a case."""
    if case.operator in SUMS:
        return sums(case)
    model, *kinds, y = Model(), *case.types
    inputs = {
        model.tensor(x.shape, x.dtype, kind.scale, kind.zero_point): x
        for x, kind in zip(case.inputs, kinds, strict=True)
    }
    output = model.tensor(case.inputs[0].shape, y.dtype, y.scale, y.zero_point)
    model.operator(case.operator, list(inputs), output)
    return model.run(inputs, output)


def sums(case: Case) -> np.ndarray:
    """Of an input that stands for 0, so that the sums are the biases."""
    model, (x, y) = Model(), case.types
    ones = (1, 1) if case.operator == "CONV_2D" else ()
    value = np.full((1, *ones, 1), x.zero_point, x.dtype)
    w_zero = 0 if x.dtype == "int8" else 131
    weights = np.full((CHANNELS, *ones, 1), w_zero, x.dtype)
    of_bias = case.scales * np.float32(x.scale)
    inputs = [
        model.tensor(value.shape, x.dtype, x.scale, x.zero_point),
        model.tensor(weights.shape, x.dtype, case.scales, w_zero, weights),
        model.tensor((CHANNELS,), "int32", of_bias, 0, case.bias),
    ]
    output = model.tensor((1, *ones, CHANNELS), y.dtype, y.scale, y.zero_point)
    model.operator(case.operator, inputs, output)
    return model.run({inputs[0]: value}, output).ravel()


if __name__ == "__main__":
    np.savez_compressed(FILE, **{name: theirs(case) for name, case in cases().items()})
