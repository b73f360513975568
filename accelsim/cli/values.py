"""Values of a network: data that go in, outputs that come out, and a runtime's beside them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from accelsim.cli.common import fail, say, show
from accelsim.errors import FileError, UnsupportedError

if TYPE_CHECKING:
    from accelsim.ir import BaseNetwork
    from accelsim.result import Result
    from accelsim.runtimes.differences import Comparison


class Wanted(NamedTuple):
    """What the options say of values.

    data : a file with what goes in.
    output, layers : a file for what comes out, and whether for what is between the layers too.
    compare : a runtime.
    """

    data: str | None
    output: str | None
    layers: bool
    compare: str | None

    @property
    def any(self) -> bool:
        """Whether values are asked for."""
        return bool(self.data or self.output or self.layers or self.compare)

    def fidelity(self, given: str | None) -> str:
        """The one that is given, else the least that has what is asked for."""
        from accelsim.request import GOLDEN, SCHEDULE

        return given or (GOLDEN if self.any else SCHEDULE)

    def check(self, path: str, requests: int) -> None:
        """Refuse what makes no sense, before any work."""
        if not self.any:
            return
        if requests > 1:
            raise UnsupportedError(
                "--data, --output and --compare are for one network on one design"
            )
        if self.layers and self.output is None:
            raise UnsupportedError("--output-layers is for --output, which says where to")
        if self.output is not None and Path(self.output).suffix.lower() != ".npz":
            raise FileError(f"{self.output} must end in .npz, a file of arrays by name")
        if self.compare is not None:
            from accelsim.runtimes import check_runtime

            check_runtime(self.compare, path)

    def check_batch(self, network: "BaseNetwork", batch: int) -> None:
        """Refuse a batch that is none of the tensors that are read or written."""
        if self.any and batch != network.batch:
            raise UnsupportedError(
                f"--data, --output and --compare are of tensors as {network.name} has them, with "
                f"batch {network.batch}, not {batch}"
            )

    def compared(self, path: str, result: "Result") -> "Comparison | None":
        """What the runtime made, beside the values of a result."""
        if self.compare is None:
            return None
        from accelsim.graph.network import GraphNetwork
        from accelsim.runtimes import compare

        assert isinstance(result.graph, GraphNetwork)
        assert result.values is not None
        return compare(self.compare, path, result.graph, result.values)

    def write(self, result: "Result") -> None:
        """Write what came out."""
        if self.output is None:
            return
        from accelsim.arrays import write_npz

        assert result.values is not None
        assert result.values.outputs is not None
        between = (result.values.tensors or {}) if self.layers else {}
        write_npz(self.output, {**result.values.outputs, **between})


def read_inputs(data: str | None, network: "BaseNetwork") -> dict[str, Any] | None:
    """What the file of --data holds, by the names of the network's inputs; None without one."""
    if data is None:
        return None
    from accelsim.data import read_data
    from accelsim.ir import Network

    if not isinstance(network, Network):
        raise UnsupportedError(
            f"--data is for networks of one graph, and {network.name} is a list of layers"
        )
    return dict(read_data(data, network))


def show_comparison(comparison: "Comparison") -> None:
    """Print how tensors compare."""
    from accelsim.report import values

    say("")
    show(values.table(comparison))
    say("", *values.notes(comparison))


def fail_where_wrong(comparison: "Comparison | None") -> None:
    """End with status 1 where a tensor is beyond what is allowed."""
    if comparison is not None and comparison.wrong:
        names = ", ".join(comparison.wrong)
        fail(f"values differ from {comparison.oracle.runtime} in {names}")
