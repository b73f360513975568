"""Hardware files: a TOML table for every engine, and for operands, memory and clock one each."""

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from accelsim.checks import suggestion
from accelsim.errors import HardwareError
from accelsim.files import TomlFile, read_toml
from accelsim.hardware.depthwise import DepthwiseEngine
from accelsim.hardware.design import CLOCK_MHZ, Hardware, is_third_party
from accelsim.hardware.memory import Memory
from accelsim.hardware.operands import Operands
from accelsim.hardware.presets import PRESETS, find_preset
from accelsim.hardware.sizes import dimensions
from accelsim.hardware.systolic_array import SystolicArray
from accelsim.hardware.third_party import THIRD_PARTY, ThirdPartyEngine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

# The smallest engine of every kind: a table for each, of its name.
ENGINES = (SystolicArray(1, 1), DepthwiseEngine(1, 1), *THIRD_PARTY)

SMALLEST_MEMORY = Memory(1, 1, 1)


def _keys(record: Any) -> tuple[str, ...]:
    """What a table may say of a record; operands have a table of their own."""
    return tuple(each.name for each in fields(record) if each.init and each.name != "operands")


def own_engines() -> tuple[Any, ...]:
    """The smallest of our own engines, whose tables stand side by side."""
    return tuple(engine for engine in ENGINES if not is_third_party(engine))


def tables() -> dict[str, tuple[str, ...]]:
    """Tables of a hardware file and their keys, in the order in which they are set and printed."""
    return {
        **{engine.name: _keys(engine) for engine in own_engines()},
        "operands": _keys(Operands()),
        "memory": _keys(SMALLEST_MEMORY),
        "clock": ("mhz", "assumed_mhz"),
        **{engine.name: _keys(engine) for engine in THIRD_PARTY},
    }


TABLES = tables()


def load_hardware(source: str | Path) -> Hardware:
    """Hardware of a preset's name or of a TOML file.

    HardwareError where there is neither; FileError with file, line and key where a file says
    something wrong.
    """
    if not isinstance(source, str | Path):
        raise HardwareError(f"hardware is loaded by a preset's name or a file, not {source!r}")
    if not str(source).strip():
        raise HardwareError("hardware needs a preset's name or a file, and that is empty")
    named = isinstance(source, str) and not Path(source).suffix
    if source in [preset.name for preset in PRESETS] or (named and not Path(source).exists()):
        return find_preset(str(source)).hardware
    return _read(source)


def _read(path: str | Path) -> Hardware:
    """Hardware of a TOML file."""
    file = read_toml(path)
    keys = tables()
    for name, table in file.data.items():
        if name not in keys:
            close = suggestion(keys, name)
            raise file.error(f"unknown table {name!r}, allowed are {', '.join(keys)}{close}", name)
        if not isinstance(table, dict):
            raise file.error(f"{name} must be a table, written [{name}]", name)
        if unknown := [key for key in table if key not in keys[name]]:
            allowed = ", ".join(keys[name]) + suggestion(keys[name], unknown[0])
            raise file.error(
                f"unknown key {unknown[0]!r} in [{name}], allowed are {allowed}", name, unknown[0]
            )
    model = _load_third_party(file)
    if model is None or not model.runs_all:
        _require(file, "array", "rows", "columns")
    operands = _apply(file, "operands", Operands())
    engines: list[Any] = []
    for smallest in own_engines():
        if smallest.name in file.data:
            _require(file, smallest.name, *dimensions(smallest))
            engines.append(_apply(file, smallest.name, replace(smallest, operands=operands)))
    engines += [] if model is None else [model]
    clock, memory = file.data.get("clock", {}), _load_memory(file)
    mhz, assumed_mhz = clock.get("mhz"), clock.get("assumed_mhz", CLOCK_MHZ)
    try:
        return Hardware(clock_mhz=mhz, engines=engines, memory=memory, assumed_mhz=assumed_mhz)
    except HardwareError as error:
        assumed = str(error).startswith("clock.assumed_mhz")
        raise file.error(str(error), "clock", "assumed_mhz" if assumed else "mhz") from None


def _load_memory(file: TomlFile) -> Memory | None:
    """The memory that a file describes, in full or not at all."""
    if "memory" not in file.data:
        return None
    _require(file, "memory", *_keys(SMALLEST_MEMORY))
    return _apply(file, "memory", SMALLEST_MEMORY)


def _load_third_party(file: TomlFile) -> ThirdPartyEngine | None:
    """The third-party engine that a file asks for, alone or beside the array."""
    named = [engine for engine in THIRD_PARTY if engine.name in file.data]
    if not named:
        return None
    engine, *others = named
    excluded = [other.name for other in others]
    excluded += [each.name for each in own_engines() if engine.runs_all or not each.runs_all]
    if engine.runs_all:
        excluded += ["operands"]
    for other in excluded:
        if other in file.data:
            raise file.error(f"[{other}] cannot stand beside [{engine.name}]", other)
    _require(file, engine.name, *_keys(engine))
    return _apply(file, engine.name, engine)


def _require(file: TomlFile, table: str, *keys: str) -> None:
    for key in keys:
        if key not in file.data.get(table, {}):
            raise file.error(f"[{table}] needs {key}", table)


def _apply(file: TomlFile, table: str, record: Record) -> Record:
    """Record with the values of a table set one by one, so that an error knows its key."""
    values = file.data.get(table, {})
    for key in _keys(record):
        if key in values:
            try:
                record = replace(record, **{key: values[key]})
            except HardwareError as error:
                raise file.error(str(error), table, key) from None
    return record


def to_toml(hardware: Hardware) -> str:
    """Text of the hardware file that load_hardware reads back."""
    parts: list[tuple[str, Any]] = [(engine.name, engine) for engine in hardware.engines]
    if hardware.array is not None:
        place = 1 if hardware.third_party else len(parts)
        parts.insert(place, ("operands", hardware.array.operands))
    if hardware.memory is not None:
        parts.append(("memory", hardware.memory))
    lines = []
    for table, part in parts:
        values = ((key, getattr(part, key)) for key in _keys(part))
        lines += [f"[{table}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in values if value is not None]
        lines += [""]
    given = hardware.given
    clock = f"assumed_mhz = {hardware.assumed_mhz}" if given is None else f"mhz = {given.mhz}"
    return "\n".join([*lines, "[clock]", clock]) + "\n"


def _toml(value: int | bool) -> str:
    return str(value).lower()
