"""A network on one design, layer by layer, and its hardware."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.common import (
    STDOUT,
    check_named,
    check_outputs,
    check_rtl,
    fail,
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
    ClockOption,
    CosimArrayOption,
    CsvOption,
    DataflowOption,
    DepthwiseOnOption,
    DepthwiseOption,
    HardwareOption,
    InputOption,
    JsonOption,
    LayerOption,
    LayersOption,
    MemoryOption,
    NetworkArgument,
    OverlapOption,
    PlotOption,
    SeedOption,
    VariantOption,
)
from accelsim.errors import UnsupportedError
from accelsim.phrases import counted


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
        str,
        typer.Option(
            metavar="NAME",
            help="rtl, or a published model: fuseconv-2020, fuseconv-2021, scalesim.",
        ),
    ] = "rtl",
    scalesim_depthwise: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="one-filter, as shipped, or per-channel.  [default: one-filter]"
        ),
    ] = None,
    fidelity: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="schedule, golden (values), or cycle (every register)."),
    ] = "schedule",
    hardware: HardwareOption = None,
    clock: ClockOption = None,
    memory: MemoryOption = None,
    json: JsonOption = None,
    csv: CsvOption = None,
    plot: PlotOption = None,
) -> None:
    """Cycles, utilisation and totals of a network, layer by layer."""
    from accelsim.report import output, table
    from accelsim.request import SCHEDULE, Request
    from accelsim.simulation import answer
    from accelsim.study.ways import depthwise_ways

    if overlap is not None and timing != "rtl":
        raise UnsupportedError(f"--overlap and --no-overlap are for timing rtl, not {timing}")
    check_outputs({"--json": json, "--csv": csv, "--plot": plot})
    if plot:
        output.check_picture(plot)
    net = load_network(network, variant, input_size)
    design = load_design(
        hardware, array=array, depthwise=depthwise, overlap=overlap, clock=clock, memory=memory
    )
    request = Request(
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
    with progress_bar() as progress:
        result = answer(request, progress)
    if csv is not None:
        write_text(csv, output.to_csv(result))
    if plot:
        output.write_plot(plot, result)
    write_json(json, result.to_dict)
    if STDOUT not in (json, csv):
        say(table.title(result), "")
        show(table.layers(result, width()))
        baseline = None
        if net.variant != "baseline" and layers is None:
            plain = load_network(network, "baseline", input_size)
            baseline = answer(replace(request, network=plain, fidelity=SCHEDULE))
        say("", *table.notes(result, depthwise_ways(result), baseline))
    if result.values_equal is False:
        wrong = [layer.name for layer in result.layers if layer.values_equal is False]
        fail(f"values differ from golden in {', '.join(wrong)}")


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

    check_outputs({"--json": json})
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

    check_outputs({"--waves": waves, "--json": json})
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
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    check_rtl(design, hardware)
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow.generate import generate
        from rtl.flow.simulators import lint_command

        stimulus = None
        if layer is not None:
            from accelsim import cosimulation

            source, name = _network_and_layer(layer)
            net = load_network(source, variant, input_size)
            stimulus = cosimulation.stimulus(net, name, design, dataflow, seed, depthwise_on)
        written = generate(design, Path(output), progress, stimulus)
    say(*map(str, written), "", "To lint it:", shlex.join(lint_command(written[0])))


def _network_and_layer(text: str) -> tuple[str, str]:
    """The two halves of NETWORK:NAME."""
    network, _, layer = text.rpartition(":")
    if not (network and layer):
        raise UnsupportedError(
            f"--layer must be NETWORK:NAME, for instance mobilenet_v2:stem, not {text!r}"
        )
    return network, layer
