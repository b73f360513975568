"""Tensors beside those of a runtime."""

from typing import TYPE_CHECKING

from accelsim.phrases import counted
from accelsim.report.table import Table, brief, listed, short

if TYPE_CHECKING:
    from accelsim.runtimes.differences import Comparison, Difference

COLUMNS = ("tensor", "elements", "different", "first", "largest", "allowed")


def table(comparison: "Comparison") -> Table:
    """How many elements of every tensor differ, and the first of them."""
    rows = [
        (
            brief(each.name),
            f"{each.elements:,}",
            f"{each.different:,}",
            _first(each),
            short(each.max_difference),
            "any" if each.allowed is None else short(each.allowed),
        )
        for each in comparison.differences
    ]
    return Table(COLUMNS, rows, words=("tensor", "first"))


def notes(comparison: "Comparison") -> list[str]:
    """What was compared, with what, and what it came to."""
    oracle, all_of_them = comparison.oracle, comparison.differences
    options = " ".join(f"{name}={value}" for name, value in oracle.options.items())
    sentences = [
        f"Compared with {oracle.runtime}{f', {options}' if options else ''}: {oracle.form}.",
    ]
    if comparison.reals:
        sentences.append(
            f"Computed in reals: {listed(comparison.reals)}; behind these only outputs are judged, "
            "as allowed above."
        )
    elements = sum(each.elements for each in all_of_them)
    different = sum(each.different for each in all_of_them)
    wrong = comparison.wrong
    verdict = f"beyond what is allowed in {', '.join(wrong)}" if wrong else "within what is allowed"
    sentences.append(
        f"{counted(len(all_of_them), 'tensor')}, {counted(elements, 'element')}, "
        f"{different:,} different: {'all equal' if not different else verdict}."
    )
    return sentences


def _first(difference: "Difference") -> str:
    if difference.first is None:
        return "-"
    index, expected, found = difference.first.values()
    at = "" if index is None else f"[{', '.join(map(str, index))}] "
    words = (each if isinstance(each, str) else short(each) for each in (expected, found))
    return f"{at}{', not '.join(words)}"
