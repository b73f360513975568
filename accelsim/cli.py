"""The command line.

Every import that costs time is made by the command that needs it: `accelsim run` is to show its
table in well under a second. Only this module prints; only it loads the rtl package.
"""

import io
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from accelsim import __version__
from accelsim.errors import AccelsimError, MissingToolError, SelectionError, UnsupportedError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

    from accelsim.hardware import Design, Hardware
    from accelsim.ir import Network

DEFAULT_PRESET = "mobile"
FILM_ARRAY = "16x16"  # the default of film: elements large enough to be seen
COSIM_ARRAY = "8x8"  # the default of cosim: what a simulator of RTL runs in reasonable time
# Unknown commands and options; Click's class, in whichever Click this Typer brings along.
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
PIPE_WIDTH = 500  # characters; a table that goes to a file is never cut

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A simulator of neural-network accelerators, checked against the hardware it generates.",
)
plots = typer.Typer(rich_markup_mode=None, help="Draw results, sweeps and published figures.")
app.add_typer(plots, name="plot")

NetworkArgument = Annotated[
    str, typer.Argument(metavar="NETWORK", help="A name that `networks` prints, or a .toml file.")
]
VariantOption = Annotated[
    str, typer.Option(metavar="NAME", help="baseline, or a transform such as fuse_half.")
]
InputOption = Annotated[
    str | None, typer.Option("--input", metavar="HxW", help="Size of the input image.")
]
ArrayOption = Annotated[
    str | None, typer.Option(metavar="RxC", help="Rows and columns of the array.  [64x64]")
]
CosimArrayOption = Annotated[
    str | None,
    typer.Option(metavar="RxC", help=f"Rows and columns of the array.  [{COSIM_ARRAY}]"),
]
HardwareOption = Annotated[
    str | None, typer.Option("--hardware", metavar="FILE", help="A hardware file or a preset.")
]
OverlapOption = Annotated[
    bool | None,
    typer.Option("--overlap/--no-overlap", help="Whether consecutive passes overlap.  [overlap]"),
]
ClockOption = Annotated[
    float | None, typer.Option(metavar="MHZ", help="Clock for times in seconds.  [500]")
]
DataflowOption = Annotated[
    str, typer.Option(metavar="MODES", help="auto, or allowed modes of os,ws,is,rows.")
]
DepthwiseOption = Annotated[
    str | None,
    typer.Option(metavar="LxP", help="Lanes and pixels of the depthwise engine.  [none]"),
]
DepthwiseOnOption = Annotated[
    str,
    typer.Option(metavar="ENGINE", help="Where depthwise layers run: auto, array or engine."),
]
ClocksOption = Annotated[
    str | None,
    typer.Option(metavar="FIRST..LAST", help="Only these clocks of the layer, both included."),
]
LayersOption = Annotated[
    str | None, typer.Option(metavar="FIRST..LAST", help="Only these layers, both included.")
]
PlotOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Draw a plot: .png, .svg or .pdf.")
]
LayerOption = Annotated[
    str, typer.Option("--layer", metavar="NAME", help="A layer of the network.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of generated weights and inputs.")]
JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - prints it instead.")
]

SourceArgument = Annotated[
    str,
    typer.Argument(metavar="DIR|FILE", help="What `sweep` wrote, or a .parquet or .csv file."),
]
ResultArgument = Annotated[
    str, typer.Argument(metavar="RESULT", help="What `run --json FILE` wrote.")
]
MinimiseOption = Annotated[
    str | None, typer.Option(metavar="COLUMN,...", help="Columns of which less is better.")
]
MaximiseOption = Annotated[
    str | None, typer.Option(metavar="COLUMN,...", help="Columns of which more is better.")
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CONDITION", help='Only such designs, as "rows<=64"; may be repeated.'),
]
MetricOption = Annotated[str, typer.Option(metavar="COLUMN", help="What is drawn.")]
ColourOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="What colours the front, such as network.")
]
PictureOption = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help="The picture: .png, .svg or .pdf.")
]


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"accelsim {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command("networks")
def list_networks() -> None:
    """List the networks with their sizes."""
    from accelsim import networks
    from accelsim.report import table

    rows = []
    for definition in networks.NETWORKS:
        network = definition()
        rows.append(
            (
                network.name,
                table.show(network.input),
                f"{len(network.layers):,}",
                f"{network.total_macs:,}",
                f"{network.total_params:,}",
            )
        )
    columns = ("network", "input", "layers", "MACs", "params")
    _show(table.table(columns, rows, words=("network", "input")))
    print(f"\nvariants: {', '.join(networks.VARIANTS)}")


