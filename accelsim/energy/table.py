"""Tables of picojoules per access: TOML files, some of which come along.

Every kind of access (accelsim.engines.base.Accesses) has an entry, which is one of

    1.5                                         pJ an access
    {pj = 0.009, bits = 1}                      pJ for so many bits; in proportion to those accessed
    {pj_by_bits = {8 = 0.2, 32 = 3.1}}          by the bits of an operand or a sum
    {pj_by_kib = {8 = 10, 32 = 20}, bits = 64}  by the KiB of the memory; the bits as above
    "row_bank_read"                             as of that other kind

Between two figures lies a straight line: over bits; for multiply, which grows with the area of the
multiplier, over bits squared; over the square root of the KiB, as the lines of a memory are as long
as its side. Beyond the first and the last figure these hold; what was asked of them is told (see
`outside`).
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.checks import Requirement, check, suggestion
from accelsim.engines.base import Accesses, Store
from accelsim.errors import FileError, UnsupportedError
from accelsim.files import TomlFile, read_toml

PRESETS = ("45nm", "7nm")
KINDS = Accesses._fields
ABOUT = "about"  # the key that says where the figures are from
MOST_PJ = 1e6
FIGURE = Requirement(
    f"pJ, a number from 0 to {MOST_PJ:,.0f}",
    lambda value: type(value) in (int, float) and 0 <= value <= MOST_PJ,  # nan is not, nor inf
)
WIDTH = Requirement(
    "a whole number of bits, at least 1", lambda value: type(value) is int and value >= 1
)
FORMS = ("pj", "pj_by_bits", "pj_by_kib")
PRODUCT = "multiply"  # its energy grows with the square of the bits


class Price(NamedTuple):
    """What an access takes.

    figures : places and pJ there, places rising; one at place 0 where nothing is to be looked up.
    by : what places are: bits, kib, or nothing.
    power : the straight lines between figures are over places to this power.
    bits : that the figures are for; 0 for an access of any width.
    """

    figures: tuple[tuple[float, float], ...]
    by: str = ""
    power: float = 1.0
    bits: int = 0

    def place(self, store: Store) -> float:
        """Where to look."""
        return store.bits if self.by == "bits" else store.capacity_bits / 8192 if self.by else 0.0

    def outside(self, store: Store) -> bool:
        """Whether there is no figure on one side of that place."""
        return not self.figures[0][0] <= self.place(store) <= self.figures[-1][0]

    def pj(self, store: Store) -> float:
        """Picojoules of an access to the store."""
        places = [place for place, _ in self.figures]
        place = min(max(self.place(store), places[0]), places[-1])
        at = bisect_left(places, place)
        high, figure = self.figures[at]
        if place != high:
            low, before = self.figures[at - 1]
            low, high, place = (each**self.power for each in (low, high, place))
            figure = before + (figure - before) * (place - low) / (high - low)
        return figure * store.bits / self.bits if self.bits else figure


@dataclass(frozen=True)
class EnergyTable:
    """The price of every kind of access.

    name : of the preset or the file.
    about : where its figures are from; empty where the file does not say.
    prices : in the order of Accesses.
    """

    name: str
    about: str
    prices: tuple[Price, ...]

    def price(self, kind: str) -> Price:
        """Of a kind of access."""
        return self.prices[KINDS.index(kind)]


AnyEnergy = EnergyTable | str | Path


def as_energy(energy: AnyEnergy) -> EnergyTable:
    """A table, also by its preset's name or its file."""
    if isinstance(energy, str | Path):
        return load_energy(energy)
    if not isinstance(energy, EnergyTable):
        raise UnsupportedError(f"energy must be a table, a preset's name or a file, not {energy!r}")
    return energy


def load_energy(source: str | Path) -> EnergyTable:
    """The table of a preset's name or of a TOML file.

    UnsupportedError where there is neither; FileError with file and line where a file says
    something wrong.
    """
    if str(source) in PRESETS:
        return _read(read_toml(_place(str(source))), str(source))
    if not Path(source).suffix and not Path(source).is_file():
        raise UnsupportedError(
            f"there is no energy table {str(source)!r}; there are {', '.join(PRESETS)}, and files "
            f"such as table.toml{suggestion(PRESETS, str(source))}"
        )
    return _read(read_toml(source), Path(source).name)


