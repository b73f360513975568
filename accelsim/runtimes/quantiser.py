"""onnxruntime's own quantiser: a float ONNX file and data to calibrate with, to one of integers."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.arrays import read_npy, read_npz
from accelsim.checks import check, one_of
from accelsim.errors import FileError, MissingToolError, UnsupportedError, warn
from accelsim.files import write_whole
from accelsim.graph.types import TensorType
from accelsim.runtimes.oracle import as_sentence
from accelsim.weights import seeded_tensor

FORMS = ("qdq", "qlinear")
TYPES = ("int8", "uint8")
SAMPLES = 8  # random ones, where there are no others
PER_CHANNEL_OPSET = 13  # the first whose QuantizeLinear has an axis
LEAST_OPSET = 11  # of what the quantiser takes


class Settings(NamedTuple):
    """How a network is quantised.

    form : qdq, with QuantizeLinear and DequantizeLinear around float operators, or qlinear, with
        operators of integers.
    activations, weights : int8 or uint8.
    per_channel : whether every output channel of weights has a scale of its own.
    """

    form: str = FORMS[0]
    activations: str = TYPES[0]
    weights: str = TYPES[0]
    per_channel: bool = True

    def check(self) -> None:
        """UnsupportedError where a word is none of those that there are."""
        check("form", self.form, one_of(FORMS), UnsupportedError)
        check("activations", self.activations, one_of(TYPES), UnsupportedError)
        check("weights", self.weights, one_of(TYPES), UnsupportedError)
        if self.activations == "int8" and self.weights == "uint8":
            raise UnsupportedError(
                "activations of int8 take weights of int8; onnxruntime multiplies no others"
            )


def quantise(
    source: str | Path,
    target: str | Path,
    calibration: str | Path | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    size: tuple[int, int] | None = None,
) -> None:
    """Write the file `target`, whole or not at all.

    size : height and width for a file that leaves them open.
    calibration : .npz of inputs by name, or .npy of the only one, as many images along the first
        axis as there are; None for random ones, with a warning.

    FileError where a file cannot be read or quantised, MissingToolError without onnxruntime.
    """
    settings = Settings() if settings is None else settings
    settings.check()
    source = Path(source)
    if source.suffix.lower() != ".onnx":
        raise FileError(f"{source} must end in .onnx: onnxruntime quantises no other files")
    if not source.is_file():
        raise FileError(f"{source} cannot be read: there is no such file")
    try:
        import onnx  # noqa: F401
        import onnxruntime.quantization  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"quantize needs the package {error.name}; the extra quantize brings it: "
            "pip install '.[quantize]'"
        ) from None
    with TemporaryDirectory() as folder, _own_errors(source):
        model = _prepared(source, Path(folder), settings.per_channel, size)
        types = _inputs(model)
        samples = _samples(source, calibration, types, seed)
        write_whole(target, _quantised(model, Path(folder), samples, settings))


@contextmanager
def _own_errors(source: Path) -> Iterator[None]:
    """Without what the quantiser logs, and with its errors as FileErrors."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    except (FileError, MissingToolError, UnsupportedError, OSError, MemoryError):
        raise
    except Exception as error:  # of any class: it has none of its own
        said = as_sentence(error)
        raise FileError(
            f"{source}: onnxruntime's quantiser cannot quantise it in this way: {said}"
        ) from None
    finally:
        logging.disable(before)


