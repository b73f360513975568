"""Many designs: side by side, swept, and the best of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.common import (
    STDOUT,
    check_named,
    check_outputs,
    counter,
    distinct,
    fail,
    list_of,
    load_design,
    load_energy_table,
    load_network,
    names_of,
    progress_bar,
    say,
    show,
    sizes_of,
    width,
    write_json,
    write_text,
)
from accelsim.cli.options import (
    AcrossOption,
    ArraysOption,
    BatchOption,
    ColourOption,
    CsvFormOption,
    CsvOption,
    EnergyOption,
    FormOption,
    HardwareOption,
    InputOption,
    JsonOption,
    LayersOption,
    MaximiseOption,
    MemoryOption,
    MinimiseOption,
    NetworkArgument,
    PlotOption,
    SkipZerosOption,
    SourceArgument,
    VariantOption,
    WhereOption,
)
from accelsim.errors import INTERRUPTED, SelectionError, UnsupportedError
from accelsim.phrases import counted

if TYPE_CHECKING:
    from accelsim.hardware import Hardware
    from accelsim.ir import BaseNetwork
    from accelsim.side_by_side import Entry
    from accelsim.study.depthwise import Point

# The defaults of study, of depthwise layers and of operators.
STUDY_ARRAYS = ["8x8,16x16,32x32,64x64,128x128"]
STUDY_ENGINE = "8x64"


def compare_designs(
    network: NetworkArgument,
    hardware: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A hardware file or a preset; may be repeated."),
    ] = None,
    variant: VariantOption = "baseline",
    form: FormOption = "inference",
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
    skip_zeros: SkipZerosOption = False,
    batch: BatchOption = None,
    array: ArraysOption = None,
    layers: LayersOption = None,
    depthwise_only: Annotated[
        bool, typer.Option("--depthwise-only", help="Only depthwise layers.")
    ] = False,
    memory: MemoryOption = None,
    energy: EnergyOption = None,
    json: JsonOption = None,
    csv: CsvOption = None,
    plot: PlotOption = None,
) -> None:
    """Cycles of every layer on several designs, side by side."""
    from accelsim.report import output
    from accelsim.report import side_by_side as report
    from accelsim.side_by_side import compare

    outputs = {"--json": json, "--csv": csv, "--plot": plot}
    check_outputs(outputs, network, energy, *hardware or ())
    table = load_energy_table(energy)
    net = load_network(network, variant, input_size, csv_form, form, skip_zeros)
    entries = _entries(hardware or [], array, memory)
    comparison = compare(net, entries, layers, depthwise_only, batch=batch, energy=table)
    if csv is not None:
        write_text(csv, report.to_csv(comparison))
    if plot:
        from accelsim.report.plot_designs import side_by_side

        output.write_figure(plot, side_by_side(comparison))
    write_json(json, comparison.to_dict)
    if STDOUT not in (json, csv):
        say(report.title(comparison), "")
        show(report.table(comparison, width()))
        say("", *report.notes(comparison))


def _entries(sources: list[str], arrays: list[str] | None, memory: str | None) -> list["Entry"]:
    """The designs that are compared: every file or preset, with every size of the array."""
    from accelsim.side_by_side import Entry, short_names

    files = distinct("--hardware", sources)
    sizes = sizes_of(arrays)
    if max(1, len(files)) * len(sizes) < 2:
        raise UnsupportedError(
            "compare needs two or more --hardware, or sizes of --array, such as 16x16,32x32; not "
            f"{', '.join([*files, *filter(None, sizes)]) or 'none'}"
        )
    named = [*zip(files, short_names(files), strict=True)] if files else [(None, None)]
    return [
        Entry(" ".join(filter(None, (name, size))), load_design(source, array=size, memory=memory))
        for source, name in named
        for size in sizes
    ]


def study_depthwise(
    networks: Annotated[
        list[str], typer.Argument(metavar="NETWORK...", help="Names, or .toml files.")
    ],
    operators: Annotated[
        bool, typer.Option("--operators", help="Study every operator of the papers instead.")
    ] = False,
    form: FormOption = "inference",
    arrays: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RxC,...",
            help="Rows and columns of the arrays; one with --operators.  "
            f"[default: {STUDY_ARRAYS[0]}]",
        ),
    ] = None,
    depthwise: Annotated[
        str | None,
        typer.Option(
            metavar="LxP",
            help="Lanes and pixels of the depthwise engine; with --operators it is beside the array"
            f" only if this is given.  [default: {STUDY_ENGINE}]",
        ),
    ] = None,
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
    batch: BatchOption = None,
    hardware: HardwareOption = None,
    memory: MemoryOption = None,
    with_memory: Annotated[
        bool, typer.Option("--with-memory", help="Show clocks with memory, not cycles.")
    ] = False,
    json: JsonOption = None,
    csv: CsvOption = None,
    plot: PlotOption = None,
) -> None:
    """Depthwise layers six ways; or all operators of the papers.

    Change the network or the hardware? On an array by im2col, as row streams, in blocks, or in any
    of these; replaced in the network by FuSe half; or on a depthwise engine beside the array. With
    --operators, what each operator of the papers makes of one network on one design.
    """
    if operators:
        if len(networks) > 1:
            raise UnsupportedError(f"--operators takes one network, not {', '.join(networks)}")
        make = partial(load_network, networks[0], size=input_size, csv_form=csv_form)
        check_outputs({"--json": json, "--csv": csv, "--plot": plot}, *networks, hardware)
        size = None if arrays is None else ",".join(arrays)
        design = load_design(hardware, array=size, depthwise=depthwise, memory=memory)
        _study_operators(make, design, form, batch, json, csv, plot)
        return
    if form != "inference":
        raise UnsupportedError("--form of study goes with --operators")
    from accelsim.hardware import parse_array, parse_depthwise
    from accelsim.report import output
    from accelsim.report import study as report
    from accelsim.study.depthwise import depthwise_study

    check_outputs({"--json": json, "--csv": csv, "--plot": plot}, *networks, hardware)
    sizes = [parse_array(size) for size in list_of("--arrays", arrays or STUDY_ARRAYS, parse_array)]
    base = load_design(hardware, memory=memory)
    if with_memory and base.memory is None:
        raise UnsupportedError("--with-memory needs a design with a memory, and this one has none")
    engine = parse_depthwise(depthwise or STUDY_ENGINE, base)
    if engine is None:
        raise UnsupportedError("study needs a depthwise engine, for instance --depthwise 8x64")
    points: list[Point] = []
    with progress_bar() as progress:
        for place, name in enumerate(distinct("NETWORK", networks)):
            progress(f"studying {name}", place / len(networks))
            make = partial(load_network, name, size=input_size, csv_form=csv_form)
            points += depthwise_study(make, sizes, engine, base, batch)
    if csv is not None:
        write_text(csv, report.to_csv(points))
    if plot:
        from accelsim.report import plot_designs

        output.write_figure(plot, plot_designs.depthwise_study(points, with_memory))
    write_json(json, lambda: {"points": report.records(points)})
    if STDOUT not in (json, csv):
        given = (
            ("--hardware", hardware),
            ("--memory", memory),
            ("--input", input_size),
            ("--batch", batch),
        )
        shared = " ".join(f"{option} {value}" for option, value in given if value is not None)
        show(report.depthwise(points, width(), with_memory))
        beside, port = base.depthwise is not None, base.memory if with_memory else None
        say("", *report.notes(points, engine, shared, beside, port))


def _study_operators(
    make: Callable[[str], "BaseNetwork"],
    design: "Hardware",
    form: str,
    batch: int | None,
    json: str | None,
    csv: str | None,
    plot: str | None,
) -> None:
    """Print and write what every operator makes of a network."""
    from accelsim.report import field as report
    from accelsim.report import output
    from accelsim.study.operators import operators_study

    with progress_bar() as progress:
        entries = operators_study(make, design, form, batch, progress)
    if csv is not None:
        write_text(csv, output.csv_of(report.records(entries)))
    if plot:
        from accelsim.report import plot_designs

        output.write_figure(plot, plot_designs.operators_study(entries))
    write_json(json, lambda: {"form": form, "entries": report.records(entries)})
    if STDOUT not in (json, csv):
        say(report.title(entries, design.label, form), "")
        show(report.table(entries, width()))
        say("", *report.notes(entries))


def sweep(
    specification: Annotated[Path, typer.Argument(metavar="SPEC", help="The sweep, a .toml file.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR", help="Folder for the rows, in Parquet.")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the sweep of which DIR holds a part.")
    ] = False,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="local, with threads, or dask, on a cluster.")
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Scheduler of the cluster, for engine dask."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Allow more points and designs than usual.")
    ] = False,
) -> None:
    """Evaluate networks on many designs.

    Every point is, to the cycle, what `run` says of it.
    """
    from accelsim import sweep as sweeps

    check_named("--output", output)
    folder = Path(output)
    executor = sweeps.find_executor(engine, scheduler)
    spec = sweeps.load_spec(specification, force)
    try:
        with counter() as progress:
            done = sweeps.run(spec, folder, resume, executor, progress)
    except KeyboardInterrupt:
        fail(f"stopped; the same command with --resume continues {output}", INTERRUPTED)
    say(*done.sentences(folder))


def pareto_front(
    source: SourceArgument,
    minimise: MinimiseOption = None,
    maximise: MaximiseOption = None,
    where: WhereOption = None,
    colour: ColourOption = None,
    across: AcrossOption = None,
    json: JsonOption = None,
    csv: CsvOption = None,
    plot: PlotOption = None,
) -> None:
    """The designs that no other design beats in all columns.

    Of a single column these are the best. Each workload has a front of its own.
    """
    from accelsim import analysis
    from accelsim.report import output
    from accelsim.report import pareto as report

    check_outputs({"--json": json, "--csv": csv, "--plot": plot}, source)
    if colour and not plot:
        raise UnsupportedError("--colour is for --plot")
    goals = names_of(minimise), names_of(maximise)
    competing = names_of(across)
    with progress_bar(), analysis.reading(source):
        rows, parameters = analysis.open_designs(source)
        best = analysis.pareto(rows, *goals, where or [], competing)
        count = analysis.count(rows, where or [])
        left_out = count - analysis.compared(rows, *goals, where or [])
        if best.is_empty():
            raise SelectionError(
                f"none of {counted(count, 'design')} has a value in all of these columns"
                if count
                else f"no design meets {' and '.join(where or ['that'])}"
            )
        if plot:
            from accelsim.report import plot_sweep

            figure = plot_sweep.pareto(rows, *goals, where or [], colour, competing)
            output.write_figure(plot, figure)
    if csv is not None:
        write_text(csv, report.to_csv(best))
    write_json(json, lambda: report.to_dict(best, count, *goals, where or [], competing))
    if STDOUT not in (json, csv):
        show(report.front(best, [*goals[0], *goals[1]], parameters, width(), competing))
        say("", *report.notes(best, count, *goals, parameters, competing, left_out))
