"""What is to be swept: networks and the values of every hardware parameter, as a TOML file.

A specification is a hardware file in which a value may be a list, with the networks beside it:

    networks = ["mobilenet_v2"]
    variants = ["baseline", "fuse_half"]            # baseline
    form = ["inference", "train"]                   # inference; of a variant's operators
    inputs = ["224x224", "160x160"]                 # each network's own
    batch = [1, 4, 16]                              # each network's own, which is 1 for most
    dataflows = ["auto", "os"]                      # auto; one of them: "os,ws"
    depthwise_on = ["auto"]                         # auto
    hardware = "mobile"                             # a preset or a file, for all not said here
    energy = "45nm"                                 # a table or a file; else no energy

    [array]
    size = ["16x16", "32x32"]                       # or rows and columns, a list each
    overlap = [true, false]
    [depthwise]                                     # a table for every engine
    size = ["none", "8x64"]                         # or lanes and pixels; no lanes for none
    [memory]                                        # see accelsim.reuse; else as of the hardware
    activation_kib = [128, 256]                     # 256, where that has no memory
    weight_kib = 128                                # 256
    width_bytes = [0, 8, 16]                        # 0: as wide as it takes
    [clock]                                         # else as of the file, or of each design
    mhz = {from = 100, to = 800, step = 100}        # or times = 2 in place of step
    [sample]                                        # without it, the whole grid
    points = 100000
    seed = 1

The points of a grid are numbered, the last axis running fastest. A sample takes distinct points.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any, NoReturn

from accelsim.checks import Requirement, check, one_of, suggestion, whole
from accelsim.energy import EnergyTable, load_energy
from accelsim.errors import AccelsimError, FileError, HardwareError, UnsupportedError
from accelsim.files import TomlFile, read_toml
from accelsim.find import parse_input
from accelsim.hardware import (
    TABLES,
    DepthwiseEngine,
    Hardware,
    Operands,
    Sizes,
    dimensions,
    find_preset,
    load_hardware,
    parse_size,
)
from accelsim.hardware.memory import MOST_KIB, MOST_WIDTH
from accelsim.ir import IMAGES
from accelsim.lowering import AUTO, DEPTHWISE_ON, parse_dataflows
from accelsim.networks.variants import BASELINE, FORMS, INFERENCE, parse, with_form
from accelsim.phrases import counted
from accelsim.sweep.axes import BUFFERS, ENGINES, MAIN, OPERANDS, Axis, Value, column, presence
from accelsim.sweep.spec import PART_POINTS, Spec

MOST_POINTS = 20_000_000
MOST_SCHEDULES = 20_000  # networks times dataflows times engines to tabulate, about 10 ms each
MOST_VALUES = 100_000  # of an axis
MOST_PART_POINTS = 1_000_000  # in memory at a time
MOST_PARTS = 1_000_000  # files in a folder
MOST_INDEX = 1 << 62  # of a grid

# Keys of a specification: at the top, and in tables of its own.
TOP = (
    *("networks", "variants", "form", "inputs", "batch", "dataflows", "depthwise_on", "hardware"),
    *("energy", "part_points"),
)
OWN: dict[str, tuple[str, ...]] = {
    **{engine.name: ("size", *TABLES[engine.name]) for engine in ENGINES},
    "operands": OPERANDS,
    "memory": (*BUFFERS, "width_bytes"),
    "clock": ("mhz",),
    "sample": ("points", "seed"),
}
# Where in the file the values of an axis stand.
KEYS = {
    "variant": ("variants",),
    "input": ("inputs",),
    "dataflow": ("dataflows",),
    "depthwise_on": ("depthwise_on",),
}
WORDS = Requirement("words in quotes", lambda value: isinstance(value, str))


def load_spec(path: str | Path, force: bool = False) -> Spec:
    """The specification of a TOML file; FileError says file, line and key of what is wrong.

    force : take as many points and schedules as it says.
    """
    return _Reader(read_toml(path)).spec(force)


class _Reader:
    """A specification under way from its file."""

    def __init__(self, file: TomlFile) -> None:
        self.file = file
        for key, value in file.data.items():
            if key not in (*TOP, *OWN):
                keys = (*TOP, *OWN)
                allowed = ", ".join(keys) + suggestion(keys, key)
                self.fail(f"unknown key {key!r}, allowed are {allowed}", key)
            if (key in OWN) != isinstance(value, dict) and key != "batch":  # which may be a range
                what = f"a table, written [{key}]" if key in OWN else "no table"
                self.fail(f"{key} must be {what}", key)
            if key in OWN:
                for inner in value:
                    if inner not in OWN[key]:
                        allowed = ", ".join(OWN[key]) + suggestion(OWN[key], inner)
                        self.fail(
                            f"unknown key {inner!r} in [{key}], allowed are {allowed}", key, inner
                        )

    def fail(self, message: str, *keys: str) -> NoReturn:
        raise self.file.error(message, *keys) from None

    def require(self, value: Any, requirement: Requirement, *keys: str) -> None:
        """Refuse a value of these keys that does not meet the requirement."""
        check(".".join(keys), value, requirement, lambda said: self.file.error(said, *keys))

    def spec(self, force: bool) -> Spec:
        """The specification; whatever is wrong in it is refused here."""
        if "networks" not in self.file.data:
            self.fail("a specification needs networks, for instance networks = ['mobilenet_v2']")
        base = self.base()
        axes = (
            self.texts("networks", "network"),
            self.variants(),
            self.texts("inputs", "input", ""),
            *self.batches(),
            self.texts("dataflows", "dataflow", AUTO),
            self.texts("depthwise_on", "depthwise_on", AUTO),
            *self.operand_axes(base),
            *(axis for engine in ENGINES for axis in self.engine_axes(engine, base)),
            *self.memory_axes(base),
            self.clocks(base),
        )
        part_points = self.whole("part_points", PART_POINTS, most=MOST_PART_POINTS)
        spec = Spec(axes, base, *self.sample(), part_points, self.energy())
        self.check_size(spec, force)
        self.check(spec)
        return spec

    def base(self) -> Hardware:
        """Hardware that the axes change."""
        source = self.file.data.get("hardware", "mobile")
        if not isinstance(source, str):
            self.fail(f"hardware must be a preset or a file, not {source!r}", "hardware")
        try:
            base = load_hardware(source) if Path(source).suffix else find_preset(source).hardware
        except HardwareError as error:
            self.fail(str(error), "hardware")
        if base.third_party:
            self.fail(f"{source} is a model without RTL; sweeps take our own engines", "hardware")
        return base

    def energy(self) -> EnergyTable | None:
        """The table of energies; None where the file names none."""
        source = self.file.data.get("energy")
        if source is None:
            return None
        self.require(source, WORDS, "energy")
        with self.blame(("energy",)):
            return load_energy(source)

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
        self.require(value, whole(least, most), *((table, key) if table else (key,)))
        number: int = value
        return number

    def values(self, keys: tuple[str, ...], said: Any) -> list[Any]:
        """A list of values, a single one, or a range, as a list."""
        name = ".".join(keys)
        if isinstance(said, dict):
            values = self.range(keys, said)
        else:
            values = said if isinstance(said, list) else [said]
        if not values:
            self.fail(f"{name} is empty; an axis needs at least one value", *keys)
        if len(values) > MOST_VALUES:
            self.fail(
                f"{name} has {len(values):,} values; at most {MOST_VALUES:,} are allowed", *keys
            )
        return values

    def axis(
        self, columns: tuple[str, ...], values: Iterable[tuple[Value | None, ...]], *keys: str
    ) -> Axis:
        """An axis without doubles, whose values stand in the file under these keys."""
        axis = Axis(columns, tuple(values))
        seen: set[str] = set()
        for value in axis.values:
            if repr(value) in seen:
                size = "x".join(map(str, value)) if any(value) else "none"
                said = repr(value[0] if len(value) == 1 else size)
                self.fail(f"{'.'.join(keys)} has {said} twice", *keys)
            seen.add(repr(value))
        return axis

    def range(self, keys: tuple[str, ...], table: dict[str, Any]) -> list[int]:
        """The numbers of {from, to, step} or {from, to, times}, both ends included."""
        name = ".".join(keys)
        start, end = table.get("from"), table.get("to")
        how = set(table) - {"from", "to"}
        step = table.get("step", table.get("times", 1))
        integers = all(type(number) is int for number in (start, end, step))
        if not integers or how not in ({"step"}, {"times"}, set()) or step < 1 + ("times" in how):
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
        numbers = []
        while start <= end:
            numbers.append(start)
            start = start * step if "times" in how else start + step
        return numbers

    def texts(self, key: str, column: str, default: str | None = None) -> Axis:
        """An axis of words."""
        values = self.values((key,), self.file.data.get(key, [default]))
        for value in values:
            self.require(value, WORDS, key)
        return self.axis((column,), ((value,) for value in values), key)

    def variants(self) -> Axis:
        """The axis of variants, each in every form that is asked for, and baseline once."""
        axis = self.texts("variants", "variant", BASELINE)
        forms = self.values(("form",), self.file.data.get("form", INFERENCE))
        for form in forms:
            self.require(form, one_of(FORMS), "form")
        texts: dict[str, None] = {}
        with self.blame(("variants",)):
            for text in (str(text) for (text,) in axis.values):
                alike = parse(text).operator is None
                texts |= dict.fromkeys(text if alike else with_form(text, form) for form in forms)
        return axis._replace(values=tuple((text,) for text in texts))

    def batches(self) -> Iterator[Axis]:
        """The axis of batches, if there is one."""
        if "batch" in self.file.data:
            values = self.values(("batch",), self.file.data["batch"])
            for value in values:
                self.require(value, IMAGES, "batch")
            yield self.axis(("batch",), ((value,) for value in values), "batch")

    def memory_axes(self, base: Hardware) -> Iterator[Axis]:
        """The axes of the memory; a port of width 0 is as wide as it takes."""
        usual = {"width_bytes": 0, **dict.fromkeys(BUFFERS, 256)}
        if base.memory is not None:
            usual = asdict(base.memory)
        for key in BUFFERS:
            yield self.numbers("memory", key, usual[key], 1, MOST_KIB)
        width = usual["width_bytes"]
        yield self.numbers("memory", "width_bytes", width, 0, MOST_WIDTH, "memory_width_bytes")

    def numbers(
        self, table: str, key: str, default: int, least: int, most: int, column: str = ""
    ) -> Axis:
        """An axis of whole numbers."""
        values = self.values((table, key), self.file.data.get(table, {}).get(key, default))
        for value in values:
            self.require(value, whole(least, most), table, key)
        return self.axis((column or key,), ((value,) for value in values), table, key)

    def clocks(self, base: Hardware) -> Axis:
        """The axis of clocks, in MHz; None where each design has its own."""
        said = self.file.data.get("clock", {}).get("mhz", base.given and base.given.mhz)
        if said is None:
            return Axis(("clock_mhz",), ((None,),))
        values = self.values(("clock", "mhz"), said)
        for value in values:
            with self.blame(("clock", "mhz")):
                Hardware(engines=(MAIN,), clock_mhz=value)
        return self.axis(("clock_mhz",), ((float(value),) for value in values), "clock", "mhz")

    def operand_axes(self, base: Hardware) -> Iterator[Axis]:
        """The axes of the operands, which all engines share."""
        usual: Any = next(engine for engine in base.engines if engine.runs_all)
        table = self.file.data.get("operands", {})
        for key in OPERANDS:
            values = self.values(("operands", key), table.get(key, getattr(usual.operands, key)))
            for value in values:
                self.check_any(("operands", key), value, [Operands(8, 32)])
            yield self.axis((key,), ((value,) for value in values), "operands", key)

    def engine_axes(self, engine: Sizes, base: Hardware) -> Iterator[Axis]:
        """The axes of an engine: its dimensions, one by one or together, and its parameters.

        What the file does not say is that of the base. Of an engine that does not run every layer
        there are only its dimensions and what the file says.

        engine : the smallest of its kind.
        """
        name, usual = engine.name, base.engine(engine.name)
        table = self.file.data.get(name, {})
        axes = list(self.dimension_axes(engine, usual))
        yield from axes
        for key in TABLES[name]:
            if key in dimensions(engine) or (key not in table and not engine.runs_all):
                continue
            values = self.values((name, key), table.get(key, getattr(usual, key, None)))
            if key in table:
                for value in values:
                    self.check_any((name, key), value, _sized(engine, axes))
            yield self.axis((column(name, key),), ((value,) for value in values), name, key)

    def dimension_axes(self, engine: Sizes, usual: Any) -> Iterator[Axis]:
        """The axes of the dimensions of an engine; one axis, where a list of sizes says them all.

        usual : the engine of the base, or None.
        """
        name, names = engine.name, dimensions(engine)
        table = self.file.data.get(name, {})
        if "size" in table:
            for key in names:
                if key in table:
                    self.fail(f"[{name}] has size and {key}; one of them is enough", name, key)
            values = self.values((name, "size"), table["size"])
            with self.blame((name, "size")):
                sizes = [parse_size(str(text), engine) or (0,) * len(names) for text in values]
            yield self.axis(tuple(column(name, key) for key in names), sizes, name, "size")
            return
        for key in names:
            values = self.values((name, key), table.get(key, getattr(usual, key, 0)))
            for value in values:
                none = key == presence(engine) and not engine.runs_all and repr(value) == "0"
                if key in table and not none:
                    self.check_any((name, key), value, [engine])
            yield self.axis((column(name, key),), ((value,) for value in values), name, key)

    def check_any(self, keys: tuple[str, str], value: Any, records: Iterable[Any]) -> None:
        """Refuse the value of a parameter that none of the records can have."""
        refusal = None
        for record in records:
            try:
                replace(record, **{keys[1]: value})
            except HardwareError as error:
                refusal = error
            else:
                return
        if refusal is not None:
            self.fail(str(refusal), *keys)

    def check_size(self, spec: Spec, force: bool) -> None:
        """Refuse more than a machine does in minutes, unless forced."""
        if spec.grid >= MOST_INDEX:
            self.fail(f"the grid has {spec.grid:,} points, which is more than can be numbered")
        if spec.sample > spec.grid:
            self.fail(
                f"sample.points must be at most the {counted(spec.grid, 'point')} of the grid, not "
                f"{spec.sample:,}",
                *("sample", "points"),
            )
        for number, most, what in (
            (spec.points, MOST_POINTS, "points"),
            (spec.schedules, MOST_SCHEDULES, "networks on engines to schedule"),
            (spec.buffers, MOST_SCHEDULES, "networks with buffers to lay out"),
            (spec.parts, MOST_PARTS, "files of part_points each"),
        ):
            if number > most and not force:
                self.fail(f"the sweep has {number:,} {what}, more than {most:,}; --force allows it")

    def check(self, spec: Spec) -> None:
        """Make all that the specification names, so that what cannot exist is told at once."""
        flows = set()
        for axis in spec.axes:
            for value, *_ in axis.values:
                with self.blame(KEYS.get(axis.keys[0], ())):
                    if axis.keys == ("input",) and value:
                        parse_input(str(value))
                    elif axis.keys == ("variant",):
                        parse(str(value))
                    elif axis.keys == ("dataflow",):
                        flow = parse_dataflows(str(value))
                        if flow in flows:
                            raise UnsupportedError(f"dataflows allow the same twice: {value!r}")
                        flows.add(flow)
                    elif axis.keys == ("depthwise_on",):
                        self.require(value, one_of(DEPTHWISE_ON), "depthwise_on")
        with self.blame(("networks",)):
            workloads = spec.workloads
        for place, each in enumerate(workloads):
            if any(each[1:] == other[1:] for other in workloads[:place]):
                self.fail(f"{each.name} {each.variant} has the input {each.input} twice", "inputs")
        with self.blame():
            sizes = spec.sizes
        for engine in ENGINES:
            if not any(sizes[engine.name]):
                self.check_unused(engine)
        if None in sizes[DepthwiseEngine.name] and ("engine",) in spec.axis("depthwise_on").values:
            self.fail(
                "depthwise_on engine needs a depthwise engine in every design", "depthwise_on"
            )

    def check_unused(self, engine: Sizes) -> None:
        """Refuse parameters of an engine that no design has."""
        name, none = engine.name, presence(engine)
        for key in self.file.data.get(name, {}):
            if key not in ("size", none):
                self.fail(f"{name}.{key} needs an engine, and {none} are 0", name, key)

    @contextmanager
    def blame(self, keys: tuple[str, ...] | None = None) -> Iterator[None]:
        """Say where in the file the cause of an error stands.

        keys : unless messages begin with them, such as "array.rows must be ...".
        """
        try:
            yield
        except FileError:
            raise
        except AccelsimError as error:
            said = str(error).split()[0].split(".")
            self.fail(str(error), *(said if keys is None else keys))


def _sized(engine: Any, axes: list[Axis]) -> Iterator[Sizes]:
    """An engine in all sizes of these axes."""
    for values in product(*(axis.values for axis in axes)):
        size = [each for value in values for each in value]
        if all(size):
            yield replace(engine, **dict(zip(dimensions(engine), size, strict=True)))
