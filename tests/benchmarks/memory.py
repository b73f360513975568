"""How much memory a program takes."""

import re
from pathlib import Path


def peak_mib() -> float:
    """The most that this program has held at once since it was started, in MiB.

    Not ru_maxrss of getrusage, which starts from what the starting program had held: here that is
    pytest, with whatever its earlier tests have left.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) / 2**10
