"""The command line in this process, a small network for it, and what it wrote before."""

import pytest

from accelsim import sweep
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


@pytest.fixture(scope="package")
def written(tmp_path_factory):
    """A sweep of 16 designs, as a folder, a table and the results of two of them."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "sweep.toml").write_text(
        'networks = ["mobilenet_v3_small"]\nvariants = ["baseline", "fuse_half"]\n'
        'inputs = "64x64"\n[array]\nsize = ["4x8", "8x8", "8x16", "16x16"]\n'
        "overlap = [true, false]\n"
    )
    commands = [f"sweep {folder}/sweep.toml -o {folder}/designs"]
    for variant in ("baseline", "fuse_half"):
        name = f"mobilenet_v3_small --input 64x64 --variant {variant} --array 8x16"
        commands.append(f"run {name} --json {folder}/{variant}.json")
    for command in commands:
        with pytest.raises(SystemExit) as end:
            main(command.split())
        assert not end.value.code
    sweep.load(folder / "designs").write_csv(folder / "designs.csv")
    sweep.load(folder / "designs").write_parquet(folder / "designs.parquet")
    (folder / "damaged.parquet").write_bytes(b"PAR1" + bytes(99) + b"PAR1")
    return folder
