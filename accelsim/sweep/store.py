"""The folder of a sweep, and the one beside it, in parts written whole.

DIR/NUMBER-DIGEST.parquet               rows of some points, and nothing else
DIR.sweep/manifest.json                 the specification, the version and the hash of its sources
DIR.sweep/costs/NUMBER-DIGEST.parquet   costs of some engines

What reads a folder of Parquet files reads DIR as one table; some readers (polars) look into every
folder below it, whatever its name, which is why the rest stands beside it.

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

from accelsim import reuse
from accelsim.errors import FileError
from accelsim.files import write_whole
from accelsim.frames import polars
from accelsim.phrases import are, counted
from accelsim.sweep import area
from accelsim.sweep.spec import Spec
from accelsim.version import __version__

BESIDE = ".sweep"  # behind the name of the folder: that of the one beside it
MANIFEST = "manifest.json"
COSTS = "costs"
NAME = re.compile(r"([0-9]{6,})-([0-9a-f]{16})\.parquet")
# Modules that results do not depend on.
SHOWING = ("report", "cli", "analysis.py", "conditions.py", "saved.py")
LEFT_OVER = ".accelsim-*"  # of files that were being written


class Parts:
    """Numbered parts in a folder.

    kind : costs or points.
    count : how many there are to be.
    sweep : hash of what they are of.
    """

    def __init__(self, folder: Path, kind: str, count: int, sweep: str) -> None:
        self.folder = folder
        self.kind = kind
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
                f"{self.folder} is not finished: {len(missing):,} of "
                f"{counted(self.count, 'part')} {are(len(missing))} missing; "
                "accelsim sweep --resume goes on"
            )
        return sorted(self.finished().items())

    def _digest(self, number: int, content: bytes) -> str:
        digest = hashlib.blake2b(f"{self.sweep} {self.kind} {number} ".encode(), digest_size=8)
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
        self.points = Parts(path, "points", points, sweep)
        self.costs = Parts(beside(path) / COSTS, COSTS, costs, sweep)


def beside(path: Path) -> Path:
    """The folder beside that of the points, for all that is no point."""
    named = path.name not in ("", "..") and not path.is_symlink()
    place = path if named else Path(os.path.realpath(path))
    if not place.name:
        raise FileError(f"{path} cannot hold a sweep: a part of it stands beside its folder")
    return place.with_name(place.name + BESIDE)


@contextmanager
def open_folder(path: Path, spec: Spec, costs: int, resume: bool) -> Iterator[Folder]:
    """The folder of this sweep and no other one, new or to be resumed, for one writer at a time.

    costs : parts of the tables.
    """
    rest = beside(path)
    manifest = rest / MANIFEST
    try:
        # Before anything is made, and again when nobody else can make anything.
        _check_places(path, rest, new=not manifest.exists())
        for place in (path, rest):
            place.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            if manifest.exists():
                _compare(path, spec, resume)
            else:
                _check_places(path, rest, new=True)
                write_whole(manifest, json.dumps(_manifest(spec, costs), indent=2) + "\n")
            (rest / COSTS).mkdir(exist_ok=True)
            _clean(path, rest, rest / COSTS)
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


def _check_places(path: Path, rest: Path, new: bool) -> None:
    """Refuse files in the place of folders, and for a new sweep folders of something else."""
    for place in filter(Path.exists, (path, rest)):
        if not place.is_dir():
            raise FileError(f"{place} must be a folder, and is a file")
        if new:
            _check_empty(place)


def _check_empty(path: Path) -> None:
    """Refuse a folder of other files; a sweep killed at its beginning may have left its own."""
    _check_layout(path)
    for entry in path.iterdir():
        if not entry.match(LEFT_OVER):
            raise FileError(f"{path} holds {entry.name} and no sweep; it must be new or empty")


def read_folder(path: Path) -> tuple[Folder, dict[str, Any]]:
    """A folder with results and its manifest."""
    manifest = read_manifest(path)
    counts = manifest["parts"], manifest["cost_parts"]
    return Folder(path, manifest["sha256"], *counts), manifest


def read_manifest(path: str | Path) -> dict[str, Any]:
    """The manifest of a folder."""
    place = beside(Path(path)) / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if not _is_manifest(manifest):
            raise ValueError
    except OSError as error:
        _check_layout(Path(path))
        reason = error.strerror or error
        raise FileError(f"{path} holds no sweep: {place}: {reason}") from None
    except (ValueError, RecursionError):
        raise FileError(f"{place} is damaged: it is not the manifest of a sweep") from None
    return manifest


def _check_layout(path: Path) -> None:
    """Refuse the folder of an earlier version, in which everything stood in one place."""
    if (path / MANIFEST).exists() and (path / "points").is_dir():
        raise FileError(
            f"{path} was written by an earlier version, with all parts in folders below it; sweep "
            "again into another folder"
        )


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


def _clean(*folders: Path) -> None:
    """Remove what was being written when a sweep was killed."""
    for folder in folders:
        for left in folder.glob(LEFT_OVER):
            with suppress(OSError):
                left.unlink()
