"""How kernels are compiled, and records of the registers that they step."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

_Function = TypeVar("_Function", bound=Callable[..., Any])
Watcher = Callable[[str | None], None]  # takes the module whose kernel is compiled, None behind it

_watchers: list[Watcher] = []


def kernel(function: _Function, **options: Any) -> _Function:
    """The function, compiled by Numba when it is first called.

    One decorator for every kernel. error_model="numpy" drops the division checks; cache=True
    keeps the compiled code between runs. Numba compiles again when the file of the function has
    changed; here it also does when a module of accelsim has changed that this file imports, for
    constants and what is called are compiled in. What those modules import is not looked at: a
    kernel calls only kernels of its own file. Numba is imported here, so that what needs no kernel
    starts without it.
    """
    import numba

    _listen()
    jit: Any = numba.njit
    compiled = jit(cache=True, error_model="numpy", nogil=True, **options)(function)
    # Numba has no way to say it: these are its own names. It has no cache with NUMBA_DISABLE_JIT.
    with suppress(AttributeError):
        kept = compiled._cache._cache_file
        kept._source_stamp = kept._source_stamp, _imported(function.__code__.co_filename)
        kept._load_index = partial(_index, kept._load_index)
    return cast(_Function, compiled)


def _index(read: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
    """What Numba has kept of a kernel; nothing where its arguments were of classes now gone."""
    try:
        return read()
    except (AttributeError, ImportError):
        return {}


def component(function: _Function) -> _Function:
    """A kernel that is compiled into the kernels of its file that call it, once for each.

    It allocates nothing. So Numba need not count who refers to an array, which it would do for
    every array of a tuple in every call, and which takes longer than a small component does.
    """
    return kernel(function, forceinline=True, _nrt=False)


def registers(*names: str, dtype: npt.DTypeLike = np.int64) -> np.dtype[np.void]:
    """Type of a record of integers, which kernels read and write by name.

    An element of an array of records is a record that all components share.
    """
    return np.dtype([(name, dtype) for name in names])


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Say whose kernels are compiled meanwhile; those that Numba has kept are not.

    Modules are named as within this package. Kernels that one calls are compiled with it.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@cache
def _listen() -> None:
    """Pass on to who is watching what Numba says of its work."""
    from numba.core import event

    class Listener(event.Listener):
        """Numba compiles in one thread at a time, so that starts and ends are nested."""

        depth = 0

        def on_start(self, event: Any) -> None:
            self.depth += 1
            if self.depth == 1:
                module = event.data["dispatcher"].py_func.__module__
                self.tell(module.removeprefix("accelsim."))

        def on_end(self, _: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                self.tell(None)

        def tell(self, module: str | None) -> None:
            for watcher in _watchers:
                watcher(module)

    event.register("numba:compile", Listener())


@cache
def _imported(file: str) -> bytes:
    """Digest of the modules of accelsim that a file imports, of packages all they hold."""
    source, digest = Path(file), sha256()
    text = source.read_text() if source.is_file() else ""  # a cell of a notebook is no file
    for name in sorted(set(re.findall(r"^from (accelsim[\w.]*) import", text, re.MULTILINE))):
        module = sys.modules[name]  # the file is running, so what it imports is there
        places = [Path(place) for place in getattr(module, "__path__", ())]
        files = [each for place in places for each in sorted(place.rglob("*.py"))]
        for each in files or [Path(str(module.__file__))]:
            digest.update(each.read_bytes())
    return digest.digest()
