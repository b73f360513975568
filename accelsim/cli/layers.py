"""A network on one design, layer by layer, and its hardware."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from accelsim.cli.common import (
    STDOUT,
    check_named,
    check_outputs,
    check_rtl,
    distinct,
    fail,
    list_of,
    load_design,
    load_network,
    needs_extra_rtl,
    progress_bar,
    say,
    show,
    width,
    write_json,
    write_text,
)
from accelsim.cli.options import (
    COSIM_ARRAY,
    ArrayOption,
    ArraysOption,
    ClockOption,
    CosimArrayOption,
    CsvOption,
    DataflowOption,
    DepthwiseOnOption,
    DepthwiseOption,
    HardwareOption,
    InputOption,
    InputsOption,
    JsonOption,
    LayerOption,
    LayersOption,
    MemoryOption,
    NetworkArgument,
    NetworksArgument,
    OverlapOption,
    PlotOption,
    SeedOption,
    VariantOption,
)
from accelsim.errors import UnsupportedError
from accelsim.phrases import counted
from accelsim.report.words import printable

if TYPE_CHECKING:
    from accelsim.ir import Network
    from accelsim.report.ranking import Ranking
    from accelsim.request import Request
    from accelsim.result import Result


class View(NamedTuple):
    """How the table of a result is shown: which layers, and whether with reasons."""

    ranking: "Ranking | None" = None
    why: bool = False


def run(
    networks: NetworksArgument,
    variant: VariantOption = "baseline",
    array: ArraysOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    layers: LayersOption = None,
    input_size: InputsOption = None,
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
        str,
        typer.Option(metavar="LEVEL", help="schedule, golden (values), or cycle (every register)."),
    ] = "schedule",
    hardware: HardwareOption = None,
    clock: ClockOption = None,
    memory: MemoryOption = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="cycles, lost, utilisation, bound, memory, macs or params: the worst first.",
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
    from accelsim.report import output
    from accelsim.report.ranking import parse_ranking
    from accelsim.request import Request
    from accelsim.simulation import answer

    for option, given in (("--overlap and --no-overlap", overlap), ("--why", why or None)):
        if given is not None and timing != "rtl":
            are = "are" if " and " in option else "is"
            raise UnsupportedError(f"{option} {are} for timing rtl, not {timing}")
    check_outputs({"--json": json, "--csv": csv, "--plot": plot}, *networks, hardware)
    if plot:
        output.check_picture(plot)
    view = View(parse_ranking(sort, top), why)
    nets = _load_networks(networks, variant, input_size)
    designs = [
        load_design(
            hardware, array=size, depthwise=depthwise, overlap=overlap, clock=clock, memory=memory
        )
        for size in _sizes(array)
    ]
    requests = [
        Request(
            net,
            design,
            dataflow=dataflow,
            depthwise_on=depthwise_on,
            fidelity=fidelity,
            timing=timing,
            seed=seed,
            layers=layers,
            scalesim_depthwise=scalesim_depthwise,
        )
        for net in nets
        for design in designs
    ]
    if view != View() and len(requests) > 1:
        raise UnsupportedError("--sort, --top and --why are for one network on one design")
    if (view.ranking and STDOUT in (json, csv)) or (why and csv == STDOUT):
        raise UnsupportedError("--sort, --top and --why are for the table, which is not printed")
    with progress_bar() as progress:
        results = [
            answer(request, _part(progress, place, requests))
            for place, request in enumerate(requests)
        ]
    if len(results) > 1:
        _show_several(results, json, csv, plot)
    else:
        size = input_size[0] if input_size else None
        plain = partial(load_network, networks[0], "baseline", size)
        _show_one(results[0], requests[0], plain, view, json, csv, plot)
    wrong = [layer.name for each in results for layer in each.layers if layer.values_equal is False]
    if wrong:
        fail(f"values differ from golden in {', '.join(dict.fromkeys(wrong))}")


def _part(
    progress: Callable[[str, float], None], place: int, requests: list["Request"]
) -> Callable[[str, float], None]:
    """The progress of one request among all, which it begins to report."""
    if len(requests) == 1:
        return progress
    name = requests[place].network.name
    progress(name, place / len(requests))
    return lambda what, done: progress(f"{name}, {what}", (place + done) / len(requests))


def _load_networks(names: list[str], variant: str, inputs: list[str] | None) -> list["Network"]:
    """Every network at every size of its input."""
    from accelsim.find import parse_input

    sizes = list_of("--input", inputs, parse_input) if inputs else [None]
    return [
        load_network(name, variant, size) for name in distinct("NETWORK", names) for size in sizes
    ]


def _sizes(arrays: list[str] | None) -> list[str] | list[None]:
    """The sizes of --array."""
    from accelsim.hardware import parse_array

    return list_of("--array", arrays, parse_array) if arrays else [None]


def _show_one(
    result: "Result",
    request: "Request",
    plain: Callable[[], "Network"],
    view: View,
    json: str | None,
    csv: str | None,
    plot: str | None,
) -> None:
    """Write and print a result; `plain` makes the network without its variant."""
    from accelsim.report import output, table
    from accelsim.request import SCHEDULE
    from accelsim.simulation import answer
    from accelsim.study.ways import depthwise_ways

    if csv is not None:
        write_text(csv, output.to_csv(result))
    if plot:
        output.write_plot(plot, result)
    reasons = _reasons(request) if view.why else None
    write_json(json, lambda: _with_reasons(result.to_dict(), reasons))
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

    if csv is not None:
        write_text(csv, several.to_csv(results))
    if plot:
        from accelsim.report import plot_results

        output.write_figure(plot, plot_results.several(results))
    write_json(json, lambda: {"results": [result.to_dict() for result in results]})
    if STDOUT not in (json, csv):
        say(several.title(results), "")
        show(several.table(results, width()))
        say("", *several.notes(results))


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
    """The loops of a layer with intervals, latencies and resources."""
    from accelsim.c_synthesis import csynth
    from accelsim.report import hls

    check_outputs({"--json": json}, network, hardware)
    net = load_network(network, variant, input_size)
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap, clock=clock)
    made = csynth(net, layer, design, dataflow, depthwise_on)
    write_json(json, made.to_dict)
    if json != STDOUT:
        say(hls.title(made), "")
        show(hls.nest(made.report, width()))
        print()
        show(hls.resources(made.report))
        say("", *hls.notes(made))


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
    simulator: Annotated[
        str, typer.Option(metavar="NAME", help="amaranth, icarus or verilator.")
    ] = "amaranth",
    waves: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Record every signal in a .vcd or .fst file."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Run a layer on the RTL, on real data, and compare all levels."""
    from accelsim.cosimulation import cosim as cosimulate
    from accelsim.report import table

    check_outputs({"--waves": waves, "--json": json}, network, hardware)
    record = None if waves is None else Path(waves)
    net = load_network(network, variant, input_size)
    if hardware is None and array is None:
        array = COSIM_ARRAY
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    check_rtl(design, hardware)
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow.cosim import level

        run_rtl = level(design, simulator, record, progress)
        progress("computing the layer's values", 0.0)
        comparison = cosimulate(net, layer, design, run_rtl, dataflow, seed, depthwise_on)
    write_json(json, lambda: comparison.to_dict(simulator))
    if json != STDOUT:
        say(f"{net.name} {net.variant}, {design.label}, layer {layer}", "")
        show(table.levels(comparison))
        used = comparison.dataflow
        mode = f"in dataflow {used}" if used else f"on engine {comparison.engine}"
        passes = counted(comparison.passes, "pass", "passes")
        say(
            "",
            f"{passes} {mode}, {counted(comparison.values, 'value')}, "
            f"{counted(comparison.stall_cycles, 'stall')}, simulator {simulator}.",
        )
    if not (comparison.values_equal and comparison.cycles_equal):
        wrong = "cycles" if comparison.values_equal else "values"
        fail(f"the levels differ in {wrong} (layer {layer})")


