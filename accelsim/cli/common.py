"""What commands share: reading what the options name, bars, and writing."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from accelsim.errors import MissingToolError, UnsupportedError
from accelsim.report.words import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.progress import Progress

    from accelsim.energy import EnergyTable
    from accelsim.hardware import Hardware
    from accelsim.ir import BaseNetwork
    from accelsim.report.table import Table


PIPE_WIDTH = 500  # characters; a table that goes to a file is never cut
DEFAULT_PRESET = "mobile"
STDOUT = "-"  # as the name of a file: standard output
PRINTED = ("--json", "--csv")  # options of what standard output can be
PICTURE = "--plot"  # the option of a picture beside other outputs


def parse_clocks(text: str | None) -> range | None:
    """FIRST..LAST, both included."""
    if text is None:
        return None
    clocks = re.fullmatch(r"([0-9]{1,15})\.\.([0-9]{1,15})", text)
    if clocks is None or int(clocks[2]) < int(clocks[1]):
        raise UnsupportedError(f"clocks must be FIRST..LAST, for instance 0..95, not {text!r}")
    return range(int(clocks[1]), int(clocks[2]) + 1)


def load_network(
    name: str,
    variant: str,
    size: str | None,
    csv_form: str | None = None,
    form: str = "inference",
    skip_zeros: bool = False,
) -> "BaseNetwork":
    """The network of a name or a file, as the options say."""
    from accelsim.find import find_network

    return find_network(name, variant, size, csv_form, form, skip_zeros)


def load_design(
    source: str | None,
    *,
    array: str | None = None,
    depthwise: str | None = None,
    overlap: bool | None = None,
    clock: float | None = None,
    memory: str | None = None,
) -> "Hardware":
    """A preset or a file, with what the other options say in its place."""
    from accelsim import hardware as parts

    design = parts.load_hardware(DEFAULT_PRESET if source is None else source)
    if clock is not None:
        design = design.with_clock(clock)
    if memory is not None:
        design = replace(design, memory=parts.parse_memory(memory))
    if array is not None or overlap is not None:
        if design.array is None:
            raise UnsupportedError(f"--array and --overlap are for an array; {source} has none")
        sizes = design.array
        if array is not None:
            rows, columns = parts.parse_array(array)
            sizes = replace(sizes, rows=rows, columns=columns)
        if overlap is not None:
            sizes = replace(sizes, overlap=overlap)
        design = design.with_engine(sizes)
    if depthwise is not None:
        if design.third_party:
            raise UnsupportedError(f"--depthwise is for our own engine; {source} has another one")
        engine = parts.parse_depthwise(depthwise, design)
        design = design.without("depthwise") if engine is None else design.with_engine(engine)
    return design


def load_energy_table(source: str | None) -> "EnergyTable | None":
    """The table of energies that --energy names; None without the option."""
    if source is None:
        return None
    from accelsim.energy import load_energy

    return load_energy(source)


def check_rtl(design: "Hardware", source: str | None) -> None:
    """Refuse a design that has no RTL; `source` is where it is from."""
    if design.third_party:
        raise UnsupportedError(f"{source} has a model without RTL; run, csynth and compare take it")


def check_outputs(outputs: Mapping[str, str | None], *sources: str | None) -> None:
    """Refuse, before any work, files that cannot be written, and one file for two things.

    outputs : what every option names, as for `check_named`.
    sources : what the command reads, names among them.
    """
    from accelsim.files import check_writable

    read = {os.path.realpath(source) for source in sources if source and Path(source).suffix}
    options: dict[str, str] = {}
    for option, target in outputs.items():
        if target is None:
            continue
        check_named(option, target)
        if target != STDOUT:
            check_writable(Path(target))
        place = target if target == STDOUT else os.path.realpath(target)
        if place in read:
            raise UnsupportedError(f"{option} would overwrite {target}, which the command reads")
        if place in options:
            where = "to standard output" if target == STDOUT else target
            raise UnsupportedError(f"{options[place]} and {option} cannot both write {where}")
        options[place] = option
    if (picture := outputs.get(PICTURE)) is not None:
        from accelsim.report.output import check_picture

        check_picture(picture)


def check_named(option: str, target: str) -> None:
    """Refuse an empty name of a file or folder, and - for what is not printed."""
    if not target:
        raise UnsupportedError(f"{option} needs a name, and that is empty")
    if target == STDOUT and option not in PRINTED:
        raise UnsupportedError(f"{option} cannot be standard output")


def write_json(target: str | None, make: Callable[[], dict[str, Any]]) -> None:
    """Print the object where the target is -, or write it to that file."""
    if target is not None:
        import json

        write_text(target, json.dumps(make(), indent=2) + "\n")


def write_text(target: str, text: str) -> None:
    """Print the text where the target is -, or write it to that file."""
    from accelsim.files import write_whole

    if target == STDOUT:
        print(text, end="")
    else:
        write_whole(target, text)


@contextmanager
def drawing(target: str, source: str | None = None) -> Iterator[list["Figure"]]:
    """A list for the figure that is to be written there; `source` is a table that is read."""
    from accelsim.report import output

    check_outputs({"--output": target}, source)
    output.check_picture(target)
    figures: list[Figure] = []
    if source is None:
        yield figures
    else:
        from accelsim.analysis import reading

        with progress_bar(), reading(source):
            yield figures
    output.write_figure(target, figures[0])
    say(target)


def list_of(
    option: str, texts: Sequence[str], parse: Callable[[str], object] | None = None
) -> list[str]:
    """The words of lists with commas, if none is empty and none is there twice.

    texts : what the option was given, once or several times.
    parse : what words mean, if two of them may mean the same.
    """
    words = [word.strip() for text in texts for word in text.split(",")]
    if "" in words:
        raise UnsupportedError(f"{option} needs words with commas, and one of them is empty")
    return distinct(option, words, parse)


def distinct(
    option: str, words: Sequence[str], parse: Callable[[str], object] | None = None
) -> list[str]:
    """The words of an option or argument, if none is empty and none is there twice."""
    if "" in words:
        raise UnsupportedError(f"{option} needs a name, and that is empty")
    meanings: list[object] = [*map(parse, words)] if parse else [*words]
    for word, meaning in zip(words, meanings, strict=True):
        if meanings.count(meaning) > 1:
            raise UnsupportedError(f"{option} names {word} twice")
    return list(words)


def sizes_of(arrays: list[str] | None) -> list[str] | list[None]:
    """The sizes that --array lists; where it is not given, one that a design has already."""
    from accelsim.hardware import parse_array

    return list_of("--array", arrays, parse_array) if arrays else [None]


def inputs_of(inputs: list[str] | None) -> list[str] | list[None]:
    """The sizes that --input lists; where it is not given, one that a network has already."""
    from accelsim.find import parse_input

    return list_of("--input", inputs, parse_input) if inputs else [None]


def names_of(text: str | None) -> list[str]:
    """The columns of a list with commas."""
    return [name.strip() for name in text.split(",")] if text else []


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, in a terminal only, from its first report on."""
    if not _on_terminal():
        yield lambda what, done: None
        return

    def make() -> "Progress":
        from rich.console import Console
        from rich.progress import Progress

        return Progress(console=Console(stderr=True), transient=True)

    with _bars(make) as bars:
        task = cache(lambda: bars().add_task("", total=1.0))
        yield lambda what, done: bars().update(task(), description=printable(what), completed=done)


