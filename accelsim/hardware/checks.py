"""What every record of sizes checks when it is made."""

from typing import Any

from accelsim import checks
from accelsim.errors import HardwareError


def check_whole(name: str, value: Any, least: int, most: int) -> None:
    """HardwareError where the value is no whole number from `least` to `most`."""
    checks.check(name, value, checks.whole(least, most), HardwareError)


def check_flag(name: str, value: Any) -> None:
    """HardwareError where the value is neither True nor False."""
    checks.check(name, value, checks.FLAG, HardwareError)
