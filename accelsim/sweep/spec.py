"""What is to be swept: networks and the values of every hardware parameter, as a TOML file.

A specification is a hardware file in which a value may be a list, with the networks beside it:

    networks = ["mobilenet_v2"]
    variants = ["baseline", "fuse_half"]            # baseline
    inputs = ["224x224", "160x160"]                 # each network's own
    dataflows = ["auto", "os"]                      # auto; one of them: "os,ws"
    depthwise_on = ["auto"]                         # auto
    hardware = "mobile"                             # a preset or a file, for all not said here

    [array]
    size = ["16x16", "32x32"]                       # or rows and columns, a list each
    overlap = [true, false]
    [depthwise]
    size = ["none", "8x64"]                         # or lanes and pixels; no lanes for none
    [memory]                                        # see accelsim.sweep.reuse
    activation_kib = [128, 256]                     # 256
    weight_kib = 128                                # 256
    width_bytes = [0, 8, 16]                        # 0: as wide as needed
    [clock]
    mhz = {from = 100, to = 800, step = 100}        # or times = 2 in place of step
    [sample]                                        # without it, the whole grid
    points = 100000
    seed = 1

The points of a grid are numbered, the last axis running fastest. A sample takes distinct points.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from accelsim.errors import AccelsimError, FileError, HardwareError, UnsupportedError
from accelsim.files import TomlFile, read_toml
from accelsim.find import find_network, parse_input
from accelsim.hardware import (
    TABLES,
    DepthwiseEngine,
    Hardware,
    Operands,
    SystolicArray,
    find_preset,
    load_hardware,
    parse_array,
)
from accelsim.ir import Network
from accelsim.lower import AUTO, DEPTHWISE_ON, parse_dataflows
from accelsim.networks.variants import parse

MOST_POINTS = 20_000_000
MOST_DESIGNS = 20_000  # networks times dataflows times engines to tabulate, about 10 ms each
MOST_VALUES = 100_000  # of an axis
PART_POINTS = 100_000
MOST_PART_POINTS = 1_000_000  # in memory at a time
MOST_PARTS = 1_000_000  # files in a folder
MOST_INDEX = 1 << 62  # of a grid

Value = str | int | float | bool

# Axes in order; the last one runs fastest. Those in front decide cycles, those behind only time.
WORKLOAD = ("network", "variant", "input")
MODES = ("dataflow", "depthwise_on")
OPERANDS = TABLES["operands"]
ARRAY = TABLES["array"]
DEPTHWISE = TABLES["depthwise"]
BUFFERS = ("activation_kib", "weight_kib")
SIZES = ("lanes", "pixels")


class Axis(NamedTuple):
    """One axis of the grid.

    keys : the columns that it decides, for instance rows and columns in a list of sizes.
    values : of every step, one value per key.
    """

    keys: tuple[str, ...]
    values: tuple[tuple[Value | None, ...], ...]


class Workload(NamedTuple):
    """A network, a variant and an input size that are swept."""

    network: Network
    name: str
    variant: str
    input: str


@dataclass(frozen=True)
class Spec:
    """A specification, valid from birth.

    axes : of the grid, in order; an axis without a choice has one value.
    base : hardware for whatever no axis says.
    sample, seed : so many distinct points of the grid, drawn with the seed; 0 for all of them.
    part_points : points of a part, the unit in which results are written.
    """

    axes: tuple[Axis, ...]
    base: Hardware
    sample: int = 0
    seed: int = 0
    part_points: int = PART_POINTS

    @property
    def grid(self) -> int:
        """Points of the whole grid."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def designs(self) -> int:
        """How often a whole network has to be scheduled on an engine."""
        sizes = {axis.keys[0]: len(axis.values) for axis in self.axes}
        shared = math.prod(sizes[key] for key in (*WORKLOAD, *OPERANDS))
        arrays = math.prod(sizes.get(key, 1) for key in (*ARRAY, "dataflow"))
        engines = math.prod(sizes.get(depthwise_key(key), 1) for key in DEPTHWISE)
        lanes = [value[0] for value in self.axis("lanes").values]
        return shared * (arrays + engines * sum(map(bool, lanes)) // len(lanes))

    @property
    def buffers(self) -> int:
        """How often the maps of a network have to be laid out in buffers."""
        return math.prod(len(self.axis(key).values) for key in (*WORKLOAD, *BUFFERS))

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

    def combinations(self, keys: tuple[str, ...]) -> list[dict[str, Value | None]]:
        """Every combination of the axes of these keys, the last of them running fastest."""
        found: list[dict[str, Value | None]] = [{}]
        for axis in self.axes:
            if axis.keys[0] in keys:
                found = [
                    each | dict(zip(axis.keys, value, strict=True))
                    for each in found
                    for value in axis.values
                ]
        return found

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Every network, variant and input size, in the order of the axes."""
        found = []
        for each in self.combinations(WORKLOAD):
            name, variant, size = (str(each[key]) for key in WORKLOAD)
            network = find_network(name, variant, size or None)
            found.append(Workload(network, name, variant, "{1}x{2}".format(*network.input)))
        return tuple(found)

    @cached_property
    def arrays(self) -> tuple[SystolicArray, ...]:
        """Every array, with its operands, in the order of the axes."""
        return tuple(self._array(each) for each in self.combinations((*OPERANDS, *ARRAY)))

    @cached_property
    def engines(self) -> tuple[DepthwiseEngine | None, ...]:
        """Every depthwise engine, with its operands, in the order of the axes."""
        keys = tuple(depthwise_key(key) for key in DEPTHWISE)
        return tuple(self._engine(each) for each in self.combinations((*OPERANDS, *keys)))

    def hardware(self, row: Mapping[str, Any]) -> Hardware:
        """The design of a row of the results."""
        return Hardware(self._array(row), row["clock_mhz"], self._engine(row))

    def _operands(self, values: Mapping[str, Any]) -> Operands:
        return replace(self.base.array.operands, **_fields(values, OPERANDS))

    def _array(self, values: Mapping[str, Any]) -> SystolicArray:
        given = _fields(values, ARRAY)
        return replace(self.base.array, **given, operands=self._operands(values))

    def _engine(self, values: Mapping[str, Any]) -> DepthwiseEngine | None:
        given: dict[str, Any] = {
            key: values[column] for key in DEPTHWISE if (column := depthwise_key(key)) in values
        }
        if not given["lanes"]:
            return None
        base = self.base.depthwise or DepthwiseEngine(1, 1)
        if given["pixels"] != base.pixels:
            given = {"results_per_clock": None} | given  # it follows the pixels
        return replace(base, **given, operands=self._operands(values))

    def to_dict(self) -> dict[str, Any]:
        """What a manifest holds: all that decides the results."""
        return {
            "axes": [{"keys": axis.keys, "values": axis.values} for axis in self.axes],
            "hardware": self.base.to_dict(),
            "sample": self.sample,
            "seed": self.seed,
            "part_points": self.part_points,
            "networks": [
                {
                    "network": each.name,
                    "variant": each.variant,
                    "input": each.input,
                    "sha256": _digest(repr((each.network.input, each.network.layers))),
                }
                for each in self.workloads
            ],
        }

    @cached_property
    def sha256(self) -> str:
        """Of all that decides the results."""
        return _digest(json.dumps(self.to_dict(), sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _fields(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: values[key] for key in keys if key in values}


def depthwise_key(key: str) -> str:
    """The column of a parameter of the depthwise engine."""
    return key if key in SIZES else f"depthwise_{key}"


def load_spec(path: str | Path, force: bool = False) -> Spec:
    """The specification of a TOML file; FileError says file, line and key of what is wrong.

    force : take as many points and designs as it says.
    """
    return _Reader(read_toml(path)).spec(force)


# Keys of a specification: at the top, and in tables of its own.
TOP = ("networks", "variants", "inputs", "dataflows", "depthwise_on", "hardware", "part_points")
MEMORY = (*BUFFERS, "width_bytes")
SAMPLE = ("points", "seed")
OWN: dict[str, tuple[str, ...]] = {
    "array": ("size", *ARRAY),
    "depthwise": ("size", *DEPTHWISE),
    "operands": OPERANDS,
    "memory": MEMORY,
    "clock": ("mhz",),
    "sample": SAMPLE,
}
# Where in the file the values of an axis stand.
AXES = {
    "variant": ("variants",),
    "input": ("inputs",),
    "dataflow": ("dataflows",),
    "depthwise_on": ("depthwise_on",),
}
MOST_KIB = 1 << 22
MOST_WIDTH = 1 << 16


class _Reader:
    """A specification under way from its file."""

    def __init__(self, file: TomlFile) -> None:
        self.file = file
        for key, value in file.data.items():
            if key not in (*TOP, *OWN):
                self.fail(f"unknown key {key!r}, allowed are {', '.join((*TOP, *OWN))}", key)
            if (key in OWN) != isinstance(value, dict):
                what = f"a table, written [{key}]" if key in OWN else "no table"
                self.fail(f"{key} must be {what}", key)
            if key in OWN:
                for inner in value:
                    if inner not in OWN[key]:
                        allowed = ", ".join(OWN[key])
                        self.fail(
                            f"unknown key {inner!r} in [{key}], allowed are {allowed}", key, inner
                        )

    def fail(self, message: str, *keys: str | int) -> NoReturn:
        raise self.file.error(message, *keys) from None

    def spec(self, force: bool) -> Spec:
        """The specification; whatever is wrong in it is found here."""
        if "networks" not in self.file.data:
            self.fail("a specification needs networks, for instance networks = ['mobilenet_v2']")
        base = self.base()
        axes = (
            self.texts("networks", "network"),
            self.texts("variants", "variant", "baseline"),
            self.texts("inputs", "input", ""),
            self.texts("dataflows", "dataflow", AUTO),
            self.texts("depthwise_on", "depthwise_on", AUTO),
            *self.each("operands", base.array.operands, OPERANDS),
            *self.engine("array", base.array, _array_size),
            *self.engine("depthwise", base.depthwise, _depthwise_size),
            *(self.numbers("memory", key, 256, 1, MOST_KIB) for key in BUFFERS),
            self.numbers("memory", "width_bytes", 0, 0, MOST_WIDTH, "memory_width_bytes"),
            self.clocks(base.clock_mhz),
        )
        part_points = self.whole("part_points", PART_POINTS, most=MOST_PART_POINTS)
        spec = Spec(axes, base, *self.sample(), part_points)
        self.check_size(spec, force)
        self.check(spec)
        return spec

    def base(self) -> Hardware:
        """Hardware that the axes change."""
        source = self.file.data.get("hardware", "mobile")
        if not isinstance(source, str):
            self.fail(f"hardware must be a preset or a file, not {source!r}", "hardware")
        try:
            found = load_hardware(source) if Path(source).suffix else find_preset(source).hardware
        except HardwareError as error:
            self.fail(str(error), "hardware")
        if found.third_party:
            self.fail(f"{source} is a model without RTL; sweeps take our own engines", "hardware")
        return found

    def sample(self) -> tuple[int, int]:
        """Points and seed of a sample; no points for the whole grid."""
        table = self.file.data.get("sample")
        if table is None:
            return 0, 0
        if "points" not in table:
            self.fail("[sample] needs points", "sample")
        return self.whole("points", 1, "sample"), self.whole("seed", 0, "sample", least=0)

    def whole(
        self, key: str, default: int, table: str = "", least: int = 1, most: int = MOST_INDEX - 1
    ) -> int:
        """A whole number."""
        values = self.file.data.get(table, {}) if table else self.file.data
        value = values.get(key, default)
        if type(value) is not int or not least <= value <= most:
            keys = (table, key) if table else (key,)
            what = f"a whole number from {least} to {most}"
            self.fail(f"{'.'.join(keys)} must be {what}, not {value!r}", *keys)
        return value

    def values(self, keys: tuple[str, ...], found: Any) -> list[Any]:
        """A list of values, a single one, or a range, as a list."""
        name = ".".join(keys)
        if isinstance(found, dict):
            found = self.range(keys, found)
        elif not isinstance(found, list):
            found = [found]
        if not found:
            self.fail(f"{name} is empty; an axis needs at least one value", *keys)
        if len(found) > MOST_VALUES:
            self.fail(
                f"{name} has {len(found):,} values; at most {MOST_VALUES:,} are allowed", *keys
            )
        return list(found)

    def axis(
        self, columns: tuple[str, ...], values: Iterable[tuple[Value | None, ...]], *keys: str
    ) -> Axis:
        """An axis without doubles, whose values stand in the file under these keys."""
        made = Axis(columns, tuple(values))
        seen: set[tuple[Value | None, ...]] = set()
        for value in made.values:
            if value in seen:
                size = "{}x{}".format(*value) if len(value) > 1 and any(value) else "none"
                said = repr(value[0] if len(value) == 1 else size)
                self.fail(f"{'.'.join(keys)} has {said} twice", *keys)
            seen.add(value)
        return made

    def range(self, keys: tuple[str, ...], table: dict[str, Any]) -> list[int]:
        """The numbers of {from, to, step} or {from, to, times}, both ends included."""
        name = ".".join(keys)
        start, end = table.get("from"), table.get("to")
        how = set(table) - {"from", "to"}
        step = table.get("step", table.get("times", 1))
        whole = all(type(number) is int for number in (start, end, step))
        if not whole or how not in ({"step"}, {"times"}, set()) or step < 1 + ("times" in how):
            self.fail(
                f"{name} must be a list, or a range of whole numbers such as "
                "{from = 8, to = 64, step = 8} or {from = 8, to = 64, times = 2}",
                *keys,
            )
        assert start is not None
        assert end is not None
        if "times" in how and start < 1:
            self.fail(
                f"{name} is a range by times, which must begin at 1 or more, not {start}", *keys
            )
        if "times" not in how and (end - start) // step >= MOST_VALUES:
            number = (end - start) // step + 1
            self.fail(f"{name} has {number:,} values; at most {MOST_VALUES:,} are allowed", *keys)
        found = []
        while start <= end:
            found.append(start)
            start = start * step if "times" in how else start + step
        return found

    def texts(self, key: str, column: str, default: str | None = None) -> Axis:
        """An axis of words."""
        found = self.values((key,), self.file.data.get(key, [default]))
        for value in found:
            if not isinstance(value, str):
                self.fail(f"{key} must be words in quotes, not {value!r}", key)
        return self.axis((column,), ((value,) for value in found), key)

    def numbers(
        self, table: str, key: str, default: int, least: int, most: int, column: str = ""
    ) -> Axis:
        """An axis of whole numbers."""
        found = self.values((table, key), self.file.data.get(table, {}).get(key, default))
        for value in found:
            if type(value) is not int or not least <= value <= most:
                what = f"a whole number from {least} to {most}"
                self.fail(f"{table}.{key} must be {what}, not {value!r}", table, key)
        return self.axis((column or key,), ((value,) for value in found), table, key)

    def clocks(self, default: float) -> Axis:
        """The axis of clocks, in MHz."""
        found = self.values(("clock", "mhz"), self.file.data.get("clock", {}).get("mhz", default))
        for value in found:
            with self.blame(("clock", "mhz")):
                Hardware(SystolicArray(1, 1), value)
        return self.axis(("clock_mhz",), ((float(value),) for value in found), "clock", "mhz")

    def engine(
        self,
        table: str,
        base: SystolicArray | DepthwiseEngine | None,
        parse: Callable[[Any], tuple[int, int]],
    ) -> Iterator[Axis]:
        """The axes of an engine: its two sizes, one by one or together, and its parameters."""
        found = self.file.data.get(table, {})
        _, *keys = OWN[table]
        if "size" not in found:
            yield from self.each(table, base, keys)
            return
        for key in keys[:2]:
            if key in found:
                self.fail(f"[{table}] has size and {key}; one of them is enough", table, key)
        try:
            sizes = [parse(text) for text in self.values((table, "size"), found["size"])]
        except HardwareError as error:
            self.fail(str(error), table, "size")
        yield self.axis((keys[0], keys[1]), sizes, table, "size")
        yield from self.each(table, base, keys[2:])

    def each(
        self,
        table: str,
        base: SystolicArray | DepthwiseEngine | Operands | None,
        keys: Sequence[str],
    ) -> Iterator[Axis]:
        """An axis for every parameter of a table; those not there have the value of the base.

        Of the depthwise engine there are only its sizes and what the table has.
        """
        found = self.file.data.get(table, {})
        for key in keys:
            if key in found:
                values = tuple((value,) for value in self.values((table, key), found[key]))
                with self.blame((table, key)):
                    for (value,) in values:
                        _check_alone(table, key, value)
            elif table != "depthwise" or key in SIZES:
                values = ((getattr(base, key) if base else 0,),)
            else:
                continue
            column = depthwise_key(key) if table == "depthwise" else key
            yield self.axis((column,), values, table, key)

    def check_size(self, spec: Spec, force: bool) -> None:
        """Refuse more than a machine does in minutes, unless forced."""
        if spec.grid >= MOST_INDEX:
            self.fail(f"the grid has {spec.grid:,} points, which is more than can be numbered")
        if spec.sample > spec.grid:
            self.fail(
                f"sample.points must be at most the {spec.grid:,} points of the grid, not "
                f"{spec.sample:,}",
                *("sample", "points"),
            )
        for number, most, what in (
            (spec.points, MOST_POINTS, "points"),
            (spec.designs, MOST_DESIGNS, "networks on engines to schedule"),
            (spec.buffers, MOST_DESIGNS, "networks with buffers to lay out"),
            (spec.parts, MOST_PARTS, "files of part_points each"),
        ):
            if number > most and not force:
                self.fail(f"the sweep has {number:,} {what}, more than {most:,}; --force allows it")

    def check(self, spec: Spec) -> None:
        """Make all that the specification names, so that what cannot exist is told at once."""
        allowed, flows = ", ".join(DEPTHWISE_ON), set()
        for axis in spec.axes:
            for value, *_ in axis.values:
                with self.blame(AXES.get(axis.keys[0], ())):
                    if axis.keys == ("input",) and value:
                        parse_input(str(value))
                    elif axis.keys == ("variant",):
                        parse(str(value))
                    elif axis.keys == ("dataflow",):
                        flow = parse_dataflows(str(value))
                        if flow in flows:
                            raise UnsupportedError(f"dataflows allow the same twice: {value!r}")
                        flows.add(flow)
                    elif axis.keys == ("depthwise_on",) and value not in DEPTHWISE_ON:
                        raise UnsupportedError(
                            f"depthwise_on must be one of {allowed}, not {value!r}"
                        )
        with self.blame(("networks",)):
            workloads = spec.workloads
        for place, each in enumerate(workloads):
            if any(each[1:] == other[1:] for other in workloads[:place]):
                self.fail(f"{each.name} {each.variant} has the input {each.input} twice", "inputs")
        with self.blame(("array",)):
            _ = spec.arrays
        with self.blame(("depthwise",)):
            engines = spec.engines
        if "depthwise" in self.file.data and not any(engines):
            for key in self.file.data["depthwise"]:
                if key not in ("size", "lanes"):
                    self.fail(f"depthwise.{key} needs an engine, and lanes are 0", "depthwise", key)
        if None in engines and ("engine",) in spec.axis("depthwise_on").values:
            self.fail(
                "depthwise_on engine needs a depthwise engine in every design", "depthwise_on"
            )

    @contextmanager
    def blame(self, keys: tuple[str, ...]) -> Iterator[None]:
        """Say where in the file the cause of an error stands."""
        try:
            yield
        except FileError:
            raise
        except AccelsimError as error:
            self.fail(str(error), *keys)


def _check_alone(table: str, key: str, value: Any) -> None:
    """HardwareError where a parameter can never have that value."""
    if key in ("results_per_clock", "fill_port") or (
        key == "lanes" and value == 0 and type(value) is int
    ):
        return  # it depends on others, or means that there is no engine
    of: dict[str, SystolicArray | DepthwiseEngine | Operands] = {
        "array": SystolicArray(1, 1),
        "depthwise": DepthwiseEngine(1, 1),
        "operands": Operands(8, 32),
    }
    replace(of[table], **{key: value})


def _array_size(text: Any) -> tuple[int, int]:
    return parse_array(str(text))


def _depthwise_size(text: Any) -> tuple[int, int]:
    if text == "none":
        return 0, 0
    size = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", str(text).strip())
    if size is None:
        raise HardwareError(
            f"depthwise engine size must be LANESxPIXELS, for instance 8x64, or none, not {text!r}"
        )
    found = DepthwiseEngine(int(size[1]), int(size[2]))
    return found.lanes, found.pixels
