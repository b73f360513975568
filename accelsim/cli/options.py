"""Arguments and options that commands share."""

from typing import Annotated

import typer

from accelsim.cli import completion

FILM_ARRAY = "16x16"  # the default of film: elements large enough to be seen
COSIM_ARRAY = "8x8"  # the default of cosim: what a simulator of RTL runs in reasonable time
NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A name that `networks` prints, a file .toml, .onnx or .tflite, or a SCALE-Sim .csv.",
        autocompletion=completion.networks,
    ),
]
NetworksArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NETWORK...",
        help="Names of `networks`, files .toml, .onnx or .tflite, or SCALE-Sim topologies .csv.",
        autocompletion=completion.networks,
    ),
]
VariantOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Such as acb:taps=3.",
        autocompletion=completion.variants,
    ),
]
FormOption = Annotated[str, typer.Option(metavar="FORM", help="inference or train.")]
InputOption = Annotated[
    str | None, typer.Option("--input", metavar="HxW", help="Size of the input image.")
]
CsvFormOption = Annotated[
    str | None,
    typer.Option(metavar="FORM", help="What rows of a .csv are: conv or gemm."),
]
SkipZerosOption = Annotated[
    bool,
    typer.Option("--skip-zeros", help="Leave out zeros of known weights."),
]
InputsOption = Annotated[
    list[str] | None, typer.Option("--input", metavar="HxW,...", help="Sizes of the input image.")
]
ArraysOption = Annotated[
    list[str] | None,
    typer.Option(metavar="RxC,...", help="Rows and columns of the array.  [default: 64x64]"),
]
ArrayOption = Annotated[
    str | None, typer.Option(metavar="RxC", help="Rows and columns of the array.  [default: 64x64]")
]
CosimArrayOption = Annotated[
    str | None,
    typer.Option(metavar="RxC", help=f"Rows and columns of the array.  [default: {COSIM_ARRAY}]"),
]
HardwareOption = Annotated[
    str | None,
    typer.Option(
        "--hardware",
        metavar="FILE",
        help="A hardware file or a preset.",
        autocompletion=completion.presets,
    ),
]
OverlapOption = Annotated[
    bool | None,
    typer.Option("--overlap/--no-overlap", help="Overlap consecutive passes.  [default: overlap]"),
]
ClockOption = Annotated[
    float | None,
    typer.Option(metavar="MHZ", help="Clock.  [default: as known of the design, or 500]"),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(metavar="A,W,B", help="KiB for maps and weights, bytes a clock; or none."),
]
EnergyOption = Annotated[
    str | None,
    typer.Option(
        "--energy",
        metavar="FILE",
        help="Energy by a table of pJ per access: 45nm, 7nm, or a .toml file.",
        autocompletion=completion.energies,
    ),
]
DataflowOption = Annotated[
    str,
    typer.Option(metavar="NAME,...", help="auto, or some of os,ws,is,rows."),
]
DepthwiseOption = Annotated[
    str | None,
    typer.Option(metavar="LxP", help="Depthwise lanes and pixels.  [default: none]"),
]
DepthwiseOnOption = Annotated[
    str,
    typer.Option(metavar="ENGINE", help="auto, array or engine."),
]
ClocksOption = Annotated[
    str | None,
    typer.Option(metavar="FIRST..LAST", help="Only these clocks of the layer, both included."),
]
LayersOption = Annotated[
    str | None, typer.Option(metavar="FIRST..LAST", help="Only these layers, both included.")
]
PlotOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Draw a plot as .png, .svg or .pdf.")
]
LayerOption = Annotated[
    str,
    typer.Option(
        "--layer",
        metavar="NAME",
        help="A layer of the network.",
        autocompletion=completion.layers,
    ),
]
BatchOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Images at once.  [default: 1]"),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Inputs: .npy of one, .npz by name.",
    ),
]
SeedOption = Annotated[int, typer.Option(metavar="N", help="Seed of weights and inputs.")]
JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE", help="Write JSON; with - print it instead of the table."
    ),
]
CsvOption = Annotated[
    str | None,
    typer.Option("--csv", metavar="FILE", help="Write CSV; with - print it instead of the table."),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="DIR|FILE", help="A folder that `sweep` wrote, or a .parquet or .csv file."
    ),
]
ResultArgument = Annotated[
    str, typer.Argument(metavar="RESULT", help="A file that `run --json FILE` wrote.")
]
MinimiseOption = Annotated[
    str | None, typer.Option(metavar="COLUMN,...", help="Columns to minimise.")
]
MaximiseOption = Annotated[
    str | None, typer.Option(metavar="COLUMN,...", help="Columns to maximise.")
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION", help='Only designs with, for instance, "rows<=64"; may be repeated.'
    ),
]
AcrossOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN,...",
        help="Let these compete too: some of network, variant, input, batch.  [default: none]",
    ),
]
MetricOption = Annotated[str, typer.Option(metavar="COLUMN", help="Column to draw.")]
ColourOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column that colours the front, such as lanes."),
]
PictureOption = Annotated[
    str,
    typer.Option("-o", "--output", metavar="FILE", help="Picture to write: .png, .svg or .pdf."),
]
