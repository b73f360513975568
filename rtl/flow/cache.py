"""A directory of made things (Verilog, simulator builds), each named by a hash of its recipe.

A thing is made in a directory of its own and renamed into place, so it is there whole or not at
all, whoever else is making the same thing and whenever a run is killed.
"""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from accelsim.errors import FileError
from accelsim.files import cache_directory

_STALE_SECONDS = 24 * 3600


def cached(kind: str, recipe: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Directory with what `make` produces from `recipe`, made now or found from an earlier run.

    Parameters
    ----------
    kind : first part of the directory's name, for people who look.
    recipe : everything that the result depends on, versions of tools included.
    make : fills the directory that it is given; raises if it cannot.
    """
    place = entry(kind, recipe)
    if place.is_dir():
        return place
    work = _work_directory(place)
    try:
        make(work)
        work.rename(place)
    except OSError:
        if not place.is_dir():  # otherwise another run was faster
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return place


def entry(kind: str, recipe: Sequence[str]) -> Path:
    """Where the result of a recipe is kept; a directory once it has been made."""
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:24]
    return cache_directory() / f"{kind}-{digest}"


def _work_directory(place: Path) -> Path:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for left_over in place.parent.glob("*.work*"):
            if time.time() - left_over.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left_over, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{place.name}.work", dir=place.parent))
    except OSError as error:
        raise FileError(
            f"the cache {place.parent} cannot be written ({error.strerror}); "
            "ACCELSIM_CACHE names another directory"
        ) from error
