"""What people would rather see than read: plots, films, timelines, reports."""

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.common import drawing, load_design, load_network, names_of, parse_clocks
from accelsim.cli.options import (
    FILM_ARRAY,
    ArrayOption,
    ClocksOption,
    ColourOption,
    DataflowOption,
    DepthwiseOnOption,
    DepthwiseOption,
    HardwareOption,
    InputOption,
    LayerOption,
    MaximiseOption,
    MetricOption,
    MinimiseOption,
    NetworkArgument,
    OverlapOption,
    PictureOption,
    ResultArgument,
    SourceArgument,
    VariantOption,
    WhereOption,
)
from accelsim.errors import UnsupportedError


def plot_pareto(
    source: SourceArgument,
    output: PictureOption,
    minimise: MinimiseOption = None,
    maximise: MaximiseOption = None,
    where: WhereOption = None,
    colour: ColourOption = None,
) -> None:
    """All designs and those on the front, over the first two columns."""
    with drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        goals = names_of(minimise), names_of(maximise)
        figures.append(plot_sweep.pareto(rows, *goals, where or [], colour))


def plot_scaling(
    source: SourceArgument,
    output: PictureOption,
    metric: MetricOption = "total_cycles",
    line: Annotated[str, typer.Option(metavar="COLUMN", help="A line for each.")] = "variant",
    panel: Annotated[str, typer.Option(metavar="COLUMN", help="A panel for each.")] = "network",
    where: WhereOption = None,
) -> None:
    """Latency, or another column, over array size."""
    with drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        figures.append(plot_sweep.scaling(rows, metric, line, panel, where or []))


def plot_heatmap(
    source: SourceArgument,
    output: PictureOption,
    metric: MetricOption = "total_cycles",
    x: Annotated[str, typer.Option(metavar="COLUMN", help="Across.")] = "columns",
    y: Annotated[str, typer.Option(metavar="COLUMN", help="Upwards.")] = "rows",
    where: WhereOption = None,
    maximise: Annotated[bool, typer.Option("--maximise", help="The most is the best.")] = False,
) -> None:
    """The best of a column over rows and columns of the array, or over two other columns."""
    with drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        figures.append(plot_sweep.heatmap(rows, metric, x, y, where or [], maximise))


def plot_sensitivity(
    source: SourceArgument,
    output: PictureOption,
    parameter: Annotated[str, typer.Option(metavar="COLUMN", help="What is changed.")],
    metric: MetricOption = "total_cycles",
    held: Annotated[
        str | None,
        typer.Option(metavar="COLUMN,...", help="What stays.  [all other axes of the sweep]"),
    ] = None,
    where: WhereOption = None,
) -> None:
    """What one parameter does to a column if all others stay as they are."""
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


def plot_layers(result: ResultArgument, output: PictureOption) -> None:
    """Cycles and utilisation of every layer."""
    with drawing(output) as figures:
        from accelsim.report import plot
        from accelsim.saved import load_result

        figures.append(plot.layers_figure(load_result(result)))


def plot_stack(
    results: Annotated[
        list[str], typer.Argument(metavar="RESULT...", help="What `run --json FILE` wrote.")
    ],
    output: PictureOption,
) -> None:
    """A bar per result, of its layers by operator."""
    with drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.stack([load_result(result) for result in results]))


def plot_roofline(
    result: ResultArgument,
    output: PictureOption,
    memory_width: Annotated[
        str, typer.Option(metavar="BYTES,...", help="That memories move in a clock.")
    ] = "16,64,256",
) -> None:
    """MACs a clock of every layer over MACs per byte moved."""
    widths = [int(word) if word.isdecimal() else 0 for word in memory_width.split(",")]
    if not all(0 < width < 1 << 20 for width in widths):
        raise UnsupportedError(
            f"--memory-width must be whole numbers of bytes, such as 16,64, not {memory_width!r}"
        )
    with drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.roofline(load_result(result), widths))


def plot_timeline(result: ResultArgument, output: PictureOption) -> None:
    """When each engine runs which layer, and how well it is used."""
    with drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.timeline(load_result(result)))


def plot_fuseconv(
    output: PictureOption,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write points as CSV.")] = None,
) -> None:
    """The speed-ups that the FuSeConv paper shows over array size, and those on our hardware."""
    from accelsim.files import check_writable

    if csv:
        check_writable(Path(csv))
    with drawing(output) as figures:
        from accelsim.report import plot

        points = plot.speedups()
        figures.append(plot.speedup(points))
    if csv:
        plot.write_speedups(csv, points)


def film_layer(
    network: NetworkArgument,
    layer: LayerOption,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="FILE", help="A film, .gif, or a strip of frames."),
    ],
    variant: VariantOption = "baseline",
    array: Annotated[
        str | None,
        typer.Option(metavar="RxC", help=f"Rows and columns of the array.  [{FILM_ARRAY}]"),
    ] = None,
    dataflow: DataflowOption = "auto",
    against: Annotated[
        str | None,
        typer.Option(metavar="MODES", help="Side by side with other dataflows, or with engine."),
    ] = None,
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    hardware: HardwareOption = None,
    clocks: ClocksOption = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the film or the strip.")] = None,
) -> None:
    """What every element of the engine does, clock by clock: why a layer starves an array."""
    from accelsim.files import check_writable
    from accelsim.film import film
    from accelsim.report import plot_film

    plot_film.check_film(output)
    check_writable(Path(output))
    net = load_network(network, variant, input_size)
    if hardware is None and array is None:
        array = FILM_ARRAY
    design = load_design(hardware, array, depthwise, overlap, None)
    ways = [(dataflow, depthwise_on)]
    if against == "engine":
        if depthwise_on == "auto":  # which may be the engine: that it is compared with the array
            ways = [(dataflow, "array")]
        ways.append((dataflow, against))
    elif against is not None:
        ways.append((against, depthwise_on))
    chosen = parse_clocks(clocks)
    films = [film(net, layer, design, *way, chosen) for way in ways]
    plot_film.write(output, films, frames)
    print(output)


def trace_layers(
    network: NetworkArgument,
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="A .json file.")],
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="The passes of this layer.  [all layers]")
    ] = None,
    variant: VariantOption = "baseline",
    array: ArrayOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    hardware: HardwareOption = None,
    clocks: ClocksOption = None,
) -> None:
    """A timeline for ui.perfetto.dev: layers, or the passes and ports of one layer."""
    from accelsim.files import check_writable
    from accelsim.trace import trace

    if Path(output).suffix.lower() != ".json":
        raise UnsupportedError(f"{output} must end in .json")
    check_writable(Path(output))
    net = load_network(network, variant, input_size)
    design = load_design(hardware, array, depthwise, overlap, None)
    trace(net, design, layer, dataflow, depthwise_on, parse_clocks(clocks)).write(output)
    print(output)


def report_result(
    result: ResultArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="An .html file.")],
) -> None:
    """One page that holds it all: table, plots, hardware, and what published models say."""
    from accelsim.files import check_writable, write_whole
    from accelsim.report import page
    from accelsim.saved import load_result

    if output.suffix.lower() not in (".html", ".htm"):
        raise UnsupportedError(f"{output} must end in .html")
    check_writable(output)
    write_whole(output, page.html(load_result(result)))
    print(output)
