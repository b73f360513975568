"""Layers of an operator in the making."""

from dataclasses import dataclass, field

from accelsim.ir import Layer, Operator


@dataclass
class Parts:
    """Layers one after another, called by the operator's name and what they are in it.

    name : of the last one, which is the result.
    """

    name: str
    layers: list[Layer] = field(default_factory=list)

    def add(
        self,
        part: str,
        op: Operator,
        *sources: str,
        bias: bool = False,
        norm: bool = False,
        activation: str = "none",
    ) -> str:
        """Append NAME_part, whose name it gives; NAME itself where `part` is nothing."""
        name = f"{self.name}_{part}" if part else self.name
        self.layers.append(Layer(name, op, sources, bias, norm, activation))
        return name