@app.command("ops")
def list_operators() -> None:
    """List the operators that a layer can be."""
    from accelsim.ops import MACROS, OPS
    from accelsim.report import table

    rows = [(op.name, (op.__doc__ or "").splitlines()[0]) for op in (*OPS, *MACROS)]
    columns = ("operator", "what it is")
    _show(table.table(columns, rows, words=columns))


@app.command("hardware")
def list_hardware(
    preset: Annotated[str | None, typer.Argument(help="Print only this one.")] = None,
) -> None:
    """Print the presets as hardware files."""
    from accelsim.hardware import PRESETS, find_preset, to_toml

    chosen = PRESETS if preset is None else (find_preset(preset),)
    print("\n".join(f"# {p.name}: {p.about}\n{to_toml(p.hardware)}" for p in chosen), end="")


@app.command()
def run(
    network: NetworkArgument,
    variant: VariantOption = "baseline",
    array: ArrayOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    layers: LayersOption = None,
    input_size: InputOption = None,
    seed: SeedOption = 0,
    timing: Annotated[
        str, typer.Option(help="rtl, or a published model: fuseconv-2020, fuseconv-2021, scalesim.")
    ] = "rtl",
    scalesim_depthwise: Annotated[
        str | None, typer.Option(help="one-filter, as shipped, or per-channel.  [one-filter]")
    ] = None,
    fidelity: Annotated[
        str, typer.Option(help="schedule, golden (values), or cycle (every register).")
    ] = "schedule",
    hardware: HardwareOption = None,
    clock: ClockOption = None,
    json: JsonOption = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write layers as CSV.")] = None,
    plot: PlotOption = None,
) -> None:
    """Cycles, utilisation and totals of a network, layer by layer."""
    from accelsim.report import output, table
    from accelsim.simulate import simulate

    if overlap is not None and timing != "rtl":
        raise UnsupportedError(f"--overlap and --no-overlap are for timing rtl, not {timing}")
    if plot:
        output.check_picture(plot)
    net = _network(network, variant, input_size)
    design = _design(hardware, array, depthwise, overlap, clock)
    options = (dataflow, fidelity, timing, seed, layers, scalesim_depthwise)
    with _progress() as progress:
        result = simulate(net, design, *options, progress=progress, depthwise_on=depthwise_on)
    if csv:
        output.write_csv(csv, result)
    if plot:
        output.write_plot(plot, result)
    _write_json(json, result.to_dict)
    if json != "-":
        print(table.title(result), end="\n\n")
        _show(table.layers(result, _width()))
        baseline = None
        if net.variant != "baseline" and layers is None:
            plain = _network(network, "baseline", input_size)
            baseline = simulate(
                plain,
                design,
                dataflow,
                timing=timing,
                scalesim_depthwise=scalesim_depthwise,
                depthwise_on=depthwise_on,
            )
        print("", *table.notes(result, baseline), sep="\n")
    if result.values_equal is False:
        wrong = [layer.name for layer in result.layers if layer.values_equal is False]
        _fail(f"values differ from golden in {', '.join(wrong)}")


@app.command("csynth")
def synthesize(
    network: NetworkArgument,
    layer: LayerOption,
    variant: VariantOption = "baseline",
    array: ArrayOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    hardware: HardwareOption = None,
    clock: ClockOption = None,
    json: JsonOption = None,
) -> None:
    """The loops of one layer with trip counts, intervals and latencies, and the resources."""
    from accelsim.csynth import csynth
    from accelsim.report import hls

    net = _network(network, variant, input_size)
    design = _design(hardware, array, depthwise, overlap, clock)
    made = csynth(net, layer, design, dataflow, depthwise_on)
    _write_json(json, made.to_dict)
    if json != "-":
        print(hls.title(made), end="\n\n")
        _show(hls.nest(made.report, _width()))
        print()
        _show(hls.resources(made.report))
        print("", *hls.notes(made), sep="\n")


