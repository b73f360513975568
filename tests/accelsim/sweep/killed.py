"""Runs a sweep and kills it at a place of the work, not of the clock.

    python -m tests.accelsim.sweep.killed FOLDER FILES STEPS ARGUMENT...

SIGKILL comes when files of the sweep, in FOLDER or beside it, have been opened to write, or got
their names, so many times, and the main thread, which writes them, has then called or left so many
functions: on a slow machine it is the same place.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any

from accelsim.cli import main


def kill_after(folder: str, files: int, steps: int) -> None:
    """Let this process be killed there."""

    def step(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal steps
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal files
        written = event == "os.rename" or (event == "open" and arguments[1] == "w")
        if written and str(arguments[0]).startswith(folder):
            files -= 1
            if files == 0:
                sys.setprofile(step)

    if files == 0:
        sys.setprofile(step)
    sys.addaudithook(audit)


if __name__ == "__main__":
    folder, files, steps, *sys.argv[1:] = sys.argv[1:]
    kill_after(folder, int(files), int(steps))
    main()