def _prepared(source: Path, folder: Path, per_channel: bool, size: tuple[int, int] | None) -> Path:
    """The model with batch norms folded, in an operator set that the quantiser takes."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load(source)
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)
    least = PER_CHANNEL_OPSET if per_channel else LEAST_OPSET
    if opset < least:
        model = onnx.version_converter.convert_version(model, least)
    kinds = {node.op_type for node in model.graph.node}
    if kinds & {"QuantizeLinear", "QLinearConv", "QLinearMatMul"}:
        raise FileError(f"{source} is quantised already")
    _close(source, model, size)
    converted, prepared = folder / "converted.onnx", folder / "prepared.onnx"
    onnx.save(model, converted)
    quant_pre_process(str(converted), str(prepared), skip_symbolic_shape=True)
    return prepared


def _close(source: Path, model: Any, size: tuple[int, int] | None) -> None:
    """Give sizes that inputs leave open: 1 to the first, height and width to others."""
    constants = {each.name for each in model.graph.initializer}
    for value in model.graph.input:
        if value.name in constants:
            continue
        dims = value.type.tensor_type.shape.dim
        wanted = [place for place, each in enumerate(dims) if each.dim_value < 1]
        given = dict(zip([place for place in wanted if place], size or (), strict=False)) | {0: 1}
        if missing := [place for place in wanted if place not in given]:
            raise FileError(
                f"{source}: input {value.name} leaves sizes open, in place {missing[0]} of its "
                "shape; --input gives height and width"
            )
        for place in wanted:
            dims[place].dim_value = given[place]


def _inputs(model: Path) -> dict[str, TensorType]:
    """The inputs of a file whose sizes are all known."""
    import onnx

    graph = onnx.load(model, load_external_data=False).graph
    constants = {each.name for each in graph.initializer}
    inputs = {}
    for value in graph.input:
        if value.name not in constants:
            tensor = value.type.tensor_type
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
            shape = tuple(each.dim_value for each in tensor.shape.dim)
            inputs[value.name] = TensorType(shape, dtype)
    return inputs


def _samples(
    source: Path, calibration: str | Path | None, types: Mapping[str, TensorType], seed: int
) -> list[dict[str, npt.NDArray[Any]]]:
    """What the quantiser runs to see ranges."""
    if calibration is None:
        warn(
            f"without --calibration ranges are those of {SAMPLES} random inputs (seed {seed}); the "
            "network is quantised, but not well"
        )
        return [
            {name: seeded_tensor(seed, f"{name} {k}", each) for name, each in types.items()}
            for k in range(SAMPLES)
        ]
    arrays = _calibration(Path(calibration), types)
    numbers = set()
    for name, (shape, dtype, _) in types.items():
        if name not in arrays:
            raise FileError(f"{calibration}: input {name} of {source} is missing")
        array = arrays[name]
        whole = array.ndim == len(shape) and array.shape[1:] == shape[1:]
        if not (whole and array.dtype.name == dtype and len(array) and len(array) % shape[0] == 0):
            raise FileError(
                f"{calibration}: {name} must be {dtype} {['N', *shape[1:]]} with N a multiple of "
                f"{shape[0]}, not {array.dtype.name} {list(array.shape)}"
            )
        numbers.add(len(array) // shape[0])
    if len(numbers) > 1:
        raise FileError(f"{calibration}: inputs must be of one number of images")
    return [
        {
            name: np.ascontiguousarray(arrays[name][k * each.shape[0] : (k + 1) * each.shape[0]])
            for name, each in types.items()
        }
        for k in range(numbers.pop())
    ]


def _calibration(path: Path, types: Mapping[str, TensorType]) -> Mapping[str, npt.NDArray[Any]]:
    if path.suffix.lower() == ".npz":
        return read_npz(path, "input")
    if path.suffix.lower() == ".npy" and len(types) == 1:
        return dict.fromkeys(types, read_npy(path))
    raise FileError(f"{path} must be an .npz with arrays by input name, {', '.join(types)}")


def _quantised(
    model: Path, folder: Path, samples: list[dict[str, npt.NDArray[Any]]], settings: Settings
) -> bytes:
    """The quantised file."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Samples one after another."""

        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
            """The next, or None behind the last."""
            return next(self.left, None)

    kinds = {"int8": quantization.QuantType.QInt8, "uint8": quantization.QuantType.QUInt8}
    forms = {"qdq": quantization.QuantFormat.QDQ, "qlinear": quantization.QuantFormat.QOperator}
    made = folder / "quantised.onnx"
    quantization.quantize_static(
        str(model),
        str(made),
        Reader(),
        quant_format=forms[settings.form],
        per_channel=settings.per_channel,
        activation_type=kinds[settings.activations],
        weight_type=kinds[settings.weights],
    )
    return made.read_bytes()


def operators(path: str | Path) -> Counter[str]:
    """How many operators of every kind a file has."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    return Counter(node.op_type for node in graph.node)
