"""Files that are nearly right: real models with a few bytes or a few fields changed.

As a process of its own, so that one that crashes or never ends is found:

    python -m tests.accelsim.importers.onnx.fuzz FIRST LAST

prints the number of every mutant before it is tried, and what became of it.
"""

import random
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from accelsim.errors import AccelsimError
from accelsim.graph.evaluate import evaluate
from accelsim.graph.network import GraphNetwork
from accelsim.importers import load
from tests.models import manifest

# Integers and reals, and the arithmetic on shapes of exporters.
FILES = (
    *(model.path for model in manifest()),
    *sorted((Path(__file__).parent / "exports").glob("*.onnx")),
)
SECONDS = 10
BYTES = 4 << 30
LARGE = 1 << 20  # values of all tensors of a graph that is executed
NUMBERS = (0, 1, -1, 2, 3, 7, -7, 1 << 20, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63))
REALS = (0.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"))


def mutant(number: int) -> bytes:
    """The file of that number, always the same."""
    rng = random.Random(number)
    data = rng.choice(FILES).read_bytes()
    if rng.random() < 0.4:
        return _with_other_bytes(rng, data)
    message = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        rng.choice(FIELDS)(rng, message)
    return message.SerializeToString()


def _with_other_bytes(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 10))):
        # Structure stands at both ends, weights in between.
        place = rng.randrange(len(changed))
        if rng.random() < 0.7:
            place = rng.randrange(min(2000, len(changed)))
            place = place if rng.random() < 0.5 else len(changed) - 1 - place
        what = rng.randrange(5)
        if what == 0:
            changed[place] = rng.randrange(256)
        elif what == 1:
            changed[place] ^= 1 << rng.randrange(8)
        elif what == 2:
            del changed[place : place + rng.choice((1, 4, 100))]
        elif what == 3:
            changed[place:place] = rng.randbytes(rng.choice((1, 4, 100)))
        else:
            del changed[place:]
        if not changed:
            break
    return bytes(changed)


def _node(rng: random.Random, message: Any) -> Any:
    nodes = message.graph.node
    return nodes[rng.randrange(len(nodes))] if nodes else onnx.NodeProto()


def _name(rng: random.Random, message: Any) -> str:
    node = _node(rng, message)
    names = [*node.input, *node.output, "", "nowhere"]
    return rng.choice(names)


def _input(rng: random.Random, message: Any) -> None:
    node = _node(rng, message)
    if node.input:
        node.input[rng.randrange(len(node.input))] = _name(rng, message)


def _inputs(rng: random.Random, message: Any) -> None:
    node = _node(rng, message)
    kept = list(node.input)
    rng.shuffle(kept)
    kept = kept[: rng.randrange(len(kept) + 1)] if rng.random() < 0.5 else [*kept, *kept[:1]]
    del node.input[:]
    node.input.extend(kept)


def _output(rng: random.Random, message: Any) -> None:
    node = _node(rng, message)
    if node.output and rng.random() < 0.7:
        node.output[rng.randrange(len(node.output))] = _name(rng, message)
    elif rng.random() < 0.5:
        del node.output[:]
    else:
        node.output.append("more")


def _operator(rng: random.Random, message: Any) -> None:
    schemas = onnx.defs.get_all_schemas()
    node = _node(rng, message)
    other = _node(rng, message)
    node.op_type = rng.choice((other.op_type, rng.choice(schemas).name, "Unknown"))
    if rng.random() < 0.2:
        node.domain = rng.choice(("", "com.microsoft", "ai.onnx.ml", "unknown"))


def _attribute(rng: random.Random, message: Any) -> None:
    nodes = [node for node in message.graph.node if node.attribute]
    if not nodes:
        return
    node = rng.choice(nodes)
    each = node.attribute[rng.randrange(len(node.attribute))]
    what = rng.randrange(6)
    if what == 0 and each.ints:
        each.ints[rng.randrange(len(each.ints))] = rng.choice(NUMBERS)
    elif what == 1 and each.ints:
        del each.ints[rng.randrange(len(each.ints)) :]
    elif what == 2:
        each.i = rng.choice(NUMBERS)
        each.f = rng.choice(REALS)
    elif what == 3:
        each.type = rng.choice(onnx.AttributeProto.AttributeType.values())
    elif what == 4:
        each.name = rng.choice(("axis", "axes", "pads", "strides", "group", "perm", "other", ""))
    elif each.s:
        each.s = rng.choice((b"", b"SAME_UPPER", b"linear", b"\xff\xfe"))
    else:
        del node.attribute[:]


