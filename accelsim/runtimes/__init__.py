"""Runtimes as oracles: what they make of a file and of data, beside what we make of both.

A runtime is optional: none of it computes a value that a result has.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from accelsim.checks import suggestion
from accelsim.errors import UnsupportedError
from accelsim.graph.network import GraphNetwork
from accelsim.result import Values
from accelsim.runtimes import litert, onnx_runtime
from accelsim.runtimes.differences import Comparison, compare_tensors
from accelsim.runtimes.oracle import Oracle

__all__ = ["RUNTIMES", "check_runtime", "compare"]


class Runtime(NamedTuple):
    """A runtime: the ending of the files that it runs, and how it runs one."""

    ending: str
    run: Callable[[Path, GraphNetwork, Values], Oracle]


RUNTIMES: Mapping[str, Runtime] = {
    "onnxruntime": Runtime(".onnx", onnx_runtime.run),
    "litert": Runtime(".tflite", litert.run),
}


def check_runtime(name: str, path: str | Path) -> None:
    """UnsupportedError where no runtime of that name runs the file."""
    if name not in RUNTIMES:
        raise UnsupportedError(
            f"there is no runtime {name!r} to compare with; there are {', '.join(RUNTIMES)}"
            f"{suggestion(RUNTIMES, name)}"
        )
    if Path(path).suffix.lower() != RUNTIMES[name].ending:
        able = [each for each, it in RUNTIMES.items() if it.ending == Path(path).suffix.lower()]
        others = f"; {' and '.join(able)} can run it" if able else ""
        raise UnsupportedError(
            f"{name} runs {RUNTIMES[name].ending} files, and {path} is none{others}"
        )


def compare(name: str, path: str | Path, network: GraphNetwork, values: Values) -> Comparison:
    """The outputs and tensors of a network beside those of a runtime, on the same inputs.

    MissingToolError where the runtime is not installed.
    """
    check_runtime(name, path)
    oracle = RUNTIMES[name].run(Path(path), network, values)
    return compare_tensors(network.graph, values, oracle)
