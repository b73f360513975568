"""Files that users read and write: TOML with the line of every key, and whole-or-nothing output."""

import errno
import os
import re
import secrets
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.errors import FileError


class TomlFile(NamedTuple):
    """A parsed TOML file that still knows where its keys stand; `data` is as tomllib gives it."""

    path: Path
    text: str
    data: dict[str, Any]

    def error(self, message: str, *keys: str | int) -> FileError:
        """FileError that begins with the file and the line of a key.

        keys : the way to it, for instance ("array", "rows"), or ("layer", 2, "kernel") in the
            third [[layer]].
        """
        return FileError(f"{self.path}:{self.line(*keys)}: {message}")

    def line(self, *keys: str | int) -> int:
        """Line of a key, from 1; where the key itself does not stand there, that of its table."""
        wanted = ".".join(str(key) for key in keys) + "."
        seen: Counter[str] = Counter()
        table, best, best_line = "", "", 1
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := re.match(r"\s*(\[{1,2})([^\[\]]+)\]", line):
                table = _bare(header[2])
                if header[1] == "[[":
                    seen[table] += 1
                    table = f"{table}.{seen[table] - 1}"
                path = table + "."
            elif entry := re.match(r"([^=#]+)=", line):
                path = (f"{table}." if table else "") + _bare(entry[1]) + "."
            else:
                continue
            if wanted.startswith(path) and len(path) > len(best):
                best, best_line = path, number
        return best_line


def _bare(key: str) -> str:
    """A dotted key without quotes and spaces."""
    return re.sub(r"[\"'\s]", "", key)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; FileError if it is none."""
    with _reading(path):
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise FileError(f"{path} cannot be read: it is not UTF-8 text") from None


def read_bytes(path: Path, most: int) -> bytes:
    """What a file holds; FileError where that cannot be read or is more than `most` bytes."""
    with _reading(path):
        size = path.stat().st_size
        if size > most:
            raise FileError(f"{path} cannot be read: it has {size:,} bytes, more than {most:,}")
        return path.read_bytes()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """FileError where a file cannot be read."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise FileError(f"{str(path)!r} cannot be read: no file can have that name") from None


def read_toml(path: str | Path) -> TomlFile:
    """Read and parse a TOML file; FileError names the file, and the line where there is one."""
    path = Path(path)
    text = read_text(path)
    try:
        return TomlFile(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{path} is not valid TOML: {error}") from None
    except (ValueError, RecursionError):  # digits without end, tables in tables
        raise FileError(f"{path} is not valid TOML: a number or a nest in it is too long") from None


def check_writable(path: Path) -> None:
    """FileError where no file can be written at that path: told before work, not after it."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.stat()
        if not path.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from None


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all, even where the disk is full.

    A link is followed, a file keeps its mode, and what is no file (a device, a pipe) is written
    to directly.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        mode = path.stat().st_mode if path.exists() else None
        if mode is None or stat.S_ISREG(mode):
            _replace(Path(os.path.realpath(path)), data, mode)
        else:
            path.write_bytes(data)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from None


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    """Put a new file in the place of the target, if there is one, with the mode it had."""
    # The name is short whatever the target's: that may be as long as names can be.
    new = target.with_name(f".accelsim-{secrets.token_hex(8)}")
    try:
        new.write_bytes(data)
        if mode is not None:
            new.chmod(stat.S_IMODE(mode))
        new.replace(target)
    finally:
        with suppress(OSError):
            new.unlink()


def cache_directory() -> Path:
    """Directory of the cache: ACCELSIM_CACHE, else accelsim under XDG_CACHE_HOME or ~/.cache."""
    chosen = os.environ.get("ACCELSIM_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "accelsim"
