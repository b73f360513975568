"""LiteRT, formerly TensorFlow Lite, with the reference kernels, which define its integers.

The kernels that it takes without being asked (XNNPACK) round in other ways here and there; what
they make of the outputs is told too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.errors import FileError, MissingToolError
from accelsim.graph.network import GraphNetwork
from accelsim.importers.tflite.read import repaired
from accelsim.result import Values
from accelsim.runtimes.oracle import Oracle, as_sentence


def run(path: Path, network: GraphNetwork, values: Values) -> Oracle:
    """The outputs, and the tensors between the operators."""
    try:
        litert = import_module("ai_edge_litert.interpreter")
    except ModuleNotFoundError:
        raise MissingToolError(
            "--compare litert needs the package ai-edge-litert: pip install ai-edge-litert"
        ) from None
    kinds = litert.OpResolverType
    try:
        interpreter = _run(litert, kinds.BUILTIN_REF, path, network, values)
        usual = _outputs(_run(litert, kinds.AUTO, path, network, values), network)
    except (ValueError, RuntimeError) as error:
        raise FileError(f"{path}: litert cannot run it: {as_sentence(error)}") from None
    wanted = {name for node in network.graph.nodes for name in node.outputs}
    tensors = {
        each["name"]: interpreter.get_tensor(each["index"])
        for each in interpreter.get_tensor_details()
        if each["name"] in wanted
    }
    outputs = _outputs(interpreter, network)
    form = (
        "every operator as the file has it, by its reference kernel; the kernels that it takes "
        f"without being asked give {_difference(outputs, usual)}"
    )
    version = metadata.version("ai-edge-litert")
    return Oracle(f"ai-edge-litert {version}", {}, form, {**tensors, **outputs})


def _run(litert: Any, kind: Any, path: Path, network: GraphNetwork, values: Values) -> Any:
    """An interpreter that has run with kernels of a kind, with all its tensors."""
    with _silent():
        interpreter = litert.Interpreter(
            model_content=repaired(path.read_bytes()),
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        for name, place in zip(network.graph.inputs, interpreter.get_input_details(), strict=True):
            interpreter.resize_tensor_input(place["index"], values.inputs[name].shape)
        interpreter.allocate_tensors()
        for name, place in zip(network.graph.inputs, interpreter.get_input_details(), strict=True):
            interpreter.set_tensor(place["index"], values.inputs[name])
        interpreter.invoke()
    return interpreter


def _outputs(interpreter: Any, network: GraphNetwork) -> dict[str, npt.NDArray[Any]]:
    ends = zip(network.graph.outputs, interpreter.get_output_details(), strict=True)
    return {name: interpreter.get_tensor(place["index"]) for name, place in ends}


def _difference(outputs: dict[str, npt.NDArray[Any]], others: dict[str, npt.NDArray[Any]]) -> str:
    """How the outputs of other kernels differ, in words."""
    different = sum(np.count_nonzero(each != others[name]) for name, each in outputs.items())
    elements = sum(each.size for each in outputs.values())
    return f"other bits in {different:,} of {elements:,} outputs" if different else "the same bits"


@contextmanager
def _silent() -> Iterator[None]:
    """Without what the library says on standard error, which it writes to itself."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