@app.command()
def cosim(
    network: NetworkArgument,
    layer: LayerOption,
    variant: VariantOption = "baseline",
    array: CosimArrayOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    seed: SeedOption = 0,
    hardware: HardwareOption = None,
    simulator: Annotated[str, typer.Option(help="amaranth, icarus or verilator.")] = "amaranth",
    waves: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record every signal: .vcd.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Run one layer on the RTL, on real data, and compare values and cycles."""
    from accelsim.cosim import compare
    from accelsim.files import check_writable
    from accelsim.report import table

    if waves is not None:
        check_writable(waves)
    net = _network(network, variant, input_size)
    if hardware is None and array is None:
        array = COSIM_ARRAY
    design = _hardware(hardware, array, depthwise, overlap, None)
    with _needs_extra_rtl(), _progress() as progress:
        from rtl.cosim import level

        run_rtl = level(design, simulator, waves, progress)
        found = compare(net, layer, design, run_rtl, dataflow, seed, depthwise_on)
    _write_json(json, lambda: found.to_dict(simulator))
    if json != "-":
        print(f"{net.name} {net.variant}, {design.label}, layer {layer}", end="\n\n")
        _show(table.levels(found))
        mode = f"in dataflow {found.dataflow}" if found.dataflow else "of the depthwise engine"
        print(
            f"\n{found.passes:,} passes {mode}, {found.values:,} values, "
            f"{found.stall_cycles:,} stalls, simulator {simulator}."
        )
    if not (found.values_equal and found.cycles_equal):
        wrong = "cycles" if found.values_equal else "values"
        _fail(f"the levels differ in {wrong} (layer {layer})")


@app.command("compare")
def compare_designs(
    network: NetworkArgument,
    hardware: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A hardware file or a preset; give two or more."),
    ] = None,
    variant: VariantOption = "baseline",
    input_size: InputOption = None,
    layers: LayersOption = None,
    depthwise_only: Annotated[
        bool, typer.Option("--depthwise-only", help="Only depthwise layers.")
    ] = False,
    json: JsonOption = None,
    csv: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write designs and layers as CSV.")
    ] = None,
    plot: PlotOption = None,
) -> None:
    """Cycles of every layer on several designs, side by side."""
    from accelsim.compare import Entry, compare
    from accelsim.report import compare as report
    from accelsim.report import output

    if plot:
        output.check_picture(plot)
    net = _network(network, variant, input_size)
    sources = hardware or []
    if len(sources) < 2 or len(set(sources)) < len(sources):
        said = ", ".join(sources) or "none"
        raise UnsupportedError(f"compare needs two or more different --hardware, not {said}")
    stems = [Path(source).stem for source in sources]
    found = compare(
        net,
        [
            Entry(source if stems.count(stem) > 1 else stem, _design(source, *[None] * 4))
            for source, stem in zip(sources, stems, strict=True)
        ],
        layers,
        depthwise_only,
    )
    if csv:
        report.write_csv(csv, found)
    if plot:
        from accelsim.report.plot_designs import side_by_side

        output.write_figure(plot, side_by_side(found))
    _write_json(json, found.to_dict)
    if json != "-":
        print(report.title(found), end="\n\n")
        _show(report.designs(found, _width()))
        print("", *report.notes(found), sep="\n")


@app.command("study")
def study_depthwise(
    networks: Annotated[
        list[str], typer.Argument(metavar="NETWORK...", help="Names, or .toml files.")
    ],
    arrays: Annotated[
        str, typer.Option(metavar="RxC,...", help="Rows and columns of the arrays.")
    ] = "8x8,16x16,32x32,64x64,128x128",
    depthwise: Annotated[
        str, typer.Option(metavar="LxP", help="Lanes and pixels of the depthwise engine.")
    ] = "8x64",
    input_size: InputOption = None,
    json: JsonOption = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write points as CSV.")] = None,
    plot: PlotOption = None,
) -> None:
    """Change the network or the hardware? Depthwise layers four ways, over array sizes."""
    from dataclasses import asdict

    from accelsim.hardware import Hardware, SystolicArray, parse_array, parse_depthwise
    from accelsim.report import output
    from accelsim.report import study as report
    from accelsim.study import depthwise_study

    if plot:
        output.check_picture(plot)
    sizes = [parse_array(size) for size in arrays.split(",")]
    engine = parse_depthwise(depthwise, Hardware(SystolicArray(1, 1)))
    if engine is None:
        raise UnsupportedError("study needs a depthwise engine, for instance --depthwise 8x64")
    points = [
        point
        for name in dict.fromkeys(networks)
        for point in depthwise_study(partial(_network, name, size=input_size), sizes, engine)
    ]
    if csv:
        report.write_csv(csv, points)
    if plot:
        from accelsim.report import plot_designs

        output.write_figure(plot, plot_designs.depthwise_study(points))
    _write_json(json, lambda: {"points": [asdict(point) for point in points]})
    if json != "-":
        _show(report.depthwise(points))
        print("", *report.notes(engine), sep="\n")


@app.command()
def sweep(
    specification: Annotated[
        Path, typer.Argument(metavar="SPEC", help="What to sweep, a .toml file.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the results go.")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what DIR holds of this sweep.")
    ] = False,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="local (threads), or dask (a cluster).")
    ] = "local",
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of the cluster, for engine dask.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Take more points or designs than usual.")
    ] = False,
) -> None:
    """Evaluate a network on many designs; every point is what `run` says of it."""
    from accelsim import sweep as sweeps

    chosen = sweeps.engine(engine, scheduler)
    spec = sweeps.load_spec(specification, force)
    with _counter() as progress:
        done = sweeps.run(spec, output, resume, chosen, progress)
    print(*done.sentences(output), sep="\n")


@app.command("pareto")
def pareto_front(
    source: SourceArgument,
    minimise: MinimiseOption = None,
    maximise: MaximiseOption = None,
    where: WhereOption = None,
    colour: ColourOption = None,
    json: JsonOption = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write designs as CSV.")] = None,
    plot: PlotOption = None,
) -> None:
    """The designs that no other design beats in all of the columns; of one column, the best."""
    from accelsim import analysis
    from accelsim.report import output
    from accelsim.report import pareto as report

    if plot:
        output.check_picture(plot)
    if colour and not plot:
        raise UnsupportedError("--colour is for --plot")
    goals = _names(minimise), _names(maximise)
    with analysis.reading(source):
        rows, parameters = analysis.open_designs(source)
        found = analysis.pareto(rows, *goals, where or [])
        count = analysis.count(rows, where or [])
        if found.is_empty():
            raise SelectionError(
                f"none of the {count:,} designs has a value in all of these columns"
                if count
                else f"no design meets {' and '.join(where or ['that'])}"
            )
        if plot:
            from accelsim.report import plot_sweep

            figure = plot_sweep.pareto(rows, *goals, where or [], colour)
            output.write_figure(plot, figure)
    if csv:
        report.write_csv(csv, found)
    _write_json(json, lambda: report.to_dict(found, count, *goals, where or []))
    if json != "-":
        _show(report.front(found, [*goals[0], *goals[1]], parameters, _width()))
        print("", *report.notes(found, count, *goals, parameters), sep="\n")


@plots.callback(invoke_without_command=True)
def _plot_options(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@plots.command("pareto")
def plot_pareto(
    source: SourceArgument,
    output: PictureOption,
    minimise: MinimiseOption = None,
    maximise: MaximiseOption = None,
    where: WhereOption = None,
    colour: ColourOption = None,
) -> None:
    """All designs and those on the front, over the first two columns."""
    with _drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        goals = _names(minimise), _names(maximise)
        figures.append(plot_sweep.pareto(rows, *goals, where or [], colour))


@plots.command("scaling")
def plot_scaling(
    source: SourceArgument,
    output: PictureOption,
    metric: MetricOption = "total_cycles",
    line: Annotated[str, typer.Option(metavar="COLUMN", help="A line for each.")] = "variant",
    panel: Annotated[str, typer.Option(metavar="COLUMN", help="A panel for each.")] = "network",
    where: WhereOption = None,
) -> None:
    """Latency, or another column, over array size."""
    with _drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        figures.append(plot_sweep.scaling(rows, metric, line, panel, where or []))


@plots.command("heatmap")
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
    with _drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, _ = analysis.open_designs(source)
        figures.append(plot_sweep.heatmap(rows, metric, x, y, where or [], maximise))


@plots.command("sensitivity")
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
    with _drawing(output, source) as figures:
        from accelsim import analysis
        from accelsim.report import plot_sweep

        rows, parameters = analysis.open_designs(source)
        if held is None and parameters is None:
            raise UnsupportedError(
                f"{source} does not say which columns are parameters; --held names those that stay"
            )
        others = (parameters or ()) if held is None else _names(held)
        figures.append(plot_sweep.sensitivity(rows, parameter, metric, others, where or []))


@plots.command("layers")
def plot_layers(result: ResultArgument, output: PictureOption) -> None:
    """Cycles and utilisation of every layer."""
    with _drawing(output) as figures:
        from accelsim.report import plot
        from accelsim.saved import load_result

        figures.append(plot.layers_figure(load_result(result)))


@plots.command("stack")
def plot_stack(
    results: Annotated[
        list[str], typer.Argument(metavar="RESULT...", help="What `run --json FILE` wrote.")
    ],
    output: PictureOption,
) -> None:
    """A bar per result, of its layers by operator."""
    with _drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.stack([load_result(result) for result in results]))


@plots.command("roofline")
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
    with _drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.roofline(load_result(result), widths))


@plots.command("timeline")
def plot_timeline(result: ResultArgument, output: PictureOption) -> None:
    """When each engine runs which layer, and how well it is used."""
    with _drawing(output) as figures:
        from accelsim.report import plot_results
        from accelsim.saved import load_result

        figures.append(plot_results.timeline(load_result(result)))


@plots.command("fuseconv")
def plot_fuseconv(
    output: PictureOption,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write points as CSV.")] = None,
) -> None:
    """The speed-ups that the FuSeConv paper shows over array size, and those on our hardware."""
    from accelsim.files import check_writable

    if csv:
        check_writable(Path(csv))
    with _drawing(output) as figures:
        from accelsim.report import plot

        points = plot.speedups()
        figures.append(plot.speedup(points))
    if csv:
        plot.write_speedups(csv, points)


@app.command("film")
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
    net = _network(network, variant, input_size)
    if hardware is None and array is None:
        array = FILM_ARRAY
    design = _design(hardware, array, depthwise, overlap, None)
    ways = [(dataflow, depthwise_on)]
    if against == "engine":
        if depthwise_on == "auto":  # which may be the engine: that it is compared with the array
            ways = [(dataflow, "array")]
        ways.append((dataflow, against))
    elif against is not None:
        ways.append((against, depthwise_on))
    chosen = _clocks(clocks)
    films = [film(net, layer, design, *way, chosen) for way in ways]
    plot_film.write(output, films, frames)
    print(output)


@app.command("trace")
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
    net = _network(network, variant, input_size)
    design = _design(hardware, array, depthwise, overlap, None)
    trace(net, design, layer, dataflow, depthwise_on, _clocks(clocks)).write(output)
    print(output)


@app.command("report")
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


@app.command("rtl")
def generate_rtl(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the files go.")
    ],
    array: ArrayOption = None,
    depthwise: DepthwiseOption = None,
    overlap: OverlapOption = None,
    hardware: HardwareOption = None,
) -> None:
    """Write the core as Verilog, its parameters as JSON, and the page that documents it."""
    design = _hardware(hardware, array, depthwise, overlap, None)
    with _needs_extra_rtl(), _progress() as progress:
        from rtl.generate import generate

        written = generate(design.array, output, design.depthwise, progress)
    print(*written, sep="\n")


def _clocks(text: str | None) -> range | None:
    """FIRST..LAST, both included."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,15})\.\.([0-9]{1,15})", text)
    if found is None or int(found[2]) < int(found[1]):
        raise UnsupportedError(f"clocks must be FIRST..LAST, for instance 0..95, not {text!r}")
    return range(int(found[1]), int(found[2]) + 1)


