"""Functions of every element by itself."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from accelsim.graph.types import Array


def relu(x: Array) -> Array:
    """max(x, 0), of the type of `x`."""
    return np.maximum(x, np.zeros((), x.dtype))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"Relu": relu}
