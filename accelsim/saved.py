"""Results read back from the JSON that `accelsim run --json` writes."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from accelsim import networks
from accelsim.checks import check, of_type, one_of
from accelsim.engines.base import Accesses, Bound
from accelsim.errors import AccelsimError, FileError
from accelsim.hardware import (
    THIRD_PARTY,
    Clock,
    DepthwiseEngine,
    Hardware,
    Memory,
    Operands,
    SystolicArray,
)
from accelsim.hardware.clock import SOURCES, USER
from accelsim.hardware.files import own_engines
from accelsim.ir import IMAGES, Shape
from accelsim.request import TIMINGS
from accelsim.result import MEMORY, LayerResult, Result, Totals

Part = TypeVar("Part", SystolicArray, DepthwiseEngine, Operands, Memory, LayerResult)
TOTALS = ("cycles", "macs", "params", "memory_cycles")
SHARES = ("utilization", "busy_utilization")
OFF_CHIP = ("offchip_read_bytes", "offchip_write_bytes")
BYTES = ("read_bytes", "write_bytes", *OFF_CHIP)
ENDS = ("cycles_min", "cycles_max")  # of cycles for any data, which older files do not have
NUMBERS = (*TOTALS, *ENDS, *SHARES, *BYTES, "live_macs", "skipped_macs", "bound_cycles")
BINDS = (*Bound._fields, MEMORY)
ENERGY = {"accesses": int, "energy": float}  # of layers, by kinds of access
MOST = 1 << 53  # up to which a float holds every count


@dataclass(frozen=True)
class SavedResult(Totals):
    """A result without its graph and its values; for all else see Result.

    input : shape of the image; None where every layer has a map of its own.
    version : of the program that wrote it.
    energy_by : name of the table by which energy was counted; None where it is left out.
    """

    network: str
    variant: str
    input: Shape | None
    timing: str
    fidelity: str
    version: str
    seed: int
    hardware: Hardware
    layers: tuple[LayerResult, ...]
    batch: int
    energy_by: str | None = None


AnyResult = Result | SavedResult


def load_result(path: str | Path) -> SavedResult:
    """The one result in a file; FileError says what is wrong with it."""
    results = load_results(path)
    if len(results) > 1:
        raise FileError(
            f"{path} holds {len(results)} results, and this is of one; `accelsim run` writes one "
            "for a single network, input and array"
        )
    return results[0]


def load_results(path: str | Path) -> list[SavedResult]:
    """The result in a file, or all that a run of several wrote; FileError says what is wrong."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise FileError(f"{path} is not valid JSON") from None
    try:
        several = isinstance(data, dict) and "results" in data
        parts = _take(data, "results", list) if several else [data]
        if not parts:
            raise FileError("its results are none")
        return [_result(part) for part in parts]
    except FileError as error:
        raise FileError(f"{path} is not a result of `accelsim run --json`: {error}") from None
    except AccelsimError as error:
        raise FileError(f"{path} cannot be used: {error}") from None


def restore(result: SavedResult) -> Result | None:
    """The result with its network; None where that came from a file, or has changed since."""
    if result.input is None:
        return None
    try:
        graph = networks.get(result.network, result.variant, result.input[1:])
    except AccelsimError:
        return None
    batch = result.batch
    layers = {layer.name: (layer.op.name, batch * graph.macs(layer)) for layer in graph.layers}
    same = all(layers.get(layer.name) == (layer.op, layer.macs) for layer in result.layers)
    if not same or graph.input != result.input:
        return None
    about = (result.hardware, result.timing, result.fidelity, result.seed)
    return Result(graph, *about, result.layers, batch=batch)


def _result(data: Any) -> SavedResult:
    made = SavedResult(
        network=_take(data, "network", str),
        variant=_take(data, "variant", str),
        input=_shape(_take(data, "input", list | None)),
        timing=_take(data, "timing", str),
        fidelity=_take(data, "fidelity", str),
        version=_take(data, "version", str),
        seed=_take(data, "seed", int),
        hardware=_hardware(_take(data, "hardware", dict)),
        layers=tuple(_layer(layer) for layer in _take(data, "layers", list)),
        batch=_take(data, "batch", int) if "batch" in data else 1,
        energy_by=_take(data, "energy_table", str) if "energy_table" in data else None,
    )
    check("batch", made.batch, IMAGES, FileError)
    if not made.layers:
        raise FileError("it has no layers")
    if made.timing not in TIMINGS:
        raise FileError(f"there is no timing {made.timing!r}; there are {', '.join(TIMINGS)}")
    for layer in made.layers:
        _check(layer)
    if made.hardware.memory is None and made.total_memory_cycles is not None:
        raise FileError("its layers have memory_cycles, but its hardware no memory")
    for total in (*TOTALS, *(end for end in ENDS if f"total_{end}" in data)):
        said, sums = data.get(f"total_{total}"), getattr(made, f"total_{total}")
        if said != sums:
            raise FileError(f"total_{total} is {said!r}, but its layers add up to {sums}")
    if (made.energy_by is None) != (made.total_energy is None):
        raise FileError("it has energy_table or energy of layers without the other")
    if data.get("total_energy_pj") != made.total_energy_pj:
        raise FileError(
            f"total_energy_pj is {data.get('total_energy_pj')!r}, but its layers add up to "
            f"{made.total_energy_pj}"
        )
    return made


