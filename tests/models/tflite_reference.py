"""What ai-edge-litert's reference kernels make of TFLite files, against ours, tensor by tensor.

    pip install ai-edge-litert
    python -m tests.models.tflite_reference FOLDER [--write]

FOLDER has tflite/*.tflite, and inputs/*.npz with arrays in_SAMPLE_INPUT; a file takes the first of
these whose shapes and types are those of its inputs, else random ones. --write makes
tests/models/tflite/*.npz anew for the files that are there: ref_SAMPLE_OUTPUT, and of sample 0 the
CRC-32 of every tensor that an operator makes and that is no real. It also makes tflite_cases.npz
beside them, which has the outputs of tflite_cases, of integers their CRC-32, of reals some.

ai-edge-litert is no dependency of the tests: it has no wheels for some machines that these run on.
"""

import argparse
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from accelsim.graph.evaluate import walk
from accelsim.graph.network import GraphNetwork
from accelsim.importers.tflite import load
from accelsim.importers.tflite.build import unique_names
from accelsim.importers.tflite.read import read, repaired
from tests.models.tflite_cases import cases

Values = dict[str, np.ndarray]
FOLDER = Path(__file__).parent / "tflite"
CASES = Path(__file__).parent / "tflite_cases.npz"
MOST_KEPT = 40
TOLERANCE = 1e-5  # of reals, relative to the largest of a tensor


def reference(path: Path, feeds: Values, kernels: str = "BUILTIN_REF") -> Values:
    """Every tensor by its name, as unique_names has it."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=repaired(path.read_bytes()),
        experimental_op_resolver_type=OpResolverType[kernels],
        experimental_preserve_all_tensors=True,
    )
    names = unique_names(read(path).tensors)
    for each in interpreter.get_input_details():
        interpreter.resize_tensor_input(each["index"], feeds[names[each["index"]]].shape)
    interpreter.allocate_tensors()
    for each in interpreter.get_input_details():
        interpreter.set_tensor(each["index"], feeds[names[each["index"]]])
    interpreter.invoke()
    made: Values = {}
    for each in interpreter.get_tensor_details():
        if each["index"] < len(names) and each["shape"].all():
            try:
                made[names[each["index"]]] = interpreter.get_tensor(each["index"])
            except ValueError:  # a tensor that no operator uses
                continue
    return made


def ours(network: GraphNetwork, feeds: Values) -> Values:
    """Every tensor that a node makes."""
    graph, made = network.graph, {}
    for node, (values,) in walk(graph, [feeds]):
        made |= {name: values[name] for name in node.outputs}
    return made | {name: graph.constants[name].values for name in graph.outputs if name not in made}


def differences(made: Values, expected: Values) -> list[str]:
    """A sentence for every tensor that both have and that differs; of reals beyond TOLERANCE."""
    found = []
    for name, values in made.items():
        if (other := expected.get(name)) is None:
            continue
        if (values.shape, values.dtype) != (other.shape, other.dtype):
            found.append(f"{name}: {values.dtype}{values.shape}, not {other.dtype}{other.shape}")
        elif values.dtype.kind == "f":
            apart = np.abs(values - other).max(initial=0)
            if not apart <= TOLERANCE * np.abs(other).max(initial=0):
                found.append(f"{name}: {apart} apart")
        elif count := int((values != other).sum()):
            found.append(f"{name}: {count} of {values.size} differ")
    return found


def samples(folder: Path, network: GraphNetwork) -> list[Values]:
    """Inputs of a folder that fit the network."""
    graph = network.graph
    wanted = [(graph.types[name].shape, graph.types[name].dtype) for name in graph.inputs]
    for path in sorted((folder / "inputs").glob("*.npz")):
        with np.load(path) as arrays:
            numbers = sorted({key.split("_")[1] for key in arrays.files})
            found = [
                [arrays[f"in_{n}_{place}"] for place in range(len(wanted))]
                for n in numbers
                if f"in_{n}_{len(wanted) - 1}" in arrays.files
            ]
        if found and [(each.shape, str(each.dtype)) for each in found[0]] == wanted:
            return [dict(zip(graph.inputs, each, strict=True)) for each in found]
    return []


def drawn(network: GraphNetwork, seed: int = 0) -> Values:
    """Random inputs: all integers of the type, or standard normal reals."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for name in network.graph.inputs:
        shape, dtype, _ = network.graph.types[name]
        if dtype == "float32":
            feeds[name] = rng.normal(size=shape).astype(np.float32)
        else:
            limits = np.iinfo(dtype)
            feeds[name] = rng.integers(limits.min, limits.max + 1, shape, dtype)
    return feeds


def checksum(values: np.ndarray) -> int:
    """CRC-32 of the bytes in order."""
    return zlib.crc32(np.ascontiguousarray(values).tobytes())


def kept(values: np.ndarray) -> np.ndarray:
    """What a file of cases has of a tensor: the CRC-32 of integers, some of many reals."""
    if values.dtype.kind != "f":
        return np.array(checksum(values), np.uint32)
    return values.reshape(-1)[:: 1 + values.size // MOST_KEPT]


def write_cases() -> None:
    """The outputs of every case; of those that the reference kernels have no operator for none."""
    found: Values = {}
    with TemporaryDirectory() as folder:
        for name, data in cases().items():
            path = Path(folder) / "case.tflite"
            path.write_bytes(data)
            network = load(path)
            try:
                made = reference(path, drawn(network))
            except ValueError as error:
                print(f"{name}: {error}")
                continue
            for place, output in enumerate(network.graph.outputs):
                found[f"{name}/{place}"] = kept(made[output])
    np.savez_compressed(CASES, **found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    wrong = 0
    for path in sorted((arguments.folder / "tflite").glob("*.tflite")):
        network = load(path)
        saved: Values = {}
        found: list[str] = []
        tensors = other = 0
        given = samples(arguments.folder, network) or [drawn(network)]
        for number, feeds in enumerate(given):
            expected = reference(path, feeds)
            made = ours(network, feeds)
            tensors += len(made.keys() & expected.keys())
            found += differences(made, expected)
            default = reference(path, feeds, "AUTO")
            outputs = network.graph.outputs
            other += sum(int((default[each] != expected[each]).sum()) for each in outputs)
            for place, name in enumerate(outputs):
                saved[f"ref_{number}_{place}"] = expected[name]
            if number == 0:
                whole = [n for n in made if n in expected and made[n].dtype.kind != "f"]
                saved["tensors"] = np.array(whole or [""])
                saved["checksums"] = np.array([checksum(expected[n]) for n in whole], np.uint32)
        wrong += len(found)
        print(
            f"{path.name}: {len(network.layers)} layers, {network.total_macs} MACs, "
            f"{network.total_params} parameters; {tensors} tensors compared, {len(found)} differ; "
            f"default kernels: {other} values of the outputs differ from the reference's"
        )
        print(*(f"    {each}" for each in found), sep="\n", end="\n" if found else "")
        if arguments.write and (FOLDER / path.name).exists():
            np.savez_compressed(FOLDER / f"{path.stem}.npz", **saved)
    if arguments.write:
        write_cases()
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
