"""The command line.

Every import that costs time is made by the command that needs it: `accelsim run` must show its
table in well under a second. Only this package prints; only it loads the rtl package.
"""

import gc
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from accelsim.cli import completion
from accelsim.cli.lazy import group
from accelsim.errors import INTERRUPTED, AccelsimError, AccelsimWarning
from accelsim.report.words import printable
from accelsim.version import __version__

# Unknown commands and options; Click's class, in whichever Click this Typer brings along.
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]

# Objects after which garbage is collected: most that modules and networks are made of stay.
GARBAGE = 50_000

# Every command with its place: a module here, and a function or an app of it.
COMMANDS = {
    "networks": "lists.list_networks",
    "ops": "lists.list_operators",
    "hardware": "lists.list_hardware",
    "energy": "lists.list_energy",
    "quantize": "quantize.quantise_file",
    "run": "layers.run",
    "explain": "explain.explain_layer",
    "csynth": "explain.synthesize",
    "cosim": "rtl.cosim",
    "compare": "designs.compare_designs",
    "study": "designs.study_depthwise",
    "sweep": "designs.sweep",
    "pareto": "designs.pareto_front",
    "film": "pictures.film_layer",
    "trace": "pictures.trace_layers",
    "report": "pictures.report_result",
    "rtl": "rtl.generate_rtl",
    "pnr": "rtl.place_and_route",
    "plot": "plots.app",
}

app = typer.Typer(
    cls=group(COMMANDS),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A simulator of neural-network accelerators, checked against the hardware it generates.",
)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            callback=completion.lazily("install_callback"),
            help="Let this shell complete words.",
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            callback=completion.lazily("show_callback"),
            help="Print what would be installed.",
        ),
    ] = False,
) -> None:
    if version:
        print(f"accelsim {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one sentence and exit status 2."""
    gc.set_threshold(GARBAGE)
    if sys.stdout is None:
        _refuse("standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # names may hold what a terminal cannot show
    try:
        completion.prepare()
        with _printed_warnings():
            status = app(args=arguments, prog_name="accelsim", standalone_mode=False)
        sys.stdout.flush()
    except AccelsimError as error:
        _refuse(str(error))
    except USAGE_ERROR as error:
        _refuse(error.format_message())
    except MemoryError as error:
        _refuse(f"there is not enough memory: {error}" if str(error) else "there is no memory left")
    except OSError as error:
        _drop_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        where = error.filename or "standard output"
        _refuse(f"{where} cannot be used: {error.strerror or error}")
    except SystemExit as end:
        # Rich and Click turn a broken pipe, a reader that has seen enough, into status 1.
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        _drop_output()
        sys.exit(0)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    sys.exit(status or 0)


@contextmanager
def _printed_warnings() -> Iterator[None]:
    """Print every AccelsimWarning once, as a sentence; other warnings as Python does."""
    show, told = warnings.showwarning, set()

    def tell(message: Warning | str, category: type[Warning], *where: Any, **file: Any) -> None:
        sentence = f"accelsim: warning: {printable(str(message))}"
        if not issubclass(category, AccelsimWarning):
            show(message, category, *where, **file)
        elif sentence not in told:
            told.add(sentence)
            print(sentence, file=sys.stderr)

    warnings.simplefilter("always", AccelsimWarning)  # stays: an interrupt adds filters of its own
    warnings.showwarning = tell
    try:
        yield
    finally:
        warnings.showwarning = show


def _refuse(sentence: str) -> NoReturn:
    print(f"accelsim: {printable(sentence)}", file=sys.stderr)
    sys.exit(2)


def _drop_output() -> None:
    """Let the interpreter's last flush go nowhere: the output cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