def _layer(data: Any) -> LayerResult:
    """A layer, with energy where that was asked for."""
    if not isinstance(data, dict):
        raise FileError(f"a layer must be a table, not {data!r}")
    older = dict.fromkeys(ENDS, data.get("cycles")) | {"way": None}
    layer = _part(LayerResult, older | data | dict.fromkeys(ENERGY))
    given: dict[str, Any] = {
        key: _by_kind(data, key, kind) for key, kind in ENERGY.items() if key in data
    }
    if len(given) == 1:
        raise FileError(f"it has energy or accesses without the other (layer {layer.name})")
    return replace(layer, **given)


def _by_kind(data: dict[str, Any], key: str, kind: type) -> dict[str, Any]:
    """Numbers by kinds of access."""
    numbers = _take(data, key, dict)
    for name in numbers:
        check(f"a kind of {key}", name, one_of(Accesses._fields), FileError)
        if not 0 <= _take(numbers, name, kind) < MOST:
            raise FileError(f"{name} of {key} must be a number from 0 to {MOST - 1}")
    return dict(numbers)


def _check(layer: LayerResult) -> None:
    """Refuse what no run can have cost."""
    for field in NUMBERS:
        value = getattr(layer, field)
        if value is not None and not 0 <= value < MOST:
            raise FileError(f"{field} must be a number from 0 to {MOST - 1} (layer {layer.name})")
    if not layer.cycles_min <= layer.cycles <= layer.cycles_max:
        raise FileError(f"cycles must be from cycles_min to cycles_max (layer {layer.name})")
    if layer.bound_by is not None:
        check(f"bound_by of layer {layer.name}", layer.bound_by, one_of(BINDS), FileError)
    if layer.not_modelled and layer.cycles:
        raise FileError(f"cycles of what is not modelled must be 0 (layer {layer.name})")


def _take(data: Any, key: str, kind: type | UnionType) -> Any:
    """The value of a key, if it is of that kind; true and false are not numbers."""
    if not isinstance(data, dict) or key not in data:
        raise FileError(f"it has no {key!r}")
    value = data[key]
    check(key, value, of_type(*(get_args(kind) or (kind,))), FileError)
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise FileError(f"{key} must be text, not {value!r}")  # halves of letters
    return value


def _shape(sizes: list[Any] | None) -> Shape | None:
    if sizes is None:
        return None
    if len(sizes) != 3 or any(type(size) is not int for size in sizes):
        raise FileError(f"input must be three whole numbers, not {sizes!r}")
    return sizes[0], sizes[1], sizes[2]


def _part(kind: type[Part], data: Any) -> Part:
    """A record from a table of its fields."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name == "operands":
            values[field.name] = _part(Operands, _take(data, field.name, dict))
        else:
            values[field.name] = _take(data, field.name, hints[field.name])
    return kind(**values)


def _hardware(data: dict[str, Any]) -> Hardware:
    """The design of a table as `asdict` makes it."""
    source = data.get("clock_source", USER)
    check("clock_source", source, one_of(SOURCES), FileError)
    clock = Clock(_take(data, "clock_mhz", float), source)
    array = _take(data, "array", dict | None)
    sized = None if array is None else _part(SystolicArray, array)
    described = _take(data, "memory", dict | None)
    memory = None if described is None else _part(Memory, described)
    if "engine" in data:
        engine = _take(data, "engine", dict)
        name = _take(engine, "name", str)
        kind = next((type(each) for each in THIRD_PARTY if each.name == name), None)
        if kind is None:
            known = ", ".join(each.name for each in THIRD_PARTY)
            raise FileError(f"there is no engine {name!r}; there are {known}")
        sizes = {each.name: _take(engine, each.name, int) for each in fields(kind) if each.init}
        return Hardware(sized, engines=(kind(**sizes),), memory=memory, given=clock)
    if sized is None:
        raise FileError("hardware has no array")
    others = [
        _part(type(each), _take(data, each.name, dict))
        for each in own_engines()
        if not each.runs_all and data.get(each.name) is not None
    ]
    return Hardware(sized, engines=others, memory=memory, given=clock)
