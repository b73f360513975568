"""Plots of results and of sweeps."""

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.common import STDOUT, check_outputs, drawing, names_of
from accelsim.cli.lazy import group
from accelsim.cli.options import (
    AcrossOption,
    ColourOption,
    MaximiseOption,
    MetricOption,
    MinimiseOption,
    PictureOption,
    ResultArgument,
    SourceArgument,
    WhereOption,
)
from accelsim.errors import UnsupportedError

KINDS = (
    *("pareto", "scaling", "heatmap", "sensitivity"),
    *("layers", "stack", "energy", "roofline", "timeline", "fuseconv"),
)

app = typer.Typer(
    name="plot",
    cls=group({kind: f"plots.{kind}" for kind in KINDS}),
    add_completion=False,
    rich_markup_mode=None,
    help="Draw results, sweeps and published figures.",
)


@app.callback(invoke_without_command=True)
def _options(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def pareto(
    source: SourceArgument,
    output: PictureOption,
    minimise: MinimiseOption = None,
    maximise: MaximiseOption = None,
    where: WhereOption = None,
    colour: ColourOption = None,
    across: AcrossOption = None,
) -> None:
    """All designs, and the fronts, over the first two columns."""
    with drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        goals = names_of(minimise), names_of(maximise)
        figures.append(plot_sweep.pareto(rows, *goals, where or [], colour, names_of(across)))


def scaling(
    source: SourceArgument,
    output: PictureOption,
    metric: MetricOption = "total_cycles",
    line: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column with a line for each value.")
    ] = "variant",
    panel: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column with a panel for each value.")
    ] = "network",
    where: WhereOption = None,
    across: AcrossOption = None,
) -> None:
    """Latency, or another column, over array size.

    A line is of one workload; its title says over what the least was taken.
    """
    with drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        figures.append(plot_sweep.scaling(rows, metric, line, panel, where or [], names_of(across)))


def heatmap(
    source: SourceArgument,
    output: PictureOption,
    metric: MetricOption = "total_cycles",
    x: Annotated[str, typer.Option(metavar="COLUMN", help="Column across.")] = "columns",
    y: Annotated[str, typer.Option(metavar="COLUMN", help="Column upwards.")] = "rows",
    where: WhereOption = None,
    maximise: Annotated[
        bool, typer.Option("--maximise", help="Take the largest value as the best.")
    ] = False,
    across: AcrossOption = None,
) -> None:
    """The best value of a column over two others.

    By default these are the rows and columns of the array. Each workload has a map of its own.
    """
    with drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        figures.append(
            plot_sweep.heatmap(rows, metric, x, y, where or [], maximise, names_of(across))
        )


def sensitivity(
    source: SourceArgument,
    output: PictureOption,
    parameter: Annotated[str, typer.Option(metavar="COLUMN", help="Parameter to vary.")],
    metric: MetricOption = "total_cycles",
    held: Annotated[
        str | None,
        typer.Option(metavar="COLUMN,...", help="Parameters to hold.  [default: all others]"),
    ] = None,
    where: WhereOption = None,
) -> None:
    """What a parameter does to a column, all others held."""
    with drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, parameters = analysis.open_designs(source)
        if held is None and parameters is None:
            raise UnsupportedError(
                f"{source} does not say which columns are parameters; --held names those that stay"
            )
        others = (parameters or ()) if held is None else names_of(held)
        figures.append(plot_sweep.sensitivity(rows, parameter, metric, others, where or []))


def layers(result: ResultArgument, output: PictureOption) -> None:
    """Cycles and utilisation of every layer."""
    with drawing(output) as figures:
        from accelsim.report import plot
        from accelsim.saved import load_result

        figures.append(plot.layers_figure(load_result(result)))


def stack(
    results: Annotated[
        list[str], typer.Argument(metavar="RESULT...", help="Files that `run --json FILE` wrote.")
    ],
    output: PictureOption,
) -> None:
    """A bar for each result, of its layers by operator."""
    with drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_results

        read = [each for result in results for each in load_results(result)]
        figures.append(plot_results.stack(read))


def energy(
    results: Annotated[
        list[str],
        typer.Argument(metavar="RESULT...", help="Files that `run --energy T --json FILE` wrote."),
    ],
    output: PictureOption,
) -> None:
    """A bar for each result, of its energy by what it is spent on.

    Where results are of the same network on the same design, the names of their files tell them
    apart.
    """
    with drawing(output) as figures:
        from accelsim.report import plot_energy
        from accelsim.report.plot_results import name_of
        from accelsim.saved import load_results

        read = [(Path(result).stem, each) for result in results for each in load_results(result)]
        labels = [name_of(each) for _, each in read]
        if len(set(labels)) < len(labels):
            labels = [f"{stem}: {label}" for (stem, _), label in zip(read, labels, strict=True)]
        figures.append(plot_energy.energy([each for _, each in read], labels))


def roofline(
    result: ResultArgument,
    output: PictureOption,
    memory_width: Annotated[
        str, typer.Option(metavar="BYTES,...", help="Bytes that memories move per clock.")
    ] = "16,64,256",
) -> None:
    """MACs per clock of every layer over MACs per byte moved."""
    widths = [int(word) if word.isdecimal() else 0 for word in memory_width.split(",")]
    if not all(0 < width < 1 << 20 for width in widths):
        raise UnsupportedError(
            f"--memory-width must be whole numbers of bytes, such as 16,64, not {memory_width!r}"
        )
    with drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.roofline(load_result(result), widths))


def timeline(result: ResultArgument, output: PictureOption) -> None:
    """When each engine runs which layer, and how well it is used."""
    with drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.timeline(load_result(result)))


def fuseconv(
    output: PictureOption,
    csv: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the points as CSV.")
    ] = None,
) -> None:
    """The FuSeConv paper's speed-ups over array size.

    They are shown as published, and on our hardware.
    """
    check_outputs({"--output": output, "--csv": csv})
    if csv == STDOUT:
        raise UnsupportedError("--csv cannot be standard output, where the picture's name goes")
    with drawing(output) as figures:
        from accelsim.report import plot
        from accelsim.study.fuseconv import speedups

        points = speedups()
        figures.append(plot.speedup(points))
    if csv:
        plot.write_speedups(csv, points)
