"""Which layers a table shows first, and how much of all they are."""

from collections.abc import Callable
from typing import NamedTuple

from accelsim.checks import check, one_of, whole
from accelsim.errors import UnsupportedError
from accelsim.phrases import counted
from accelsim.report.table import percent
from accelsim.result import LayerResult, Result

LOST, USE = "lost", "utilisation"


def _unused(layer: LayerResult) -> float | None:
    """Larger where fewer of the multipliers are in use."""
    return None if layer.utilization is None else -layer.utilization


class Key(NamedTuple):
    """What layers are sorted by, the largest first, those without it last; `noun` is what it is."""

    of: Callable[[LayerResult], float | None]
    noun: str = "cycles"


KEYS = {
    "cycles": Key(lambda layer: layer.cycles),
    LOST: Key(lambda layer: layer.lost_cycles, "cycles that are lost"),
    USE: Key(_unused),
    "bound": Key(lambda layer: layer.bound_cycles, "bounds"),
    "memory": Key(lambda layer: layer.memory_cycles, "cycles with memory"),
    "energy": Key(lambda layer: layer.energy_pj, "energy"),
    "macs": Key(lambda layer: layer.macs, "MACs"),
    "params": Key(lambda layer: layer.params, "params"),
}


class Ranking(NamedTuple):
    """The order of a table, and how many layers of it are shown; None for all of them."""

    by: str
    top: int | None = None

    def layers(self, result: Result) -> list[LayerResult]:
        """The layers to show, of those that an engine runs."""
        key = KEYS[self.by].of
        ranked = [layer for layer in result.layers if not layer.not_modelled]
        if ranked and all(key(layer) is None for layer in ranked):
            raise UnsupportedError(f"--sort {self.by} is for layers that have it, and none has")
        ranked.sort(key=lambda layer: (key(layer) is None, -(key(layer) or 0)))
        return ranked[: self.top]

    def note(self, result: Result) -> str:
        """How many layers are shown, and what share they have of all, in a sentence."""
        shown = self.layers(result)
        layers = sum(not layer.not_modelled for layer in result.layers)
        first, key = "most", KEYS[self.by]
        if self.by == USE:  # which does not add up
            first, key = "least", KEYS["cycles"]
        part, whole = (sum(key.of(layer) or 0 for layer in each) for each in (shown, result.layers))
        return (
            f"{len(shown)} of {counted(layers, 'layer')}, {first} {self.by} first: "
            f"{percent(part, whole)} of all {key.noun}. Totals are of all layers."
        )


def parse_ranking(by: str | None, top: int | None) -> Ranking | None:
    """The ranking that options ask for; layers are the largest by cycles unless it is said."""
    if by is None and top is None:
        return None
    if by is not None:
        check("--sort", by, one_of(tuple(KEYS)), UnsupportedError)
    if top is not None:
        check("--top", top, whole(1), UnsupportedError)
    return Ranking(by or "cycles", top)
