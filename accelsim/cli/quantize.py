"""A float ONNX file to one of integers."""

from typing import Annotated

import typer

from accelsim.cli.common import check_outputs, say
from accelsim.cli.options import InputOption, SeedOption


def quantise_file(
    model: Annotated[str, typer.Argument(metavar="FILE", help="A float .onnx file.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="The .onnx file to write.")
    ],
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Inputs to find ranges with: .npz by name, or .npy of the only one, images along "
            "the first axis.  [default: random ones]",
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="qdq, float operators between conversions; or qlinear, integers."
        ),
    ] = "qdq",
    activations: Annotated[str, typer.Option(metavar="TYPE", help="int8 or uint8.")] = "int8",
    weights: Annotated[str, typer.Option(metavar="TYPE", help="int8 or uint8.")] = "int8",
    per_channel: Annotated[
        bool,
        typer.Option(
            "--per-channel/--per-tensor", help="Scales of weights by output channel, or one."
        ),
    ] = True,
    input_size: InputOption = None,
    seed: SeedOption = 0,
) -> None:
    """Quantise a float ONNX file by onnxruntime's own quantiser.

    Ranges of activations are those of the inputs to calibrate with; random ones serve for tests.
    """
    from accelsim.find import parse_input
    from accelsim.report import table
    from accelsim.runtimes.quantiser import Settings, operators, quantise

    check_outputs({"--output": output}, model, calibration)
    settings = Settings(form, activations, weights, per_channel)
    size = None if input_size is None else parse_input(input_size)
    quantise(model, output, calibration, settings, seed, size)
    say(f"{output}: {table.listed(operators(output))}.")