def _network(name: str, variant: str, size: str | None) -> "Network":
    """The network of a name or a file, as the options say."""
    from accelsim.find import find_network

    return find_network(name, variant, size)


def _hardware(
    source: str | None,
    array: str | None,
    depthwise: str | None,
    overlap: bool | None,
    clock: float | None,
) -> "Hardware":
    """Hardware that has RTL: a preset or a file, with what the other options say in its place."""
    from accelsim.hardware import Hardware

    design = _design(source, array, depthwise, overlap, clock)
    if not isinstance(design, Hardware):
        raise UnsupportedError(f"{source} has a model without RTL; run, csynth and compare take it")
    return design


def _design(
    source: str | None,
    array: str | None,
    depthwise: str | None,
    overlap: bool | None,
    clock: float | None,
) -> "Design":
    """A preset or a file, with what the other options say in its place."""
    from accelsim import hardware as parts

    names = [preset.name for preset in parts.PRESETS]
    if source is None or source in names:
        base = parts.find_preset(source or DEFAULT_PRESET).hardware
    else:
        base = parts.load_hardware(source)
    base = replace(base, clock_mhz=base.clock_mhz if clock is None else clock)
    sized = base.array
    if sized is None:
        if array is not None or overlap is not None:
            raise UnsupportedError(f"--array and --overlap are for an array; {source} has none")
    else:
        if array is not None:
            rows, columns = parts.parse_array(array)
            sized = replace(sized, rows=rows, columns=columns)
        if overlap is not None:
            sized = replace(sized, overlap=overlap)
        base = replace(base, array=sized)
    if depthwise is None:
        return base
    if not isinstance(base, parts.Hardware):
        raise UnsupportedError(f"--depthwise is for our own engine; {source} has another one")
    return replace(base, depthwise=parts.parse_depthwise(depthwise, base))


