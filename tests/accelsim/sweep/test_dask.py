"""The same sweep on a real cluster of processes, with workers that are killed."""

import os
import random
import signal
import socket
import threading
import warnings

import pytest

from accelsim import sweep
from accelsim.cli import main
from accelsim.errors import AccelsimError
from tests.accelsim.sweep.specs import CHEAP, spec

PARTS = 40
TEXT = f"part_points = {15000 // PARTS}\n" + CHEAP.replace("[1, 2, 4, 8, 16, 32]", "[8]")


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a package that we do not keep
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as made:
            yield made


def whole(tmp_path):
    sweep.run(spec(tmp_path, TEXT), tmp_path / "local")
    return sweep.load(tmp_path / "local")


def test_a_cluster_gives_the_same_rows(tmp_path, cluster):
    expected = whole(tmp_path)
    done = sweep.run(
        spec(tmp_path, TEXT),
        tmp_path / "out",
        executor=sweep.DaskExecutor(cluster.scheduler_address),
    )
    assert done.rows == len(expected)
    assert sweep.load(tmp_path / "out").equals(expected)


def test_nothing_is_lost_with_workers_killed_in_the_middle(tmp_path, cluster):
    expected = whole(tmp_path)
    asked = spec(tmp_path, TEXT)
    moments, killed = random.Random(6), []

    def kill_now_and_then(what: str, done: int, total: int) -> None:
        if what == "points" and 0 < done < total and moments.random() < 0.2 and len(killed) < 5:
            workers = [worker.pid for worker in cluster.workers.values() if worker.pid]
            if workers:
                killed.append(moments.choice(workers))
                os.kill(killed[-1], signal.SIGKILL)

    executor = sweep.DaskExecutor(cluster.scheduler_address)
    sweep.run(asked, tmp_path / "out", executor=executor, progress=kill_now_and_then)
    assert killed
    assert sweep.load(tmp_path / "out").equals(expected)


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{}", "nowhere", "tcp://"])
def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch, address):
    monkeypatch.setattr("accelsim.sweep.executors.SECONDS", 1.0)
    asked = spec(tmp_path, TEXT)
    where = address.format(free_port())
    with pytest.raises(AccelsimError, match=f"the scheduler {where} does not answer"):
        sweep.run(asked, tmp_path / "out", executor=sweep.DaskExecutor(where))
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_listens_and_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("accelsim.sweep.executors.SECONDS", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        where = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(AccelsimError, match="does not answer"):
            sweep.run(spec(tmp_path, TEXT), tmp_path / "out", executor=sweep.DaskExecutor(where))


def test_something_else_that_speaks_first_is_not_a_scheduler(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def greet() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.0\r\n")

        speaker = threading.Thread(target=greet)
        speaker.start()
        where = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(
            AccelsimError, match="does not answer: what listens there is not a sched"
        ):
            sweep.run(spec(tmp_path, TEXT), tmp_path / "out", executor=sweep.DaskExecutor(where))
        speaker.join()
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_workers(tmp_path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr("accelsim.sweep.executors.SECONDS", 1.0)
    with LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        executor = sweep.DaskExecutor(empty.scheduler_address)
        with pytest.raises(AccelsimError, match="has no workers"):
            sweep.run(spec(tmp_path, TEXT), tmp_path / "out", executor=executor)


def test_a_cluster_that_ends_in_the_middle_loses_nothing(tmp_path):
    from distributed import LocalCluster

    expected = whole(tmp_path)
    asked = spec(tmp_path, TEXT)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as short:

        def end(what: str, done: int, total: int) -> None:
            if what == "points" and done > 0:
                short.close()

        executor = sweep.DaskExecutor(short.scheduler_address)
        with pytest.raises(AccelsimError, match="--resume goes on"):
            sweep.run(asked, tmp_path / "out", executor=executor, progress=end)
    done = sweep.run(asked, tmp_path / "out", resume=True)
    assert 0 < done.rows < done.points
    assert sweep.load(tmp_path / "out").equals(expected)


def test_a_worker_with_other_sources_is_refused(tmp_path, cluster, monkeypatch):
    monkeypatch.setattr("accelsim.sweep.executors.sources_sha256", lambda: "0" * 64)
    executor = sweep.DaskExecutor(cluster.scheduler_address)
    with pytest.raises(AccelsimError, match="another state of accelsim"):
        sweep.run(spec(tmp_path, TEXT), tmp_path / "out", executor=executor)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "dask"], "engine dask needs --scheduler ADDRESS"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler is for engine dask, not local"),
        *(
            (
                ["--engine", "dask", "--scheduler", address],
                f"--scheduler must be an address such as tcp://127.0.0.1:8786, not {address!r}",
            )
            for address in ("", "nowhere", "foo://x:1", "tls://x:1", "inproc://x", "tcp://x:abc")
        ),
        (["--engine", "spark"], "engine must be one of local, dask, not 'spark'"),
    ],
)
def test_the_command_line_refuses(tmp_path, capsys, options, message):
    spec(tmp_path, TEXT)
    with pytest.raises(SystemExit) as end:
        main(["sweep", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "out"), *options])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
