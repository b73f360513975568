"""What people would rather see than read: films, timelines, reports."""

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.common import (
    check_outputs,
    load_design,
    load_network,
    parse_clocks,
    progress_bar,
    say,
)
from accelsim.cli.options import (
    FILM_ARRAY,
    ArrayOption,
    BatchOption,
    ClocksOption,
    CsvFormOption,
    DataflowOption,
    DepthwiseOnOption,
    DepthwiseOption,
    FormOption,
    HardwareOption,
    InputOption,
    LayerOption,
    NetworkArgument,
    OverlapOption,
    ResultArgument,
    VariantOption,
)
from accelsim.errors import UnsupportedError


def film_layer(
    network: NetworkArgument,
    layer: LayerOption,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="A film as .gif, or a strip of frames as a picture.",
        ),
    ],
    variant: VariantOption = "baseline",
    form: FormOption = "inference",
    array: Annotated[
        str | None,
        typer.Option(
            metavar="RxC", help=f"Rows and columns of the array.  [default: {FILM_ARRAY}]"
        ),
    ] = None,
    dataflow: DataflowOption = "auto",
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Compare with these dataflows, or with `engine`."),
    ] = None,
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
    batch: BatchOption = None,
    hardware: HardwareOption = None,
    clocks: ClocksOption = None,
    frames: Annotated[
        int | None, typer.Option(metavar="N", help="Frames of the film or the strip.")
    ] = None,
) -> None:
    """What every element of an engine does, clock by clock.

    This shows why a layer leaves most of an array idle.
    """
    from accelsim.films import Film, film
    from accelsim.report import plot_film

    check_outputs({"--output": output}, network, hardware)
    plot_film.check_film(output)
    net = load_network(network, variant, input_size, csv_form, form)
    if hardware is None and array is None:
        array = FILM_ARRAY
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    ways = [(dataflow, depthwise_on)]
    if against == "engine":
        if depthwise_on == "auto":  # which may be the engine: that it is compared with the array
            ways = [(dataflow, "array")]
        ways.append((dataflow, against))
    elif against is not None:
        ways.append((against, depthwise_on))
    chosen = parse_clocks(clocks)
    films: list[Film] = []
    with progress_bar() as progress:
        for way in ways:
            progress(f"running {layer}", len(films) / (len(ways) + 1))
            films.append(film(net, layer, design, *way, chosen, batch))
        # If nobody says, a film is as long as its engine is large; side by side, as the longest.
        longest = max(each.clocks.stop for each in films)
        for place, way in enumerate(ways):
            stop = min(longest, films[place].cycles)
            if films[place].clocks.stop < stop:
                films[place] = film(net, layer, design, *way, range(stop), batch)
        progress("drawing", len(ways) / (len(ways) + 1))
        plot_film.write(output, films, frames)
    say(output)


def trace_layers(
    network: NetworkArgument,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Timeline to write, a .json file.")
    ],
    layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The passes of this layer.  [default: all layers]"),
    ] = None,
    variant: VariantOption = "baseline",
    form: FormOption = "inference",
    array: ArrayOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
    batch: BatchOption = None,
    hardware: HardwareOption = None,
    clocks: ClocksOption = None,
) -> None:
    """A timeline of all layers, or of one, for ui.perfetto.dev.

    Of one layer it shows passes and ports.
    """
    from accelsim.traces import trace

    check_outputs({"--output": output}, network, hardware)
    if Path(output).suffix.lower() != ".json":
        raise UnsupportedError(f"{output} must end in .json")
    net = load_network(network, variant, input_size, csv_form, form)
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    made = trace(net, design, layer, dataflow, depthwise_on, parse_clocks(clocks), batch)
    made.write(output)
    say(output)


def report_result(
    result: ResultArgument,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Page to write, an .html file.")
    ],
) -> None:
    """A result as one page of HTML.

    It holds tables, plots, the hardware, and what published models say.
    """
    from accelsim.files import write_whole
    from accelsim.report import page
    from accelsim.saved import load_result, restore
    from accelsim.study.published import published_models
    from accelsim.study.ways import depthwise_ways

    check_outputs({"--output": output}, result)
    if Path(output).suffix.lower() not in (".html", ".htm"):
        raise UnsupportedError(f"{output} must end in .html")
    saved = load_result(result)
    restored = restore(saved)
    depthwise = None if restored is None else depthwise_ways(restored)
    models = () if restored is None else published_models(restored)
    write_whole(output, page.html(saved, restored, depthwise, models))
    say(output)