@contextmanager
def counter() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error, in a terminal only, with the rate and the time that is left."""
    if not _on_terminal():
        yield lambda what, done, total: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
    )
    bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
    with _bars(lambda: bar) as bars:
        bars()  # before threads report
        tasks: dict[str, progress.TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, completed=done, rate="")
            speed = bar.tasks[tasks[what]].speed or 0
            bar.update(tasks[what], completed=done, rate=f"{speed:,.0f}/s")

        yield report


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def _bars(make: Callable[[], "Progress"]) -> Iterator[Callable[[], "Progress"]]:
    """Bars that are made and shown when first asked for, or when a kernel is compiled.

    Numba keeps what it has compiled: a user waits for that once, and should know why.
    """
    from accelsim.kernels import watching

    with ExitStack() as entered:
        bars = cache(lambda: entered.enter_context(make()))
        task = cache(lambda: bars().add_task("", total=None, rate=""))

        def watch(module: str | None) -> None:
            about, shown = f"compiling {module}, once", module is not None
            bars().update(task(), description=about, visible=shown, refresh=True)

        with watching(watch):
            yield bars


@contextmanager
def needs_extra_rtl() -> Iterator[None]:
    """Say how to get the packages of the extra where one is missing, or hidden by another one."""
    found = find_spec("rtl")
    ours = Path(__file__).parents[2] / "rtl" / "__init__.py"
    if found is not None and found.origin != str(ours):
        place = found.origin or ", ".join(found.submodule_search_locations or [])
        raise MissingToolError(
            f"{place} is another package called rtl and hides that of accelsim; rename it, or run "
            "accelsim in another folder"
        )
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"{error.name} is missing; the extra rtl brings it: pip install '.[rtl]'"
        ) from None


def say(*lines: str) -> None:
    """Print lines, with no letter in them that would steer a terminal."""
    print(*map(printable, lines), sep="\n")


def fail(message: str, status: int = 1) -> NoReturn:
    """Say it and end with a status: 1, levels differ."""
    print(f"accelsim: {printable(message)}", file=sys.stderr)
    raise typer.Exit(status)


def width() -> int:
    """Characters of a line."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def show(table: "Table") -> None:
    """Print a table."""
    from accelsim.cli import grid

    grid.write(table, width())
