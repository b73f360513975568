"""The folder of a sweep: what was asked for, tabulated costs, and rows, in parts written whole.

manifest.json                        the specification, the version and the hash of its sources
costs/NUMBER-DIGEST.parquet          costs of some engines
points/NUMBER-DIGEST.parquet         rows of some points

A part is there whole or not at all, and its name holds the digest of its content, its number and
the sweep that it is of: what is there is finished, and what was damaged since, or belongs to
another sweep, is noticed. Nothing that is finished is written again.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import polars

from accelsim.errors import FileError
from accelsim.files import write_whole
from accelsim.phrases import are, counted
from accelsim.sweep import area, reuse
from accelsim.sweep.spec import Spec
from accelsim.version import __version__

MANIFEST = "manifest.json"
COSTS, POINTS = "costs", "points"
NAME = re.compile(r"([0-9]{6,})-([0-9a-f]{16})\.parquet")
SHOWING = ("report", "cli", "analysis.py", "saved.py")  # modules that results do not depend on
LEFT_OVER = ".accelsim-*"  # of files that were being written


class Parts:
    """Numbered parts in a folder.

    count : how many there are to be.
    sweep : hash of what they are of.
    """

    def __init__(self, folder: Path, count: int, sweep: str) -> None:
        self.folder = folder
        self.count = count
        self.sweep = sweep

    def finished(self) -> dict[int, Path]:
        """The parts that are there, by number."""
        parts = {}
        for path in sorted(self.folder.glob("*.parquet")):
            name = NAME.fullmatch(path.name)
            if name and int(name[1]) < self.count:
                parts[int(name[1])] = path
        return parts

    def missing(self) -> list[int]:
        """Numbers of the parts that are not there."""
        there = self.finished()
        return [number for number in range(self.count) if number not in there]

    def write(self, number: int, content: bytes) -> None:
        """Put a part where it belongs."""
        digest = self._digest(number, content)
        write_whole(self.folder / f"{number:06}-{digest}.parquet", content)

    def check(self) -> None:
        """FileError where a part is not what was written."""
        for number, path in self.finished().items():
            self._read(number, path)

    def count_false(self, column: str) -> int:
        """Rows in which a column is false."""
        parts = polars.scan_parquet(list(self.finished().values()))
        count: int = parts.select((~polars.col(column)).sum()).collect().item()
        return count

    def scan(self) -> polars.LazyFrame:
        """All parts in order, read when they are needed; errors as those of `frame`."""
        parts = self._all()
        self.check()
        return polars.scan_parquet([path for _, path in parts])

    def frame(self) -> polars.DataFrame:
        """All parts in order; FileError where one is missing or damaged."""
        parts = (polars.read_parquet(self._read(*part)) for part in self._all())
        return polars.concat(parts, rechunk=False)

    def _all(self) -> list[tuple[int, Path]]:
        if missing := self.missing():
            raise FileError(
                f"{self.folder.parent} is not finished: {len(missing):,} of "
                f"{counted(self.count, 'part')} {are(len(missing))} missing; "
                "accelsim sweep --resume goes on"
            )
        return sorted(self.finished().items())

    def _digest(self, number: int, content: bytes) -> str:
        digest = hashlib.blake2b(
            f"{self.sweep} {self.folder.name} {number} ".encode(), digest_size=8
        )
        digest.update(content)
        return digest.hexdigest()

    def _read(self, number: int, path: Path) -> bytes:
        """The content of a part."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
        if path.stem.partition("-")[2] != self._digest(number, content):
            raise FileError(
                f"{path} is damaged: its content is not what was written there; without the file, "
                "accelsim sweep --resume makes it again"
            )
        return content


class Folder:
    """The folder of a sweep, which has this hash."""

    def __init__(self, path: Path, sweep: str, points: int, costs: int) -> None:
        self.path = path
        self.points = Parts(path / POINTS, points, sweep)
        self.costs = Parts(path / COSTS, costs, sweep)


