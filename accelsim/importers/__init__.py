"""Networks from files."""

from pathlib import Path

from accelsim.errors import FileError, UnsupportedError
from accelsim.importers import toml
from accelsim.ir import Network


def load(path: str | Path) -> Network:
    """The network of a file; its ending says how the file is read."""
    if not isinstance(path, str | Path):
        raise FileError(f"a network is loaded from a file, not {path!r}")
    path = Path(path)
    match path.suffix.lower():
        case ".toml":
            return toml.load(path)
        case ".onnx":
            raise UnsupportedError(f"{path} cannot be imported: .onnx files are not supported yet")
        case ending:
            raise FileError(f"{path} must end in .toml, not {ending!r}")
