"""Squeeze-excite: channels weighted by gates computed from their averages (arXiv 1709.01507)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import ACTIVATIONS, Layer, Shape
from accelsim.ops.geometry import check_bool, check_choice, check_whole
from accelsim.ops.global_pool import GlobalPool
from accelsim.ops.linear import Linear
from accelsim.ops.scale import Scale


@dataclass(frozen=True)
class SqueezeExcite:
    """x times gate(W2 activation(W1 average(x))).

    reduced : features between the two fully connected layers.
    bias : of both; there if not said otherwise, as in the networks that have this block.
    """

    name: ClassVar[str] = "squeeze_excite"
    reduced: int
    activation: str = "relu"
    gate: str = "hsigmoid"
    bias: bool = True

    def __post_init__(self) -> None:
        check_whole("reduced", self.reduced)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("gate", self.gate, tuple(ACTIVATIONS))
        check_bool("bias", self.bias)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_pool, NAME1, NAME2 and NAME, the scaled input, on an input of `shape`."""
        pool, squeeze, excite = f"{name}_pool", f"{name}1", f"{name}2"
        return (
            Layer(pool, GlobalPool(), inputs),
            Layer(squeeze, Linear(self.reduced), (pool,), self.bias, False, self.activation),
            Layer(excite, Linear(shape[0]), (squeeze,), self.bias, False, self.gate),
            Layer(name, Scale(), (*inputs, excite)),
        )
