"""Functions of tensors in NumPy, by name: what runs on the host between the layers of an engine.

Names, order of inputs and attributes are those of ONNX's newest operator set, where it has the
function. An input that is left out is None. Integers stay exact; reals are float32.
"""

from collections.abc import Callable, Mapping
from typing import Any

from accelsim.graph.functions import elementwise

FUNCTIONS: Mapping[str, Callable[..., Any]] = {**elementwise.FUNCTIONS}
