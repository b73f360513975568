"""One layer: why it takes its cycles, and the loops that it runs in."""

from typing import Annotated

import typer

from accelsim.cli import completion
from accelsim.cli.common import (
    STDOUT,
    check_outputs,
    load_design,
    load_energy_table,
    load_network,
    say,
    show,
    width,
    write_json,
)
from accelsim.cli.options import (
    ArrayOption,
    BatchOption,
    ClockOption,
    CsvFormOption,
    DataflowOption,
    DepthwiseOnOption,
    DepthwiseOption,
    EnergyOption,
    FormOption,
    HardwareOption,
    InputOption,
    JsonOption,
    LayerOption,
    MemoryOption,
    NetworkArgument,
    OverlapOption,
    SkipZerosOption,
    VariantOption,
)


def explain_layer(
    network: NetworkArgument,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A layer.  [default: the one that loses the most]",
            autocompletion=completion.layers,
        ),
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
    skip_zeros: SkipZerosOption = False,
    batch: BatchOption = None,
    hardware: HardwareOption = None,
    memory: MemoryOption = None,
    energy: EnergyOption = None,
    json: JsonOption = None,
) -> None:
    """Why a layer takes its cycles, to the last clock.

    Where the clocks of its multipliers go, and what other dataflows would take.
    """
    from accelsim.explanations import explain
    from accelsim.report import explain as report

    check_outputs({"--json": json}, network, hardware, energy)
    spent_by = load_energy_table(energy)
    net = load_network(network, variant, input_size, csv_form, form, skip_zeros)
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap, memory=memory)
    made = explain(net, layer, design, dataflow, depthwise_on, batch, spent_by)
    write_json(json, made.to_dict)
    if json != STDOUT:
        say(report.title(made), "")
        tables = report.parts(made), report.passes(made, width()), report.ways(made)
        for table in (*tables, report.energies(made)):
            if table.rows:
                show(table)
                print()
        say(*report.notes(made, worst=layer is None))


def synthesize(
    network: NetworkArgument,
    layer: LayerOption,
    variant: VariantOption = "baseline",
    form: FormOption = "inference",
    array: ArrayOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
    skip_zeros: SkipZerosOption = False,
    batch: BatchOption = None,
    hardware: HardwareOption = None,
    clock: ClockOption = None,
    json: JsonOption = None,
) -> None:
    """The loops of a layer with intervals, latencies and resources."""
    from accelsim.c_synthesis import csynth
    from accelsim.report import hls

    check_outputs({"--json": json}, network, hardware)
    net = load_network(network, variant, input_size, csv_form, form, skip_zeros)
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap, clock=clock)
    made = csynth(net, layer, design, dataflow, depthwise_on, batch)
    write_json(json, made.to_dict)
    if json != STDOUT:
        say(hls.title(made), "")
        show(hls.nest(made.report, width()))
        print()
        show(hls.resources(made.report))
        say("", *hls.notes(made))
