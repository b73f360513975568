"""Where the parts of a sweep are made: threads of this process, or workers of a Dask cluster."""

import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Protocol, Self

from accelsim.checks import check, one_of
from accelsim.errors import AccelsimError, MissingToolError, UnsupportedError
from accelsim.sweep.costs import Int
from accelsim.sweep.evaluate import Evaluator
from accelsim.sweep.parts import cost_part, evaluator_of, point_part
from accelsim.sweep.spec import Spec
from accelsim.sweep.store import sources_sha256

EXECUTORS = ("local", "dask")
AHEAD = 2  # parts under way for every thread or worker, so that none waits
MOST_GREETING = 1 << 20  # bytes of what a scheduler says first; it says some hundred
SECONDS = 10.0  # for a scheduler to answer, and for it to have a worker

Made = Iterator[tuple[int, bytes]]


class Executor(Protocol):
    """Makes parts, in any order, each handed out as soon as it is there."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what is under way."""

    def tabulate(self, spec: Spec, parts: Sequence[int]) -> Made:
        """These parts of the tables."""

    def evaluate(self, spec: Spec, costs: Int, parts: Sequence[int]) -> Made:
        """These parts of the rows, from the tables."""


def find_executor(name: str, scheduler: str | None = None) -> Executor:
    """The executor of a name; dask needs the address of a scheduler.

    Messages say `engine`, as the option of the command line does.
    """
    check("engine", name, one_of(EXECUTORS), UnsupportedError)
    if (name == "dask") != (scheduler is not None):
        raise UnsupportedError(
            "engine dask needs --scheduler ADDRESS, for instance tcp://127.0.0.1:8786"
            if name == "dask"
            else f"--scheduler is for engine dask, not {name}"
        )
    if scheduler is None:
        return LocalExecutor()
    if not re.fullmatch(r"(tcp://)?[^/]+:[0-9]+", scheduler):
        raise UnsupportedError(
            f"--scheduler must be an address such as tcp://127.0.0.1:8786, not {scheduler!r}"
        )
    return DaskExecutor(scheduler)


class LocalExecutor:
    """Threads of this process; the kernels run side by side, schedules take turns.

    threads : as many as the process may use processors, unless said.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))

    def __enter__(self) -> Self:
        self.pool = ThreadPoolExecutor(self.threads)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pool.shutdown(cancel_futures=True)

    def tabulate(self, spec: Spec, parts: Sequence[int]) -> Made:
        """These parts of the tables, one after another: schedules are made of Python objects."""
        for part in parts:
            yield part, cost_part(spec, part)

    def evaluate(self, spec: Spec, costs: Int, parts: Sequence[int]) -> Made:
        """These parts of the rows, from the tables."""
        evaluator = evaluator_of(spec, costs)

        def submit(part: int) -> Future[bytes]:
            return self.pool.submit(point_part, evaluator, part)

        under_way: dict[Future[bytes], int] = {}
        left = iter(parts)
        while True:
            for part in left:
                under_way[submit(part)] = part
                if len(under_way) == AHEAD * self.threads:
                    break
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()


class DaskExecutor:
    """Workers of a Dask cluster; the rows come back here, so that they share no file system.

    scheduler : its address. What a worker had under way when it died is made by another one.
    """

    def __init__(self, scheduler: str) -> None:
        self.scheduler = scheduler

    def __enter__(self) -> Self:
        try:
            self.client = _connect(self.scheduler)
        except ModuleNotFoundError as error:
            raise MissingToolError(
                f"{error.name} is missing; the extra dask brings it: pip install '.[dask]'"
            ) from None
        except (OSError, ValueError, TimeoutError) as error:
            raise AccelsimError(
                f"the scheduler {self.scheduler} does not answer: {_first_line(error)}"
            ) from None
        try:
            self.client.wait_for_workers(1, timeout=SECONDS)
        except TimeoutError:
            self.client.close()
            raise AccelsimError(f"the scheduler {self.scheduler} has no workers") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    def tabulate(self, spec: Spec, parts: Sequence[int]) -> Made:
        """These parts of the tables."""
        return self._make(_remote_cost_part, (spec,), parts)

    def evaluate(self, spec: Spec, costs: Int, parts: Sequence[int]) -> Made:
        """These parts of the rows, from the tables."""
        # A task, and not scattered: should all workers die that hold it, it is made again.
        evaluator = self.client.submit(_remote_evaluator, sources_sha256(), spec, costs)
        return self._make(_remote_point_part, (evaluator,), parts)

    def _make(
        self, make: Callable[..., bytes], arguments: tuple[object, ...], parts: Sequence[int]
    ) -> Made:
        from distributed import as_completed

        workers = len(self.client.scheduler_info()["workers"])
        left = iter(parts)
        numbers: dict[Any, int] = {}
        done = as_completed(loop=self.client.loop)

        def submit(count: int) -> None:
            for part in islice(left, count):
                future = self.client.submit(make, sources_sha256(), *arguments, part, pure=False)
                numbers[future.key] = part
                done.add(future)

        submit(AHEAD * workers)
        for future in done:
            content = self._result(future)
            submit(1)
            yield numbers.pop(future.key), content

    def _result(self, future: Any) -> bytes:
        try:
            content: bytes = future.result()
        except AccelsimError:
            raise
        except Exception as error:
            raise AccelsimError(
                f"the cluster at {self.scheduler} gave up: {_first_line(error)}; --resume goes on"
            ) from None
        return content


def _connect(scheduler: str) -> Any:
    """A client of the scheduler; OSError, ValueError or TimeoutError where it does not answer.

    A client that fails is hard to get rid of, and one may wait without end for what accepts a
    connection and is not a scheduler: so the address is tried first, and the client made aside.
    """
    from distributed import Client

    _try(scheduler)
    answer: SimpleQueue[Any] = SimpleQueue()

    def connect() -> None:
        try:
            answer.put(Client(scheduler, timeout=SECONDS, set_as_default=False))
        except Exception as error:
            answer.put(error)

    Thread(target=connect, daemon=True).start()
    try:
        said = answer.get(timeout=2 * SECONDS)
    except Empty:
        raise TimeoutError(f"nothing came within {2 * SECONDS:g} s") from None
    if isinstance(said, Exception):
        raise said
    return said


def _try(scheduler: str) -> None:
    """Wait for the first words of what listens at a TCP address: a scheduler speaks first.

    They begin with their length in eight bytes, of which a client would make room whatever it is.
    """
    from distributed.comm.addressing import parse_address, parse_host_port

    scheme, place = parse_address(scheduler)
    if scheme == "tcp":
        with socket.create_connection(parse_host_port(place), SECONDS) as connection:
            length = b""
            while len(length) < 8:
                heard = connection.recv(8 - len(length))
                if not heard:
                    raise ConnectionError("the connection was closed at once")
                length += heard
            if int.from_bytes(length, "little") > MOST_GREETING:
                raise ConnectionError("what listens there is not a scheduler of Dask")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _check(sources: str) -> None:
    if sources != sources_sha256():
        raise AccelsimError("a worker of the cluster has another state of accelsim than this one")


def _remote_cost_part(sources: str, spec: Spec, part: int) -> bytes:
    _check(sources)
    return cost_part(spec, part)


def _remote_evaluator(sources: str, spec: Spec, costs: Int) -> Evaluator:
    _check(sources)
    return evaluator_of(spec, costs)


def _remote_point_part(sources: str, evaluator: Evaluator, part: int) -> bytes:
    _check(sources)
    return point_part(evaluator, part)
