"""Tables of a design on a device: what it takes of it, and the path that decides its clock."""

from collections.abc import Mapping, Sequence

from accelsim.report.table import Table, percent

USED_COLUMNS = ("cells", "used", "available", "share")
PATH_COLUMNS = ("part", "signal", "through", "logic (ns)", "routing (ns)", "after (ns)")


def used(cells: Mapping[str, tuple[int, int]]) -> Table:
    """Cells of a design, and how many the device has, by their names."""
    rows = [
        (name, f"{count:,}", f"{available:,}", percent(count, available))
        for name, (count, available) in cells.items()
    ]
    return Table(USED_COLUMNS, rows, ("cells",))


def path(steps: Sequence[tuple[str, str, str, float, float]]) -> Table:
    """Steps of a path: part, signal, what it goes through, and its delays in nanoseconds."""
    rows, after = [], 0.0
    for part, signal, through, logic, routing in steps:
        after += logic + routing
        delays = (f"{delay:.2f}" for delay in (logic, routing, after))
        rows.append((part or "(top)", signal, through, *delays))
    return Table(PATH_COLUMNS, rows, PATH_COLUMNS[:3])
