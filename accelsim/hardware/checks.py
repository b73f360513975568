"""What every record of sizes checks when it is made."""

from typing import Any

from accelsim.errors import HardwareError


def check_whole(what: str, value: Any, low: int, high: int) -> None:
    """HardwareError where the value is no whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise HardwareError(f"{what} must be a whole number from {low} to {high}, not {value!r}")
