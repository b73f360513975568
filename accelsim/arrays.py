"""Files of arrays: .npy, one of them, and .npz, several by name."""

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.errors import FileError
from accelsim.files import write_whole

Arrays = dict[str, npt.NDArray[Any]]
# What NumPy and the modules below it raise for files that are damaged, or no such files.
_BROKEN = (
    *(ArithmeticError, EOFError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, struct.error, TokenError),
)
DATE = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal arrays make equal files


def read_npz(path: Path, key: str) -> Arrays:
    """The arrays of an .npz by name; `key` is what has these names."""
    arrays = _load(path, "an .npz file of plain arrays")
    if not isinstance(arrays, dict):
        raise FileError(f"{path} is not an .npz file of arrays by {key} name")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a member that is no .npy, as bytes
            raise FileError(f"{path} is not an .npz file of arrays: {name} is not an array")
    return arrays


def read_npy(path: Path) -> npt.NDArray[Any]:
    """The array of an .npy."""
    array = _load(path, "an .npy file of a plain array")
    if isinstance(array, dict):
        raise FileError(f"{path} is not an .npy file of a plain array, but an .npz of several")
    return np.asarray(array)


def _load(path: Path, what: str) -> Any:
    """An array or, of an archive, a dict of them."""
    try:
        # The file is opened here, because np.load leaves a broken one open.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about headers as Python 2 wrote them
            loaded = np.load(file, allow_pickle=False)
            return dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    except _BROKEN as error:
        said = " ".join(str(error).split())
        raise FileError(f"{path} is not {what}: {said}") from None


def write_npz(path: str | Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays by name, whatever characters names have, whole or not at all."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", DATE), member.getvalue())
    write_whole(path, content.getvalue())
