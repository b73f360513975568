"""What a runtime made of a file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy.typing as npt


class Oracle(NamedTuple):
    """Tensors by name, and how the runtime was made to compute them.

    runtime : its name and version.
    options : those that were set, since integers are not exact without them.
    form : in one sentence, the form of the network that it computed.
    tensors : outputs of the file, and what is between its layers as far as the runtime has it.
    """

    runtime: str
    options: Mapping[str, str]
    form: str
    tensors: Mapping[str, npt.NDArray[Any]]
