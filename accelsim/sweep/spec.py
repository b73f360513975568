"""What is to be swept: the axes of a grid, the designs and workloads on it, a sample of it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from accelsim.energy import EnergyTable
from accelsim.find import find_network
from accelsim.hardware import Clock, Hardware, Memory, Operands, Sizes, clock
from accelsim.ir import BaseNetwork, LayerList
from accelsim.result import batch_keys
from accelsim.sweep.axes import (
    BUFFERS,
    ENGINES,
    MAIN,
    OPERANDS,
    OTHERS,
    WORKLOAD,
    Axis,
    Value,
    column,
    columns,
    presence,
)
from accelsim.tensors import OPERAND_DTYPE

PART_POINTS = 100_000


class Workload(NamedTuple):
    """A network, a variant, an input size and a number of images that are swept."""

    network: BaseNetwork
    name: str
    variant: str
    input: str
    batch: int


@dataclass(frozen=True)
class Spec:
    """A specification, valid from birth.

    axes : of the grid, in order; an axis without a choice has one value. Without one of batches
        each network has its own.
    base : hardware for whatever no axis says.
    sample, seed : so many distinct points of the grid, drawn with the seed; 0 for all of them.
    part_points : points of a part, the unit in which results are written.
    energy : by which energy is counted; None where it is left out.
    """

    axes: tuple[Axis, ...]
    base: Hardware
    sample: int = 0
    seed: int = 0
    part_points: int = PART_POINTS
    energy: EnergyTable | None = None

    @property
    def grid(self) -> int:
        """Points of the whole grid."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def schedules(self) -> int:
        """How often a whole network has to be scheduled on an engine."""
        steps = {axis.keys[0]: len(axis.values) for axis in self.axes}
        sizes = {
            engine.name: math.prod(steps.get(key, 1) for key in columns(engine.name).values())
            for engine in ENGINES
        }
        total = sizes[MAIN.name] * steps["dataflow"]
        for engine in OTHERS:
            there = [bool(value[0]) for value in self._presence(engine).values]
            total += sizes[engine.name] * sum(there) // len(there)
        return total * math.prod(steps.get(key, 1) for key in (*WORKLOAD, *OPERANDS))

    @property
    def buffers(self) -> int:
        """How often the maps of a network have to be laid out in buffers."""
        axes = (axis for axis in self.axes if axis.keys[0] in (*WORKLOAD, *BUFFERS))
        return math.prod(len(axis.values) for axis in axes)

    @property
    def points(self) -> int:
        """Points that are evaluated."""
        return self.sample or self.grid

    @property
    def parts(self) -> int:
        """Parts that the results come in."""
        return -(-self.points // self.part_points)

    def axis(self, key: str) -> Axis:
        """The axis of a column."""
        return next(axis for axis in self.axes if axis.keys[0] == key)

    def _presence(self, engine: Sizes) -> Axis:
        """The axis that says whether a design has an engine."""
        return self.axis(column(engine.name, presence(engine)))

    def combinations(self, keys: tuple[str, ...]) -> list[dict[str, Value | None]]:
        """Every combination of the axes of these keys, the last of them running fastest."""
        combined: list[dict[str, Value | None]] = [{}]
        for axis in self.axes:
            if axis.keys[0] in keys:
                combined = [
                    each | dict(zip(axis.keys, value, strict=True))
                    for each in combined
                    for value in axis.values
                ]
        return combined

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Every network, variant, input size and batch, in the order of the axes."""
        workloads = []
        for each in self.combinations(WORKLOAD):
            name, variant, size = (str(each[key]) for key in WORKLOAD[:-1])
            network = find_network(name, variant, size or None)
            batch = each.get("batch", network.batch)
            assert isinstance(batch, int)
            workloads.append(Workload(network, name, variant, network.size, batch))
        return tuple(workloads)

    @cached_property
    def batched(self) -> bool:
        """Whether the results say of how many images they are."""
        asked = any(axis.keys == ("batch",) for axis in self.axes)
        return asked or any(each.batch > 1 for each in self.workloads)

    @cached_property
    def sizes(self) -> dict[str, tuple[Sizes | None, ...]]:
        """Of every engine by its name, with its operands, in the order of the axes.

        None stands for no engine.
        """
        return {
            engine.name: tuple(
                self._sizes(engine, each)
                for each in self.combinations((*OPERANDS, *columns(engine.name).values()))
            )
            for engine in ENGINES
        }

    def hardware(self, point: Mapping[str, Any]) -> Hardware:
        """The design of a point, which its columns in the results say.

        It has no memory where the port is as wide as it takes.
        """
        engines = (self._sizes(engine, point) for engine in ENGINES)
        there = (sizes for sizes in engines if sizes is not None)
        width, rooms = point["memory_width_bytes"], {key: point[key] for key in BUFFERS}
        memory = Memory(**rooms, width_bytes=width) if width else None
        given = Clock(point["clock_mhz"], point["clock_source"])
        design = Hardware(engines=there, memory=memory, assumed_mhz=self.base.assumed_mhz)
        return design if design.clock == given else replace(design, given=given)

    def _sizes(self, engine: Sizes, values: Mapping[str, Any]) -> Sizes | None:
        """An engine with the values of its columns; all else comes from the base."""
        base: Any = self.base.engine(engine.name) or engine
        given = {
            parameter: values[key]
            for parameter, key in columns(engine.name).items()
            if key in values
        }
        if not given[presence(engine)]:
            return None
        back = {
            parameter: getattr(type(base), parameter)
            for parameter, leader in getattr(base, "follows", {}).items()
            if given.get(leader, getattr(base, leader)) != getattr(base, leader)
        }
        sized: Sizes = replace(base, **back | given, operands=self._operands(values))
        return sized

    def _operands(self, values: Mapping[str, Any]) -> Operands:
        """The operands of a point."""
        base: Operands = self.base.engine(MAIN.name).operands
        return replace(base, **{key: values[key] for key in OPERANDS if key in values})

    def to_dict(self) -> dict[str, Any]:
        """What a manifest holds: all that decides the results."""
        return {
            "axes": [{"keys": axis.keys, "values": axis.values} for axis in self.axes],
            "hardware": self.base.to_dict(),
            "clocks": self._clocks,
            "sample": self.sample,
            "seed": self.seed,
            "part_points": self.part_points,
            **({} if self.energy is None else {"energy": _digest(repr(self.energy))}),
            "networks": [
                {
                    "network": each.name,
                    "variant": each.variant,
                    "input": each.input,
                    "sha256": _network_digest(each.network),
                    **batch_keys(each.batch),
                }
                for each in self.workloads
            ],
        }

    @property
    def own_clocks(self) -> bool:
        """Whether each design has its own clock, as the specification says none."""
        return self.axis("clock_mhz").values == ((None,),)

    @property
    def _clocks(self) -> str | None:
        """What decides clocks that are each design's own; None where they are given."""
        if not self.own_clocks:
            return None
        return _digest(repr((clock.table(), self.base.assumed_mhz)))

    @cached_property
    def sha256(self) -> str:
        """Of all that decides the results."""
        return _digest(json.dumps(self.to_dict(), sort_keys=True))


def _network_digest(network: BaseNetwork) -> str:
    """Of the layers and what they read; the usual type of maps is left out, like no type at all."""
    reads = network.maps if isinstance(network, LayerList) else network.input
    text = repr((reads, network.layers)).replace(f", dtype={OPERAND_DTYPE!r})", ")")
    return _digest(text if network.dtype == OPERAND_DTYPE else f"{network.dtype} {text}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
