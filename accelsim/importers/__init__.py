"""Networks from files."""

from pathlib import Path

from accelsim.errors import FileError, UnsupportedError
from accelsim.importers import scalesim, toml
from accelsim.ir import BaseNetwork

ENDINGS = (".toml", ".csv")
_ACCEPTED = ".toml, a network of layers, or .csv, a topology of SCALE-Sim"
_OTHERS = {  # tools whose files have these endings
    ".yaml": "of ZigZag, Timeloop and others",
    ".yml": "of ZigZag, Timeloop and others",
    ".m": "of MAESTRO",
}


def load(path: str | Path, csv_form: str | None = None) -> BaseNetwork:
    """The network of a file; its ending says how the file is read.

    csv_form : conv or gemm, for a .csv whose header and numbers do not tell; None for any other.
    """
    if not isinstance(path, str | Path):
        raise FileError(f"a network is loaded from a file, not {path!r}")
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".csv":
        return scalesim.load(path, csv_form)
    if csv_form is not None:
        raise FileError(f"the form of a CSV file is for .csv, and {path} is none")
    if ending == ".toml":
        return toml.load(path)
    if ending == ".onnx":
        raise UnsupportedError(
            f"{path} cannot be imported: .onnx files are not supported yet; use {_ACCEPTED}"
        )
    if ending in _OTHERS:
        raise FileError(f"{path} cannot be read, as files {_OTHERS[ending]}; use {_ACCEPTED}")
    raise FileError(f"{path} must end in {_ACCEPTED}, not {path.suffix!r}")