@contextmanager
def open_folder(path: Path, spec: Spec, costs: int, resume: bool) -> Iterator[Folder]:
    """The folder of this sweep and no other one, new or to be resumed, for one writer at a time.

    costs : parts of the tables.
    """
    manifest = path / MANIFEST
    try:
        if path.exists() and not path.is_dir():
            raise FileError(f"{path} must be a folder, and is a file")
        path.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            if manifest.exists():
                _compare(path, spec, resume)
            else:
                _check_empty(path)
                write_whole(manifest, json.dumps(_manifest(spec, costs), indent=2) + "\n")
            for name in (COSTS, POINTS):
                (path / name).mkdir(exist_ok=True)
            _clean(path)
            folder = Folder(path, spec.sha256, spec.parts, costs)
            folder.costs.check()
            folder.points.check()
            yield folder
    except OSError as error:
        raise FileError(f"{path} cannot be used: {error.strerror or error}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder; the lock ends with the process."""
    place = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(f"{path} is being written by another sweep") from None
        yield
    finally:
        os.close(place)


def _check_empty(path: Path) -> None:
    """Refuse a folder of other files; a sweep killed at its beginning may have left its own."""
    for entry in path.iterdir():
        if not entry.match(LEFT_OVER):
            raise FileError(f"{path} holds {entry.name} and no sweep; it must be new or empty")


def read_folder(path: Path) -> tuple[Folder, dict[str, Any]]:
    """A folder with results and its manifest."""
    manifest = read_manifest(path)
    counts = manifest["parts"], manifest["cost_parts"]
    return Folder(path, manifest["sha256"], *counts), manifest


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a folder."""
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if not _is_manifest(manifest):
            raise ValueError
    except OSError as error:
        raise FileError(f"{path} holds no sweep: {MANIFEST}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise FileError(
            f"{path / MANIFEST} is damaged: it is not the manifest of a sweep"
        ) from None
    return manifest


def _is_manifest(data: Any) -> bool:
    """Whether it has all that is read of a manifest."""
    match data:
        case {
            "version": str(),
            "sources": str(),
            "sha256": str(),
            "parts": int(),
            "cost_parts": int(),
            "specification": {"axes": [*axes]},
        }:
            return all(
                isinstance(axis, dict)
                and isinstance(axis.get("keys"), list)
                and isinstance(axis.get("values"), list)
                for axis in axes
            )
    return False


def _manifest(spec: Spec, costs: int) -> dict[str, Any]:
    return {
        "version": __version__,
        "sources": sources_sha256(),
        "sha256": spec.sha256,
        "points": spec.points,
        "parts": spec.parts,
        "cost_parts": costs,
        "reuse_model": reuse.SENTENCE,
        "area_errors": area.leave_one_out_errors(),
        "specification": spec.to_dict(),
    }


def _compare(path: Path, spec: Spec, resume: bool) -> None:
    manifest = read_manifest(path)
    if manifest["sha256"] != spec.sha256:
        raise FileError(
            f"{path} holds the results of another specification; nothing in it was changed"
        )
    if not resume:
        raise FileError(f"{path} holds results of this sweep already; --resume goes on with it")
    if (manifest["version"], manifest["sources"]) != (__version__, sources_sha256()):
        raise FileError(
            f"{path} was begun by another state of accelsim ({manifest['version']}); its parts and "
            "those of this one do not belong together"
        )


@cache
def sources_sha256() -> str:
    """Of the modules that decide results, which are all but those that show them."""
    top = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted((*top.rglob("*.py"), *top.rglob("*.json"))):
        name = path.relative_to(top)
        if name.parts[0] not in SHOWING:
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _clean(path: Path) -> None:
    """Remove what was being written when a sweep was killed."""
    for folder in (path, path / COSTS, path / POINTS):
        for left in folder.glob(LEFT_OVER):
            with suppress(OSError):
                left.unlink()
