"""Networks on designs, layer by layer."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from accelsim.cli.common import (
    STDOUT,
    check_outputs,
    distinct,
    fail,
    inputs_of,
    load_design,
    load_energy_table,
    load_network,
    progress_bar,
    say,
    show,
    sizes_of,
    width,
    write_json,
    write_text,
)
from accelsim.cli.options import (
    ArraysOption,
    BatchOption,
    ClockOption,
    CsvFormOption,
    CsvOption,
    DataflowOption,
    DataOption,
    DepthwiseOnOption,
    DepthwiseOption,
    EnergyOption,
    FormOption,
    HardwareOption,
    InputsOption,
    JsonOption,
    LayersOption,
    MemoryOption,
    NetworksArgument,
    OverlapOption,
    PlotOption,
    SeedOption,
    SkipZerosOption,
    VariantOption,
)
from accelsim.cli.values import Wanted, fail_where_wrong, read_inputs, show_comparison
from accelsim.errors import UnsupportedError

if TYPE_CHECKING:
    from accelsim.ir import BaseNetwork
    from accelsim.report.ranking import Ranking
    from accelsim.request import Request
    from accelsim.result import Result
    from accelsim.runtimes.differences import Comparison


class View(NamedTuple):
    """How the table of a result is shown: which layers, and whether with reasons."""

    ranking: "Ranking | None" = None
    why: bool = False


def run(
    networks: NetworksArgument,
    variant: VariantOption = "baseline",
    form: FormOption = "inference",
    array: ArraysOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    layers: LayersOption = None,
    input_size: InputsOption = None,
    csv_form: CsvFormOption = None,
    skip_zeros: SkipZerosOption = False,
    batch: BatchOption = None,
    seed: SeedOption = 0,
    timing: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="rtl, or published: fuseconv-2020, fuseconv-2021, scalesim.",
        ),
    ] = "rtl",
    scalesim_depthwise: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="one-filter or per-channel.  [default: one-filter]"),
    ] = None,
    fidelity: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="schedule, golden (values; the default where any are asked for), or cycle.",
        ),
    ] = None,
    data: DataOption = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write outputs by name as .npz."),
    ] = None,
    output_layers: Annotated[
        bool, typer.Option("--output-layers", help="Add every layer to --output.")
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(metavar="RUNTIME", help="Compare with onnxruntime or litert."),
    ] = None,
    hardware: HardwareOption = None,
    clock: ClockOption = None,
    memory: MemoryOption = None,
    energy: EnergyOption = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="cycles, lost, utilisation, bound, memory, energy, macs, params: the worst first.",
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", help="Only so many layers, by --sort or cycles.")
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Why each layer takes its cycles.")] = False,
    json: JsonOption = None,
    csv: CsvOption = None,
    plot: PlotOption = None,
) -> None:
    """Cycles, utilisation and totals of a network, layer by layer.

    Several networks, inputs or arrays make one table.
    """
    from accelsim.report.ranking import parse_ranking
    from accelsim.request import Request
    from accelsim.simulation import answer

    _check_timing(timing, overlap, memory, why)
    wanted = Wanted(data, output, output_layers, compare)
    written = {"--json": json, "--csv": csv, "--plot": plot, "--output": output}
    check_outputs(written, *networks, hardware, energy, data)
    wanted.check(networks[0], len(networks))
    table = load_energy_table(energy)
    view = View(parse_ranking(sort, top), why)
    sizes = inputs_of(input_size)
    nets = [
        load_network(name, variant, size, csv_form, form, skip_zeros)
        for name in distinct("NETWORK", networks)
        for size in sizes
    ]
    designs = [
        load_design(
            hardware, array=size, depthwise=depthwise, overlap=overlap, clock=clock, memory=memory
        )
        for size in sizes_of(array)
    ]
    requests = [
        Request(
            net,
            design,
            dataflow=dataflow,
            depthwise_on=depthwise_on,
            fidelity=wanted.fidelity(fidelity),
            timing=timing,
            seed=seed,
            layers=layers,
            scalesim_depthwise=scalesim_depthwise,
            batch=batch,
            energy=table,
        )
        for net in nets
        for design in designs
    ]
    wanted.check(networks[0], len(requests))
    wanted.check_batch(requests[0].network, requests[0].images)
    inputs = read_inputs(data, requests[0].network)
    if view != View() and len(requests) > 1:
        raise UnsupportedError("--sort, --top and --why are for one network on one design")
    if (view.ranking and STDOUT in (json, csv)) or (why and csv == STDOUT):
        raise UnsupportedError("--sort, --top and --why are for the table, which is not printed")
    with progress_bar() as progress:
        results = [
            answer(request, _part(progress, place, requests), inputs, keep=wanted.any)
            for place, request in enumerate(requests)
        ]
    if len(results) > 1:
        _show_several(results, json, csv, plot)
    else:
        plain = partial(load_network, networks[0], "baseline", sizes[0], csv_form)
        compared = wanted.compared(networks[0], results[0])
        wanted.write(results[0])
        _show_one(results[0], requests[0], plain, view, compared, json, csv, plot)
        fail_where_wrong(compared)
    wrong = [layer.name for each in results for layer in each.layers if layer.values_equal is False]
    if wrong:
        fail(f"values differ from golden in {', '.join(dict.fromkeys(wrong))}")


def _check_timing(timing: str, overlap: bool | None, memory: str | None, why: bool) -> None:
    """Refuse what only our hardware has beside a published timing."""
    for option, given in (
        ("--overlap and --no-overlap", overlap),
        ("--memory", memory),
        ("--why", why or None),
    ):
        if given is not None and timing != "rtl":
            are = "are" if " and " in option else "is"
            raise UnsupportedError(f"{option} {are} for timing rtl, not {timing}")


def _part(
    progress: Callable[[str, float], None], place: int, requests: list["Request"]
) -> Callable[[str, float], None]:
    """The progress of one request among all, which it begins to report."""
    if len(requests) == 1:
        return progress
    name = requests[place].network.name
    progress(name, place / len(requests))
    return lambda what, done: progress(f"{name}, {what}", (place + done) / len(requests))


def _show_one(
    result: "Result",
    request: "Request",
    plain: Callable[[], "BaseNetwork"],
    view: View,
    compared: "Comparison | None",
    json: str | None,
    csv: str | None,
    plot: str | None,
) -> None:
    """Write and print a result; `plain` makes the network without its variant."""
    from accelsim.report import output, table
    from accelsim.request import SCHEDULE
    from accelsim.simulation import answer
    from accelsim.study.ways import depthwise_ways

    reasons = _reasons(request) if view.why else None
    # First, as it reads the weights, and nothing is to be written where their file is wrong.
    about = {} if compared is None else compared.to_dict()
    write_json(json, lambda: _with_reasons(result.to_dict(), reasons) | about)
    if csv is not None:
        write_text(csv, output.to_csv(result))
    if plot:
        output.write_plot(plot, result)
    if STDOUT not in (json, csv):
        ranking = view.ranking
        shown = None if ranking is None else ranking.layers(result)
        say(table.title(result), "")
        show(table.layers(result, width(), shown, reasons))
        if ranking is not None:
            say("", ranking.note(result))
        baseline = None
        if result.variant != "baseline" and request.layers is None:
            baseline = answer(replace(request, network=plain(), fidelity=SCHEDULE))
        say("", *table.notes(result, depthwise_ways(result), baseline))
        if compared is not None:
            show_comparison(compared)


def _reasons(request: "Request") -> dict[str, str]:
    """Why the layers that were asked for take their cycles, by name."""
    from accelsim.explanations import reason_of
    from accelsim.report.explain import why

    reasons = {layer.name: reason_of(request, layer) for layer in request.chosen}
    return {name: why(reason) for name, reason in reasons.items() if reason is not None}


def _with_reasons(values: dict[str, Any], reasons: dict[str, str] | None) -> dict[str, Any]:
    """What JSON holds of a result, with a reason for every layer, or null on the host."""
    if reasons is None:
        return values
    layers = [layer | {"why": reasons.get(layer["name"])} for layer in values["layers"]]
    return values | {"layers": layers}


def _show_several(
    results: list["Result"], json: str | None, csv: str | None, plot: str | None
) -> None:
    """Write and print several results as one."""
    from accelsim.report import output, several

    write_json(json, lambda: {"results": [result.to_dict() for result in results]})
    if csv is not None:
        write_text(csv, several.to_csv(results))
    if plot:
        from accelsim.report import plot_results

        output.write_figure(plot, plot_results.several(results))
    if STDOUT not in (json, csv):
        say(several.title(results), "")
        show(several.table(results, width()))
        say("", *several.notes(results))
