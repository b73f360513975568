"""LiteRT, formerly TensorFlow Lite, with the reference kernels, which define its integers.

The kernels that it takes without being asked (XNNPACK) may round in other ways.
"""

from importlib import import_module
from pathlib import Path

from accelsim.errors import FileError, MissingToolError
from accelsim.graph.network import GraphNetwork
from accelsim.result import Values
from accelsim.runtimes.oracle import Oracle


def run(path: Path, network: GraphNetwork, values: Values) -> Oracle:
    """The outputs, and the tensors between the operators."""
    try:
        litert = import_module("ai_edge_litert.interpreter")
    except ModuleNotFoundError:
        raise MissingToolError(
            "--compare litert needs the package ai-edge-litert: pip install ai-edge-litert"
        ) from None
    try:
        interpreter = litert.Interpreter(
            str(path),
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        interpreter.allocate_tensors()
        for name, place in zip(network.graph.inputs, interpreter.get_input_details(), strict=True):
            interpreter.set_tensor(place["index"], values.inputs[name])
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise FileError(f"{path}: litert cannot run it: {said}") from None
    wanted = {name for node in network.graph.nodes for name in node.outputs}
    tensors = {
        each["name"]: interpreter.get_tensor(each["index"])
        for each in interpreter.get_tensor_details()
        if each["name"] in wanted
    }
    ends = zip(network.graph.outputs, interpreter.get_output_details(), strict=True)
    outputs = {name: interpreter.get_tensor(place["index"]) for name, place in ends}
    version = import_module("importlib.metadata").version("ai-edge-litert")
    form = "every operator as the file has it, by its reference kernel"
    return Oracle(f"ai-edge-litert {version}", {}, form, {**tensors, **outputs})
