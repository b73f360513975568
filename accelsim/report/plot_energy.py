"""Plots of where energy goes: a bar for each result, by groups of accesses."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from accelsim.energy import GROUPS, by_group
from accelsim.errors import UnsupportedError
from accelsim.report.energy import PJ, microjoules
from accelsim.report.plot_results import check_some, name_of
from accelsim.report.style import BLUE, COLOURS, GREEN, LIGHT, SHORT, bare, figure, ink
from accelsim.saved import AnyResult

ROOM = 0.045  # of the longest bar, for a percentage in a segment
# The groups keep their colours from plot to plot.
SHADES = dict(zip(GROUPS, (BLUE, COLOURS[5], GREEN, COLOURS[3], COLOURS[1], LIGHT), strict=True))


def energy(results: Sequence[AnyResult], names: Sequence[str] | None = None) -> Figure:
    """A bar for each result, of picojoules by group of accesses, those off chip at the end.

    Parameters
    ----------
    names : beside the bars; None for what was run, and on what.

    UnsupportedError where a result has no energy, or there is none.
    """
    check_some(results)
    spent = [by_group(_energy(result)) for result in results]
    made = figure(9.5, 1.6 + 0.6 * len(results))
    axes = made.subplots()
    longest = max(sum(groups.values()) for groups in spent) or 1.0
    for place, groups in enumerate(spent):
        left, whole = 0.0, sum(groups.values())
        for group, pj in groups.items():
            axes.barh(place, pj / PJ, left=left / PJ, color=SHADES[group], linewidth=0)
            if pj > ROOM * longest:
                axes.text(
                    *((left + pj / 2) / PJ, place, f"{100 * pj / whole:.0f} %"),
                    color=ink(SHADES[group]), ha="center", va="center", fontsize=7,
                )  # fmt: skip
            left += pj
        words = f"{microjoules(whole)} uJ"
        axes.annotate(words, (whole / PJ, place), (4, 0), textcoords="offset points", va="center")
    labels = names or [name_of(result) for result in results]
    axes.set_yticks(range(len(results)), labels, fontsize=8)
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel("uJ; wires, clock tree, leakage and the host are left out")
    axes.xaxis.set_major_formatter(SHORT)
    bare(axes, "x")
    used = [group for group in GROUPS if any(group in groups for groups in spent)]
    handles = [Patch(color=SHADES[group], label=group) for group in used]
    made.legend(handles=handles, loc="outside right upper", frameon=False)
    return made


def _energy(result: AnyResult) -> dict[str, float]:
    """Picojoules of a result; UnsupportedError where it has none."""
    spent = result.total_energy
    if spent is None:
        raise UnsupportedError(
            f"the result of {result.network} has no energy; it is counted where a table is given, "
            "such as --energy 45nm"
        )
    return spent
