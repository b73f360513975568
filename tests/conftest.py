"""Settings of the whole test run."""

import os

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")  # plots are drawn where there is no screen

# The same examples in every run, and no time limit on a machine of unknown speed.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

IN_CI = os.environ.get("CI") == "true"
# Icarus comes from the system's packages only; everything else comes from pip and must be there.
ALLOWED_SKIP = "Icarus"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that hides a missing tool into a failure, in continuous integration."""
    if not IN_CI or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if ALLOWED_SKIP not in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped, which only tests of Icarus may be: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _refuse_skip(report)
    return report
