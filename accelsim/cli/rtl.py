"""The hardware of a design: a layer on it, and its Verilog."""

import shlex
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
    write_json,
)
from accelsim.cli.options import (
    COSIM_ARRAY,
    ArrayOption,
    BatchOption,
    CosimArrayOption,
    CsvFormOption,
    DataflowOption,
    DataOption,
    DepthwiseOnOption,
    DepthwiseOption,
    FormOption,
    HardwareOption,
    InputOption,
    JsonOption,
    LayerOption,
    NetworkArgument,
    OverlapOption,
    SeedOption,
    SkipZerosOption,
    VariantOption,
)
from accelsim.cli.values import read_inputs
from accelsim.errors import UnsupportedError
from accelsim.phrases import counted, of_batch
from accelsim.report.words import printable


def cosim(
    network: NetworkArgument,
    layer: LayerOption,
    variant: VariantOption = "baseline",
    form: FormOption = "inference",
    array: CosimArrayOption = None,
    dataflow: DataflowOption = "auto",
    depthwise: DepthwiseOption = None,
    depthwise_on: DepthwiseOnOption = "auto",
    overlap: OverlapOption = None,
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
    skip_zeros: SkipZerosOption = False,
    batch: BatchOption = None,
    seed: SeedOption = 0,
    data: DataOption = None,
    hardware: HardwareOption = None,
    simulator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="amaranth, icarus or verilator; without it verilator where it is installed, else "
            "amaranth.",
        ),
    ] = None,
    waves: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Record every signal in a .vcd or .fst file."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Run a layer on the RTL, on real data, and compare all levels.

    Of layers from .onnx and .tflite files also the output, which their post-processing program
    makes of the sums of the RTL.
    """
    from accelsim.cosimulation import cosim as cosimulate
    from accelsim.report import table

    check_outputs({"--waves": waves, "--json": json}, network, hardware, data)
    record = None if waves is None else Path(waves)
    net = load_network(network, variant, input_size, csv_form, form, skip_zeros)
    if hardware is None and array is None:
        array = COSIM_ARRAY
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    check_rtl(design, hardware)
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow.cosim import installed_simulator, level
        from rtl.flow.post import post_level

        if simulator is None:
            simulator = installed_simulator()
        run_rtl = level(design, simulator, record, progress)
        progress("computing the layer's values", 0.0)
        inputs = read_inputs(data, net)
        comparison = cosimulate(
            *(net, layer, design, run_rtl, dataflow, seed, depthwise_on, batch, inputs),
            run_post=post_level(progress),
        )
    write_json(json, lambda: comparison.to_dict(simulator))
    if json != STDOUT:
        batched = of_batch(comparison.batch)
        say(f"{net.name} {net.variant}{batched}, {design.label}, layer {layer}", "")
        show(table.levels(comparison))
        used = comparison.dataflow
        mode = f"in dataflow {used}" if used else f"on engine {comparison.engine}"
        passes = counted(comparison.passes, "pass", "passes")
        say(
            "",
            f"{passes} {mode}, {counted(comparison.values, 'value')}, "
            f"{counted(comparison.stall_cycles, 'stall')}, simulator {simulator}.",
            *table.output_notes(comparison),
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
    form: FormOption = "inference",
    dataflow: DataflowOption = "auto",
    depthwise_on: DepthwiseOnOption = "auto",
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
    batch: BatchOption = None,
    seed: SeedOption = 0,
    data: DataOption = None,
    axi_stream: Annotated[
        bool, typer.Option("--axi-stream", help="Add a wrapper whose streams are AXI4-Stream.")
    ] = False,
    post: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="Add a post-processing unit, such as 8:ort:add."),
    ] = None,
) -> None:
    """Write the Verilog of a design, and its documentation.

    Its parameters are written as JSON. With --layer also a self-checking testbench for simulators
    of your own, and what the layer sends and must return, on real data.
    """
    from accelsim.hardware import parse_post

    check_named("--output", output)
    of_layer = {
        "--variant": None if variant == "baseline" else variant,
        "--form": None if form == "inference" else form,
        "--dataflow": None if dataflow == "auto" else dataflow,
        "--depthwise-on": None if depthwise_on == "auto" else depthwise_on,
        "--input": input_size,
        "--csv-form": csv_form,
        "--batch": None if batch is None else str(batch),
        "--seed": str(seed) if seed else None,
        "--data": data,
    }
    for option, value in of_layer.items():
        if layer is None and value is not None:
            raise UnsupportedError(f"{option} is for --layer")
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    check_rtl(design, hardware)
    unit = None if post is None else parse_post(post)
    of_design = {"--hardware": hardware, "--array": array, "--depthwise": depthwise, "--post": post}
    flags = [*_overlap(overlap), *(["--axi-stream"] if axi_stream else [])]
    command = _command("accelsim rtl", of_design | {"--layer": layer} | of_layer, flags)
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow.generate import generate
        from rtl.flow.simulators import lint_command
        from rtl.post.files import MODULE

        stimulus = None
        if layer is not None:
            from accelsim import cosimulation

            source, name = _network_and_layer(layer)
            net = load_network(source, variant, input_size, csv_form, form)
            progress("computing the layer's values", 0.0)
            stimulus = cosimulation.stimulus(
                net, name, design, dataflow, seed, depthwise_on, batch, read_inputs(data, net)
            )
        written = generate(design, Path(output), progress, stimulus, command, axi_stream, unit)
    sources = [path for path in written if path.suffix == ".sv"]
    apart = [path for path in sources if path.stem == MODULE]
    say(*map(str, written), "", "To lint it:")
    for together in ([path for path in sources if path not in apart], apart):
        if together:
            say(shlex.join(lint_command(*together)))


def place_and_route(
    array: Annotated[
        str | None,
        typer.Option(metavar="RxC", help="Rows and columns, or none.  [default: 8x8]"),
    ] = None,
    depthwise: DepthwiseOption = None,
    overlap: OverlapOption = None,
    hardware: HardwareOption = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="LFE5U-25F, LFE5U-45F or LFE5U-85F.")
    ] = "LFE5U-85F",
    speed: Annotated[int, typer.Option(metavar="GRADE", help="Speed grade: 6, 7 or 8.")] = 6,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the placement.")] = 1,
    json: JsonOption = None,
) -> None:
    """Place and route a design on an ECP5: Fmax, cells, slowest path.

    Minutes for a large design. Ports are not timed: the frequency is that between registers.
    """
    check_outputs({"--json": json}, hardware)
    alone = array == "none"
    if (hardware is None and array is None) or alone:
        array = None if hardware else COSIM_ARRAY
    design = load_design(hardware, array=array, depthwise=depthwise, overlap=overlap)
    check_rtl(design, hardware)
    engines = [sizes for sizes in design.engines if not (alone and sizes.runs_all)]
    if not engines:
        raise UnsupportedError("--array none needs another engine, for instance --depthwise 4x8")
    with needs_extra_rtl(), progress_bar() as progress:
        from rtl.flow import pnr

        routed = pnr.place_and_route(engines, device, speed, seed, progress)
    write_json(json, routed.to_dict)
    if json != STDOUT:
        from accelsim.report import pnr as tables

        label = ", ".join(sizes.label for sizes in engines)
        say(f"{label} on {device}, speed grade {speed}", "")
        show(tables.used({pnr.WORDS[name]: count for name, count in routed.used.items()}))
        say("", "The slowest path:", "")
        show(tables.path(routed.path))
        say(
            "",
            f"Fmax {routed.fmax_mhz:.2f} MHz between registers (seed {seed}).",
            f"Made of gates, the logic is {routed.levels} levels deep: NAND, NOR, AOI, OAI and",
            "inverters between registers, memories and ports, without wires and in no process.",
        )


def _overlap(overlap: bool | None) -> list[str]:
    """The flag as it was given."""
    return [] if overlap is None else ["--overlap" if overlap else "--no-overlap"]


def _command(name: str, options: dict[str, str | None], flags: list[str]) -> str:
    """A command as text that is the same on every machine: of files only their names."""
    words = [name]
    for option, value in options.items():
        if value is not None:
            words += [option, shlex.quote(Path(value).name)]
    return printable(" ".join((*words, *flags)))


def _network_and_layer(text: str) -> tuple[str, str]:
    """The two halves of NETWORK:NAME."""
    network, _, layer = text.partition(":")
    if not (network and layer):
        raise UnsupportedError(
            f"--layer must be NETWORK:NAME, for instance mobilenet_v2:stem, not {text!r}"
        )
    return network, layer
