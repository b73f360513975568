"""Networks from files."""

from collections.abc import Mapping
from pathlib import Path

from accelsim.errors import FileError, MissingToolError
from accelsim.importers import scalesim, toml
from accelsim.ir import BaseNetwork

Sizes = tuple[int, int] | Mapping[str, tuple[int, ...]] | None
ENDINGS = (".toml", ".csv", ".onnx", ".tflite")
_ACCEPTED = ".toml, a network of layers, .csv, a topology of SCALE-Sim, .onnx or .tflite"
_OTHERS = {  # tools whose files have these endings
    ".yaml": "of ZigZag, Timeloop and others",
    ".yml": "of ZigZag, Timeloop and others",
    ".m": "of MAESTRO",
}


def load(
    path: str | Path,
    csv_form: str | None = None,
    sizes: Sizes = None,
) -> BaseNetwork:
    """The network of a file; its ending says how the file is read.

    csv_form : conv or gemm, for a .csv whose header and numbers do not tell; None for any other.
    sizes : height and width of the image, or shapes of inputs by their names, for a model whose
        file does not say them; None for any other file.
    """
    if not isinstance(path, str | Path):
        raise FileError(f"a network is loaded from a file, not {path!r}")
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".csv":
        return scalesim.load(path, csv_form)
    if csv_form is not None:
        raise FileError(f"the form of a CSV file is for .csv, and {path} is none")
    if ending == ".onnx":
        return _load_onnx(path, sizes)
    if ending == ".tflite":
        return _load_tflite(path, sizes)
    if sizes is not None:
        raise FileError(f"sizes of inputs are for .onnx and .tflite, and {path} is neither")
    if ending == ".toml":
        return toml.load(path)
    if ending in _OTHERS:
        raise FileError(f"{path} cannot be read, as files {_OTHERS[ending]}; use {_ACCEPTED}")
    raise FileError(f"{path} must end in {_ACCEPTED}, not {path.suffix!r}")


def _load_onnx(path: Path, sizes: Sizes) -> BaseNetwork:
    """MissingToolError where the package onnx, which takes a while to load, is not installed."""
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError:
        raise MissingToolError(
            "onnx is missing; the extra onnx brings it: pip install '.[onnx]'"
        ) from None
    from accelsim.importers.onnx import load

    return load(path, sizes)


def _load_tflite(path: Path, sizes: Sizes) -> BaseNetwork:
    """MissingToolError where the package tflite, which takes a while to load, is not installed."""
    try:
        import tflite  # noqa: F401
    except ModuleNotFoundError:
        raise MissingToolError(
            "tflite is missing; the extra tflite brings it: pip install '.[tflite]'"
        ) from None
    from accelsim.importers.tflite import load

    return load(path, sizes)