def _write_json(target: str | None, make: Callable[[], dict[str, Any]]) -> None:
    """Print the object where the target is -, or write it to that file."""
    if target is None:
        return
    import json

    from accelsim.files import write_whole

    text = json.dumps(make(), indent=2) + "\n"
    if target == "-":
        print(text, end="")
    else:
        write_whole(target, text)


@contextmanager
def _drawing(target: str, source: str | None = None) -> Iterator[list["Figure"]]:
    """A list for the figure that is to be written there; `source` is a table that is read."""
    from accelsim.files import check_writable
    from accelsim.report import output

    output.check_picture(target)
    check_writable(Path(target))
    figures: list[Figure] = []
    if source is None:
        yield figures
    else:
        from accelsim.analysis import reading

        with reading(source):
            yield figures
    output.write_figure(target, figures[0])
    print(target)


def _names(text: str | None) -> list[str]:
    """The columns of a list with commas."""
    return [name.strip() for name in text.split(",")] if text else []


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, in a terminal only, from its first report on."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda what, done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)


@contextmanager
def _counter() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error, in a terminal only, with the rate and the time that is left."""
    if sys.stderr is None or not sys.stderr.isatty():
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
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, progress.TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, completed=done, rate="")
            speed = bar.tasks[tasks[what]].speed or 0
            bar.update(tasks[what], completed=done, rate=f"{speed:,.0f}/s")

        yield report


@contextmanager
def _needs_extra_rtl() -> Iterator[None]:
    """Say how to get the packages of the extra where one is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"{error.name} is missing; the extra rtl brings it: pip install '.[rtl]'"
        ) from None


