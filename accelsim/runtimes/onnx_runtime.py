"""onnxruntime on the processor, with the options under which its integers are exact.

Products of uint8 and int8 saturate in pairs on x86 without VNNI, and its optimiser turns maps of
int8 into uint8; the options of `_options` keep it from both. What stands between the layers is
taken from the graph as the optimiser leaves it: a QuantizeLinear that it has fused with what comes
before makes the same tensor, and what it has fused away is compared with nothing.
"""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy.typing as npt

from accelsim.errors import FileError, MissingToolError
from accelsim.graph.network import GraphNetwork
from accelsim.graph.types import Products
from accelsim.result import Values
from accelsim.runtimes.oracle import Oracle, as_sentence

PRECISE = "session.x64quantprecision"
INT8 = "session.qdqisint8allowed"
NOT_PRECISE = (  # some files do not
    f"it does not load with {PRECISE}=1, without which products may saturate on x86 without VNNI"
)
PLAIN = ("QuantizeLinear", "DequantizeLinear", "Constant", "Identity")


def run(path: Path, network: GraphNetwork, values: Values) -> Oracle:
    """The outputs, and the tensors between the nodes of the optimised graph."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise MissingToolError(
            "--compare onnxruntime needs the package onnxruntime: pip install onnxruntime"
        ) from None
    wanted = [name for node in network.graph.nodes for name in node.outputs if name]
    options = _options(network)
    try:
        return _run(onnxruntime, path, wanted, options, values)
    except FileError:
        if PRECISE not in options:
            raise
    oracle = _run(onnxruntime, path, wanted, {}, values)
    return oracle._replace(form=f"{oracle.form}; {NOT_PRECISE}")


def _run(
    onnxruntime: Any, path: Path, wanted: list[str], options: dict[str, str], values: Values
) -> Oracle:
    """The same with these options; FileError where that cannot be."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "model.onnx"
            return _tensors(onnxruntime, path, target, wanted, options, values)
    except Exception as error:  # its classes are many, and made in C++
        if type(error).__module__.partition(".")[0] not in ("onnxruntime", "onnx", "google"):
            raise
        raise FileError(f"{path}: onnxruntime cannot run it: {as_sentence(error)}") from None


def _tensors(
    onnxruntime: Any,
    path: Path,
    optimised: Path,
    wanted: list[str],
    options: dict[str, str],
    values: Values,
) -> Oracle:
    """The same; `optimised` is where the graph is written to that the optimiser leaves."""
    import onnx

    levels = onnxruntime.GraphOptimizationLevel
    settings = _settings(onnxruntime, options)
    outputs = _outputs(onnxruntime, path, settings, values)
    settings = _settings(onnxruntime, options)
    settings.graph_optimization_level = levels.ORT_ENABLE_EXTENDED  # no layouts of one processor
    settings.optimized_model_filepath = str(optimised)
    onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    model = onnx.load(optimised)
    made = {name for node in model.graph.node for name in node.output}
    there = {each.name for each in model.graph.output}
    between = [name for name in dict.fromkeys(wanted) if name in made and name not in there]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in between)
    onnx.save(model, optimised)
    settings = _settings(onnxruntime, options)
    settings.graph_optimization_level = levels.ORT_DISABLE_ALL
    tensors = _outputs(onnxruntime, optimised, settings, values)
    kinds = Counter(node.op_type for node in model.graph.node if node.op_type not in PLAIN)
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    return Oracle(
        f"onnxruntime {onnxruntime.__version__}",
        options,
        f"the graph as its optimiser leaves it: {listed}",
        {**tensors, **outputs},
    )


def _settings(onnxruntime: Any, options: dict[str, str]) -> Any:
    """A session's, of one thread and silent."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 4
    for name, value in options.items():
        settings.add_session_config_entry(name, value)
    return settings


def _outputs(
    onnxruntime: Any, path: Path, settings: Any, values: Values
) -> dict[str, npt.NDArray[Any]]:
    """What a session makes of the inputs, by name."""
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(values.inputs)), strict=True))


def _options(network: GraphNetwork) -> dict[str, str]:
    """Those under which the integer products of a network are exact."""
    graph = network.graph
    pairs = {
        tuple(graph.type(name).dtype for name in node.inputs[:2])
        for node in graph.nodes
        if isinstance(node.work, Products)
    }
    if ("uint8", "int8") in pairs:
        return {PRECISE: "1"}
    return {INT8: "1"} if ("int8", "int8") in pairs else {}
