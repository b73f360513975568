"""Mutants that change nothing that is promised, each with the reason, in equivalent.toml."""

import tomllib
from pathlib import Path

FILE = Path(__file__).with_name("equivalent.toml")


def reasons() -> dict[tuple[str, str, str], str]:
    """Reason by path, lines before and lines after."""
    entries = tomllib.loads(FILE.read_text())["mutant"]
    return {(entry["path"], entry["before"], entry["after"]): entry["reason"] for entry in entries}
