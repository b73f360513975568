"""The share of mutants that the tests notice, and those that they do not."""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from tests.mutation.operators import Mutant
from tests.mutation.run import Log

NOTICED = ("killed", "timeout")


def report(asked: list[Mutant], equivalent: Mapping[tuple[str, str, str], str], log: Log) -> int:
    """Print both, the share by folder and by file; 1 if a mutant has survived."""
    by_file: dict[str, Counter[str]] = {}
    by_folder: dict[str, Counter[str]] = {}
    survivors = []
    for mutant in sorted(asked, key=lambda mutant: (mutant.path, mutant.start, mutant.new)):
        known = (mutant.path, mutant.before, mutant.after) in equivalent
        verdict = "equivalent" if known else log.verdict(mutant) or "not tried"
        folder = PurePosixPath(mutant.path).parent.as_posix()
        by_file.setdefault(mutant.path, Counter())[verdict] += 1
        by_folder.setdefault(folder, Counter())[verdict] += 1
        if verdict == "survived":
            survivors.append(mutant)
    for mutant in survivors:
        print(f"{mutant.path}:{mutant.line} {mutant.operator}")
        print(f"  - {mutant.before}\n  + {mutant.after}")
    for name, group in ("file", by_file), ("folder", by_folder):
        print(f"\n{name:52}{'killed':>8}{'survived':>10}{'equivalent':>12}{'share':>8}")
        for path, counts in group.items():
            print(_line(path, counts))
    print(_line("all", sum(by_file.values(), Counter())))
    return int(bool(survivors))


def _line(name: str, counts: Counter[str]) -> str:
    """Of those that change behaviour; stillborn ones are no mutants."""
    killed = sum(counts[verdict] for verdict in NOTICED)
    tried = killed + counts["survived"]
    share = f"{killed / tried:8.1%}" if tried else f"{'-':>8}"
    return f"{name:52}{killed:8}{counts['survived']:10}{counts['equivalent']:12}{share}"