def _tensor(rng: random.Random, message: Any) -> None:
    tensors = [*message.graph.initializer]
    tensors += [a.t for node in message.graph.node for a in node.attribute if a.HasField("t")]
    if not tensors:
        return
    tensor = rng.choice(tensors)
    what = rng.randrange(7)
    if what == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    elif what == 1:
        tensor.dims.append(rng.choice(NUMBERS))
    elif what == 2:
        tensor.data_type = rng.randrange(30)
    elif what == 3:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    elif what == 4:
        tensor.name = _name(rng, message)
    elif what == 5 and 0 < len(tensor.raw_data) <= 256:
        tensor.raw_data = rng.randbytes(len(tensor.raw_data))
    else:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", rng.choice(("nowhere", "../..", "/etc/passwd", ""))


def _value(rng: random.Random, message: Any) -> None:
    values = [*message.graph.input, *message.graph.output]
    if not values:
        return
    value = rng.choice(values)
    what = rng.randrange(4)
    dims = value.type.tensor_type.shape.dim
    if what == 0 and dims:
        dims[rng.randrange(len(dims))].dim_value = rng.choice(NUMBERS)
    elif what == 1:
        value.type.tensor_type.elem_type = rng.randrange(30)
    elif what == 2:
        value.name = _name(rng, message)
    else:
        value.ClearField("type")


def _nodes(rng: random.Random, message: Any) -> None:
    nodes = message.graph.node
    if not nodes:
        return
    place = rng.randrange(len(nodes))
    what = rng.randrange(3)
    if what == 0:
        del nodes[place]
    elif what == 1:
        nodes.append(nodes[place])
    else:
        del nodes[place:]


def _header(rng: random.Random, message: Any) -> None:
    what = rng.randrange(4)
    if what == 0:
        message.ir_version = rng.choice(NUMBERS)
    elif what == 1 and message.opset_import:
        message.opset_import[0].version = rng.choice((*range(30), *NUMBERS))
    elif what == 2:
        del message.opset_import[:]
    else:
        message.ClearField("graph")


FIELDS: tuple[Callable[[random.Random, Any], None], ...] = (
    *(_input, _inputs, _output, _operator, _operator, _attribute, _attribute, _attribute),
    *(_tensor, _tensor, _value, _nodes, _header),
)


def attempt(data: bytes, path: Path) -> str:
    """What becomes of a file: counts, values if it is small, or one sentence."""
    path.write_bytes(data)
    try:
        network = load(path)
        assert isinstance(network, GraphNetwork)
    except AccelsimError as error:
        return _refused(error, str(path))
    try:
        text = f"{network.total_macs} MACs, {network.total_params} parameters"
        graph = network.graph
        if sum(prod(each.shape) for each in graph.types.values()) > LARGE:
            return f"imported: {text}"
        inputs = {
            name: np.zeros(graph.type(name).shape, graph.type(name).dtype) for name in graph.inputs
        }
        evaluate(graph, inputs)
    except AccelsimError as error:
        return _refused(error)
    return f"executed: {text}"


def _refused(error: AccelsimError, names: str = "") -> str:
    """One sentence, which names the file where it cannot be read."""
    sentence = str(error)
    assert "\n" not in sentence, sentence
    assert names in sentence, sentence
    return f"refused: {sentence}"


def main(first: int, last: int) -> None:
    """Try mutants, one after the other."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.onnx"
        for model in manifest():  # so that kernels are compiled
            attempt(model.path.read_bytes(), path)
        for number in range(first, last):
            print(number, end=" ", flush=True)
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)  # which ends the process
            print(attempt(mutant(number), path), flush=True)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
