"""C simulation: a nest of loops executed iteration by iteration.

It shows what a nest computes, and counts its clocks one by one instead of by a formula.
"""

from collections.abc import Callable

from accelsim.hls.nest import Loop, Task

Indices = dict[str, int]  # of every loop around, by the loop's name


def execute(loop: Loop, work: Callable[[Indices], None], around: Indices | None = None) -> int:
    """Call `work` for every iteration of every innermost loop, in order; the clocks it takes.

    Unrolled iterations run side by side, so that a round of them takes as long as its longest. A
    round starts `pipeline` clocks after the one before it, or else when that one has ended.

    Parameters
    ----------
    loop : without tasks.
    work : takes the indices of all loops around, the innermost one included.
    """
    start = end = 0
    for first in range(0, loop.trip, loop.unroll):
        longest = 0
        for index in range(first, min(first + loop.unroll, loop.trip)):
            longest = max(longest, _iterate(loop, work, {**(around or {}), loop.name: index}))
        end = start + longest
        start = end if loop.pipeline is None else start + loop.pipeline
    return end


def _iterate(loop: Loop, work: Callable[[Indices], None], indices: Indices) -> int:
    if not loop.body:
        work(indices)
        return 1
    clocks = 0
    for node in loop.body:
        if isinstance(node, Task):
            raise ValueError(f"task {node.name} has no iterations to execute")
        clocks += execute(node, work, indices)
    return clocks
