"""Runs pytest again and again, each time in a fork that has imported what does not change.

A program of its own: every line that it reads is a request, {"place", "arguments", "environment",
"output"}, and a line that it answers is the exit status, negative where a signal ended the run.
"""

import json
import os
import sys
import traceback
from typing import Any, NoReturn

import amaranth.sim
import numba
import numpy as np
import pytest

LOADED = amaranth.sim, numba, np  # what the forks are spared


def _session(request: dict[str, Any]) -> NoReturn:
    """pytest in its folder; its output goes to a file."""
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(request["place"])
    os.environ.update(request["environment"])
    sys.path[0] = request["place"]
    status = 1
    try:
        status = pytest.main(request["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


for line in sys.stdin:
    child = os.fork()
    if not child:
        _session(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