def preset_text(name: str) -> str:
    """The file of a preset, with its sources."""
    if name not in PRESETS:
        load_energy(name)
        raise UnsupportedError(f"{name} is no preset; these are {', '.join(PRESETS)}")
    return _place(name).read_text(encoding="utf-8")


def _place(preset: str) -> Path:
    return Path(__file__).with_name(f"{preset}.toml")


def _read(file: TomlFile, name: str) -> EnergyTable:
    for key in file.data:
        if key not in (ABOUT, *KINDS):
            allowed = ", ".join((ABOUT, *KINDS)) + suggestion(KINDS, key)
            raise file.error(f"unknown key {key!r}, allowed are {allowed}", key)
    about = file.data.get(ABOUT, "")
    if not isinstance(about, str):
        raise file.error(f"{ABOUT} must be text, not {about!r}", ABOUT)
    if missing := [kind for kind in KINDS if kind not in file.data]:
        raise file.error(
            f"{missing[0]} is missing; an energy table has pJ for every kind of access: "
            f"{', '.join(KINDS)}"
        )
    return EnergyTable(name, about, tuple(_price(file, kind) for kind in KINDS))


def _price(file: TomlFile, kind: str) -> Price:
    """The price of a kind of access."""
    said, named = file.data[kind], kind
    if isinstance(said, str):
        named = said
        said = file.data.get(named) if named in KINDS else None
        if said is None or isinstance(said, str):
            own = [each for each in KINDS if not isinstance(file.data[each], str)]
            raise file.error(
                f"{kind} must be pJ or the name of a kind that has pJ of its own, not {named!r}"
                f"{suggestion(own, named)}",
                kind,
            )
    if not isinstance(said, dict):
        return Price(((0.0, _figure(file, named, said, named)),))
    form = _form(file, named, said)
    bits = said.get("bits", 0)
    if "bits" in said:
        _check(file, f"{named}.bits", bits, WIDTH, named, "bits")
    if form == "pj":
        return Price(((0.0, _figure(file, f"{named}.pj", said["pj"], named, "pj")),), bits=bits)
    figures = _figures(file, named, form, said[form])
    if form == "pj_by_kib":
        return Price(figures, "kib", 0.5, bits)
    return Price(figures, "bits", 2.0 if kind == PRODUCT else 1.0)


def _form(file: TomlFile, kind: str, said: dict[str, Any]) -> str:
    """Which figures a table has."""
    for key in said:
        if key not in (*FORMS, "bits"):
            allowed = ", ".join((*FORMS, "bits")) + suggestion(FORMS, key)
            raise file.error(f"unknown key {key!r} in {kind}, allowed are {allowed}", kind, key)
    forms = [form for form in FORMS if form in said]
    if len(forms) != 1:
        raise file.error(
            f"{kind} must have one of {', '.join(FORMS)}, not {' and '.join(forms) or 'none'}", kind
        )
    if "bits" in said and forms[0] == "pj_by_bits":
        raise file.error(f"{kind} has pj_by_bits, and no other bits beside them", kind, "bits")
    return forms[0]


def _figures(file: TomlFile, kind: str, form: str, said: Any) -> tuple[tuple[float, float], ...]:
    """Places and figures, in order."""
    if not isinstance(said, dict) or not said:
        raise file.error(
            f"{kind}.{form} must be a table of figures such as {{8 = 10, 32 = 20}}, not {said!r}",
            kind,
            form,
        )
    figures: dict[float, float] = {}
    for key, value in said.items():
        try:
            place = float(key)
        except ValueError:
            place = -1.0
        if not isfinite(place) or place < 0 or place in figures:
            raise file.error(
                f"{kind}.{form} must have numbers from 0 on as its keys, each once, not {key!r}",
                kind,
                form,
            )
        figures[place] = _figure(file, f"{kind}.{form}.{key}", value, kind, form, key)
    return tuple(sorted(figures.items()))


def _figure(file: TomlFile, name: str, value: Any, *keys: str) -> float:
    """A figure in pJ."""
    _check(file, name, value, FIGURE, *keys)
    return float(value)


def _check(file: TomlFile, name: str, value: Any, requirement: Requirement, *keys: str) -> None:
    def refuse(said: str) -> FileError:
        return file.error(said, *keys)

    check(name, value, requirement, refuse)
