"""Tries mutants: a copy of the tree for each worker, pytest on the tests of a file."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutation.operators import Mutant
from tests.mutation.targets import concerned

# Of the time of the processor, so that other work on the machine kills no mutant: seconds, and
# times what the tests take without an error.
LEAST_LIMIT, LIMIT = 30, 3
PASSED, FAILED, INTERRUPTED = 0, 1, 2  # exit statuses of pytest
NOT_COPIED = shutil.ignore_patterns(".*", "build", "notebooks")


class Log:
    """What is known of mutants, one JSON object a line."""

    def __init__(self, path: Path, top: Path) -> None:
        self._path, self._top = path, top
        self._verdicts: dict[str, str] = {}
        self._keys: dict[Mutant, str] = {}  # as the files were when they were looked at
        if path.is_file():
            lines = (json.loads(line) for line in path.read_text().splitlines())
            self._verdicts = {line["key"]: line["verdict"] for line in lines}

    def verdict(self, mutant: Mutant) -> str | None:
        """killed, timeout, survived or stillborn; None where it has not been tried."""
        return self._verdicts.get(self._key(mutant))

    def note(self, mutant: Mutant, verdict: str) -> None:
        """Remember a verdict, at once on disk."""
        key = self._key(mutant)
        self._verdicts[key] = verdict
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": key, "verdict": verdict}) + "\n")

    def _key(self, mutant: Mutant) -> str:
        """Of the changed file: whatever else changes in it makes another mutant."""
        if mutant not in self._keys:
            source = mutant.applied((self._top / mutant.path).read_bytes())
            digest = hashlib.sha256(source).hexdigest()[:16]
            self._keys[mutant] = f"{mutant.path} {digest}"
        return self._keys[mutant]


class Copy:
    """A copy of the tree, in which one mutant at a time is planted."""

    def __init__(self, top: Path, place: Path) -> None:
        shutil.copytree(top, place, ignore=NOT_COPIED)
        self._place = place

    def clocked(self, tests: tuple[str, ...]) -> float:
        """Seconds of the tests without an error, compiling too; RuntimeError if they fail."""
        before = os.times()
        status, output = self._pytest(tests)
        if status != PASSED:
            raise RuntimeError(f"without an error, the tests fail:\n{output}")
        after = os.times()
        return after.children_user + after.children_system - sum(before[2:4])

    def verdict(self, mutant: Mutant, limit: int) -> str:
        """What the tests of its file say."""
        file = self._place / mutant.path
        source, stamp = file.read_bytes(), file.stat()
        file.write_bytes(mutant.applied(source))
        try:
            status, output = self._pytest(concerned(mutant.path), limit)
        finally:
            # With its old time it is the file that compiled kernels are kept of.
            file.write_bytes(source)
            os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        if "StillbornError" in output:
            return "stillborn"
        if status < 0:
            return "timeout"
        if status not in (PASSED, FAILED, INTERRUPTED):
            raise RuntimeError(f"pytest ends with {status}:\n{output}")
        return "survived" if status == PASSED else "killed"

    def _pytest(self, tests: tuple[str, ...], limit: int | None = None) -> tuple[int, str]:
        """Exit status, negative where it takes too long, and what is printed.

        With a limit, in seconds, kernels are those of a mutant, and not kept.
        """
        command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-n", "0", "--tb=line", *tests]
        environment = {**os.environ, "PYTHONPATH": str(self._place)}
        with tempfile.TemporaryDirectory() as kernels:
            if limit is not None:
                environment["NUMBA_CACHE_DIR"] = kernels
                command = ["bash", "-c", f'ulimit -t {limit} && exec "$@"', "bash", *command]
            done = subprocess.run(
                command,
                cwd=self._place,
                env=environment,
                capture_output=True,
                check=False,
                text=True,
            )
        return done.returncode, done.stdout + done.stderr


def run(top: Path, tried: list[Mutant], jobs: int, log: Log) -> None:
    """Verdicts of all mutants into the log."""
    if not tried:
        return
    with tempfile.TemporaryDirectory(prefix="accelsim-mutants-") as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for job in range(jobs):
            copies.put(Copy(top, Path(folder) / str(job)))
        limits = _limits(copies, tried)

        def one(mutant: Mutant) -> None:
            copy = copies.get()
            try:
                verdict = copy.verdict(mutant, limits[concerned(mutant.path)])
            finally:
                copies.put(copy)
            log.note(mutant, verdict)
            print(f"{verdict:10}{mutant.path}:{mutant.line} {mutant.operator}", flush=True)

        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(one, tried):
                pass


def _limits(copies: "SimpleQueue[Copy]", tried: list[Mutant]) -> dict[tuple[str, ...], int]:
    """Seconds that the tests of each file may take."""
    copy = copies.get()
    every = dict.fromkeys(concerned(mutant.path) for mutant in tried)
    limits = {tests: LEAST_LIMIT + round(LIMIT * copy.clocked(tests)) for tests in every}
    copies.put(copy)
    return limits
