"""The command line in this process, and a small network for it."""

import pytest

from accelsim.cli import main
from tests.accelsim.cli.outcome import Outcome
from tests.accelsim.cli.probe import PROBE


@pytest.fixture
def accelsim(capsys):
    """Runs the command line in this process."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(end.value.code or 0, out, err)

    return run


@pytest.fixture
def probe(tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(PROBE)
    return path
