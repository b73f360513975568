"""A plugin of pytest for the runs of mutants: which test comes when, and how long it may take.

A file of JSON, named by the variable of the environment, tells `first`, the tests that have
noticed errors of the same file, the likeliest first, and `seconds`, how long tests take, where
that is known. In its place the plugin leaves `seconds` of the tests that have passed, and the
`test` that has not.
"""

import json
import os
import signal
from pathlib import Path

import pytest
from hypothesis import Phase, settings

VARIABLE = "ACCELSIM_MUTATION"
# Of the time of the processor, so that other work on the machine kills no mutant: seconds, in
# which kernels are compiled too, and times what a test takes.
LEAST_LIMIT, LIMIT = 45, 5
STEPS = (0.05, 0.5, 5)  # seconds: of tests within a step, those of a file stay together


class Plan:
    """What is told, and what is left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        told = json.loads(path.read_text())
        self._places = {test: place for place, test in enumerate(told["first"])}
        self._known: dict[str, float] = told["seconds"]
        self._seconds: dict[str, float] = {}
        self._leave(None)

    def pytest_sessionstart(self) -> None:
        """An example that fails is enough: no simpler one is looked for."""
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutation", settings(), phases=phases)
        settings.load_profile("mutation")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._rank(item.nodeid))

    def _rank(self, test: str) -> tuple[int, int]:
        """First what has noticed errors, then the quick ones."""
        seconds = self._known.get(test, 0)
        step = sum(seconds > bound for bound in STEPS)
        return self._places.get(test, len(self._places)), step

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """With nobody to handle it, the signal ends the process, in a kernel too."""
        self._leave(item.nodeid)
        limit = LEAST_LIMIT + LIMIT * self._known.get(item.nodeid, 0)
        signal.setitimer(signal.ITIMER_PROF, limit)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK:
            self._leave(None)

    def _leave(self, test: str | None) -> None:
        passed = {name: value for name, value in self._seconds.items() if name != test}
        self._path.write_text(json.dumps({"seconds": passed, "test": test}))


def pytest_configure(config: pytest.Config) -> None:
    """Importing the tests has a limit too."""
    config.pluginmanager.register(Plan(Path(os.environ[VARIABLE])))
    signal.setitimer(signal.ITIMER_PROF, LEAST_LIMIT)