def _fail(message: str) -> NoReturn:
    print(f"accelsim: {message}", file=sys.stderr)
    raise typer.Exit(1)


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def _show(made: "Table") -> None:
    from rich.console import Console

    Console(width=_width(), highlight=False).print(made)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one sentence and exit status 2."""
    if sys.stdout is None:
        _refuse("standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # names may hold what a terminal cannot show
    try:
        status = app(args=arguments, prog_name="accelsim", standalone_mode=False)
        sys.stdout.flush()
    except AccelsimError as error:
        _refuse(str(error))
    except USAGE_ERROR as error:
        _refuse(error.format_message())
    except MemoryError as error:
        _refuse(f"there is not enough memory: {error}" if str(error) else "there is no memory left")
    except OSError as error:
        _drop_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        where = error.filename or "standard output"
        _refuse(f"{where} cannot be used: {error.strerror or error}")
    except SystemExit as end:
        # Rich and Click turn a broken pipe, a reader that has seen enough, into status 1.
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        _drop_output()
        sys.exit(0)
    except typer.Abort:
        sys.exit(130)  # interrupted, as shells count it
    sys.exit(status or 0)


def _refuse(sentence: str) -> NoReturn:
    print(f"accelsim: {sentence}", file=sys.stderr)
    sys.exit(2)


def _drop_output() -> None:
    """Let the interpreter's last flush of an output that cannot be written go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
