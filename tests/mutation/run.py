"""Tries mutants: a copy of the tree for each worker, pytest on the tests of a file."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from tests.mutation import plugin
from tests.mutation.operators import Mutant
from tests.mutation.targets import concerned

PASSED, FAILED, INTERRUPTED = 0, 1, 2  # exit statuses of pytest
NOT_COPIED = shutil.ignore_patterns(".*", "build", "notebooks")


class Log:
    """What is known of mutants, one JSON object a line."""

    def __init__(self, path: Path, top: Path) -> None:
        self._path, self._top = path, top
        self._verdicts: dict[str, str] = {}
        self._keys: dict[Mutant, str] = {}  # as the files were when they were looked at
        self._noticed: dict[str, list[str]] = defaultdict(list)  # tests by file, the last one last
        lines = path.read_text().splitlines() if path.is_file() else []
        for line in map(json.loads, lines):
            self._remember(line["key"], line["verdict"], line.get("by"))

    def verdict(self, mutant: Mutant) -> str | None:
        """killed, timeout, survived or stillborn; None where it has not been tried."""
        return self._verdicts.get(self._key(mutant))

    def noticed(self, path: str) -> list[str]:
        """Tests that have noticed errors in a file, the last one first, none twice."""
        return list(dict.fromkeys(reversed(self._noticed[path])))

    def note(self, mutant: Mutant, verdict: str, by: str | None) -> None:
        """Remember a verdict, and the test that failed, at once on disk."""
        key = self._key(mutant)
        self._remember(key, verdict, by)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": key, "verdict": verdict, "by": by}) + "\n")

    def _remember(self, key: str, verdict: str, by: str | None) -> None:
        self._verdicts[key] = verdict
        if by is not None:
            self._noticed[key.split(maxsplit=1)[0]].append(by)

    def _key(self, mutant: Mutant) -> str:
        """Of the changed file: whatever else changes in it makes another mutant."""
        if mutant not in self._keys:
            source = mutant.applied((self._top / mutant.path).read_bytes())
            digest = hashlib.sha256(source).hexdigest()[:16]
            self._keys[mutant] = f"{mutant.path} {digest}"
        return self._keys[mutant]


class Outcome(NamedTuple):
    """What pytest says: its exit status, negative where it takes too long, and what it prints.

    test : the one that fails or takes too long; None where all pass, or cannot be imported.
    """

    status: int
    output: str
    test: str | None


class Copy:
    """A copy of the tree, in which one mutant at a time is planted.

    Without an error a test must pass. That is made sure of only once it has noticed one, since most
    never do.
    """

    def __init__(self, top: Path, place: Path) -> None:
        shutil.copytree(top, place, ignore=NOT_COPIED)
        self._place = place
        self._server = Server()
        self._seconds: dict[str, float] = {}
        self._sound: set[tuple[str, ...]] = set()

    def verdict(self, mutant: Mutant, first: list[str]) -> tuple[str, str | None]:
        """What the tests of its file say, and which one said it; `first` come first."""
        tests = concerned(mutant.path)
        file = self._place / mutant.path
        source, stamp = file.read_bytes(), file.stat()
        file.write_bytes(mutant.applied(source))
        try:
            done = self._pytest(tests, first)
        finally:
            # With its old time it is the file that bytecode and kernels are kept of.
            file.write_bytes(source)
            os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        if "StillbornError" in done.output:
            return "stillborn", None
        if done.status not in (PASSED, FAILED, INTERRUPTED) and done.status >= 0:
            raise RuntimeError(f"pytest ends with {done.status}:\n{done.output}")
        if done.status == PASSED:
            return "survived", None
        self._make_sure_of((*tests, "--collect-only") if done.test is None else (done.test,))
        return ("timeout" if done.status < 0 else "killed"), done.test

    def _make_sure_of(self, tests: tuple[str, ...]) -> None:
        """RuntimeError where tests fail without an error."""
        if tests in self._sound:
            return
        done = self._pytest(tests, [])
        if done.status != PASSED:
            said = f"{done.test} ends with {done.status}:\n{done.output}"
            raise RuntimeError(f"without an error, the tests fail: {said}")
        self._sound.add(tests)

    def _pytest(self, tests: tuple[str, ...], first: list[str]) -> Outcome:
        arguments = ["-x", "-q", "-n", "0", "--tb=line", "-p", plugin.__name__, *tests]
        with tempfile.TemporaryDirectory() as folder:
            plan, output = Path(folder) / "plan.json", Path(folder) / "output"
            told = {"first": first, "seconds": self._seconds, "test": None}
            plan.write_text(json.dumps(told))
            request = {
                "place": str(self._place),
                "arguments": arguments,
                "environment": {"PYTHONPATH": str(self._place), plugin.VARIABLE: str(plan)},
                "output": str(output),
            }
            status = self._server.ask(request)
            left = json.loads(plan.read_text())
            said = output.read_text()
        self._seconds |= left["seconds"]
        return Outcome(status, said, left["test"])


class Server:
    """A process that runs pytest without starting anew."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, request: dict[str, Any]) -> int:
        """Exit status of a run."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        print(json.dumps(request), file=asked, flush=True)
        return int(answers.readline())


def run(top: Path, tried: list[Mutant], jobs: int, log: Log) -> None:
    """Verdicts of all mutants into the log."""
    with tempfile.TemporaryDirectory(prefix="accelsim-mutants-") as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for job in range(min(jobs, len(tried))):
            copies.put(Copy(top, Path(folder) / str(job)))

        def one(mutant: Mutant) -> None:
            copy = copies.get()
            try:
                verdict, by = copy.verdict(mutant, log.noticed(mutant.path))
            finally:
                copies.put(copy)
            log.note(mutant, verdict, by)
            print(f"{verdict:10}{mutant.path}:{mutant.line} {mutant.operator}", flush=True)

        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(one, tried):
                pass
