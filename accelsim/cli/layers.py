"""A network on one design, layer by layer, and its hardware."""

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.common import (
    fail,
    load_design,
    load_hardware,
    load_network,
    needs_extra_rtl,
    progress_bar,
    show,
    width,
    write_json,
)
from accelsim.cli.options import (
    COSIM_ARRAY,
    ArrayOption,
    ClockOption,
    CosimArrayOption,
    DataflowOption,
    DepthwiseOnOption,
    DepthwiseOption,
    HardwareOption,
    InputOption,
    JsonOption,
    LayerOption,
    LayersOption,
    NetworkArgument,
    OverlapOption,
    PlotOption,
    SeedOption,
    VariantOption,
)
from accelsim.errors import UnsupportedError


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
    net = load_network(network, variant, input_size)
    design = load_design(hardware, array, depthwise, overlap, clock)
    options = (dataflow, fidelity, timing, seed, layers, scalesim_depthwise)
    with progress_bar() as progress:
        result = simulate(net, design, *options, progress=progress, depthwise_on=depthwise_on)
    if csv:
        output.write_csv(csv, result)
    if plot:
        output.write_plot(plot, result)
    write_json(json, result.to_dict)
    if json != "-":
        print(table.title(result), end="\n\n")
        show(table.layers(result, width()))
        baseline = None
        if net.variant != "baseline" and layers is None:
            plain = load_network(network, "baseline", input_size)
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
    """The loops of one layer with trip counts, intervals and latencies, and the resources."""
    from accelsim.csynth import csynth
    from accelsim.report import hls

    net = load_network(network, variant, input_size)
    design = load_design(hardware, array, depthwise, overlap, clock)
    made = csynth(net, layer, design, dataflow, depthwise_on)
    write_json(json, made.to_dict)
    if json != "-":
        print(hls.title(made), end="\n\n")
        show(hls.nest(made.report, width()))
        print()
        show(hls.resources(made.report))
        print("", *hls.notes(made), sep="\n")


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
    net = load_network(network, variant, input_size)
    if hardware is None and array is None:
        array = COSIM_ARRAY
    design = load_hardware(hardware, array, depthwise, overlap, None)
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow.cosim import level

        run_rtl = level(design, simulator, waves, progress)
        found = compare(net, layer, design, run_rtl, dataflow, seed, depthwise_on)
    write_json(json, lambda: found.to_dict(simulator))
    if json != "-":
        print(f"{net.name} {net.variant}, {design.label}, layer {layer}", end="\n\n")
        show(table.levels(found))
        mode = f"in dataflow {found.dataflow}" if found.dataflow else "of the depthwise engine"
        print(
            f"\n{found.passes:,} passes {mode}, {found.values:,} values, "
            f"{found.stall_cycles:,} stalls, simulator {simulator}."
        )
    if not (found.values_equal and found.cycles_equal):
        wrong = "cycles" if found.values_equal else "values"
        fail(f"the levels differ in {wrong} (layer {layer})")


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
    design = load_hardware(hardware, array, depthwise, overlap, None)
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow.generate import generate

        written = generate(design, output, progress)
    print(*written, sep="\n")