def generate_rtl(
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR", help="Folder for the files.")
    ],
    array: ArrayOption = None,
    depthwise: DepthwiseOption = None,
    overlap: OverlapOption = None,
    hardware: HardwareOption = None,
    layer: Annotated[
        str | None,
        typer.Option(metavar="NETWORK:NAME", help="Add a testbench that runs this layer."),
    ] = None,
    variant: VariantOption = "baseline",
    dataflow: DataflowOption = "auto",
    depthwise_on: DepthwiseOnOption = "auto",
    input_size: InputOption = None,
    seed: SeedOption = 0,
) -> None:
    """Write the Verilog of a design, and its documentation.

    Its parameters are written as JSON. With --layer also a self-checking testbench for simulators
    of your own, and what the layer sends and must return, on real data.
    """
    check_named("--output", output)
    of_layer = {
        "--variant": None if variant == "baseline" else variant,
        "--dataflow": None if dataflow == "auto" else dataflow,
        "--depthwise-on": None if depthwise_on == "auto" else depthwise_on,
        "--input": input_size,
        "--seed": str(seed) if seed else None,
    }
    for option, value in of_layer.items():
        if layer is None and value is not None:
            raise UnsupportedError(f"{option} is for --layer")
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    check_rtl(design, hardware)
    of_design = {"--hardware": hardware, "--array": array, "--depthwise": depthwise}
    command = _command("accelsim rtl", of_design | {"--layer": layer} | of_layer, overlap)
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow.generate import generate
        from rtl.flow.simulators import lint_command

        stimulus = None
        if layer is not None:
            from accelsim import cosimulation

            source, name = _network_and_layer(layer)
            net = load_network(source, variant, input_size)
            progress("computing the layer's values", 0.0)
            stimulus = cosimulation.stimulus(net, name, design, dataflow, seed, depthwise_on)
        written = generate(design, Path(output), progress, stimulus, command)
    say(*map(str, written), "", "To lint it:", shlex.join(lint_command(written[0])))


def _command(name: str, options: dict[str, str | None], overlap: bool | None) -> str:
    """A command as text that is the same on every machine: of files only their names."""
    words = [name]
    for option, value in options.items():
        if value is not None:
            words += [option, shlex.quote(Path(value).name)]
    if overlap is not None:
        words.append("--overlap" if overlap else "--no-overlap")
    return printable(" ".join(words))


def _network_and_layer(text: str) -> tuple[str, str]:
    """The two halves of NETWORK:NAME."""
    network, _, layer = text.partition(":")
    if not (network and layer):
        raise UnsupportedError(
            f"--layer must be NETWORK:NAME, for instance mobilenet_v2:stem, not {text!r}"
        )
    return network, layer
