"""Random nests, and an oracle for them.

Tasks are placed one by one on absolute time, and every port keeps a calendar of its reservations.
"""

import math
from collections import defaultdict

from hypothesis import strategies as st

from accelsim.hls.nest import Loop, Section, Stage, Task

PORTS = ("x", "y", "z")


def flatten(node):
    """The tasks of a dataflow nest, in order."""
    if isinstance(node, Task):
        yield node
    else:
        for _ in range(node.trip):
            for child in node.body:
                yield from flatten(child)


def clocks(loop):
    """Clocks of a loop without tasks, iteration by iteration."""
    inside = sum(clocks(child) for child in loop.body) if loop.body else 1
    starts = range(0, loop.trip, loop.unroll)
    step = inside if loop.pipeline is None else loop.pipeline
    return max((index * step + inside for index, _ in enumerate(starts)), default=0)


class Calendar:
    """Places tasks as early as the rules of accelsim.hls.nest allow.

    reserved : of every port, the times for which it is taken, in the order of their tasks.
    starts, started, ends : of the first sections, of what may run ahead of them, of the tasks.
    """

    def __init__(self):
        self.reserved = defaultdict(list)
        self.starts = []
        self.started = []
        self.ends = []

    def place(self, step, earliest=0):
        starts = []
        pending = []
        end = 0
        soonest = max(earliest, (self.starts or [0])[-1])
        self.started.append(self.soonest(step.sections[0], soonest))
        for index, section in enumerate(step.sections):
            start = starts[-1] + section.after if starts else soonest
            for stage in section.stages:
                for port in stage.ports:
                    start = max(start, self.free(port) - stage.offset)
            starts.append(start)
            for stage in section.stages:
                begin = start + stage.offset
                finish = begin + sum(clocks(loop) for loop in stage.loops)
                end = max(end, finish + step.tail)
                until, after = stage.until or (index, 0)
                pending += [(port, begin, finish, until, after) for port in stage.ports]
            for port, begin, finish, until, after in pending:
                if until == index:
                    self.reserved[port].append((begin, max(finish, start + after)))
            pending = [entry for entry in pending if entry[3] > index]
        self.starts.append(starts[0])
        self.ends.append(end)

    def soonest(self, section, start):
        """When the clocks ahead begin, or all, where there are none: each has its port free."""
        stages = [each for each in section.stages if each.offset < (section.ahead or math.inf)]
        while any(self.free(port) > start + s.offset for s in stages for port in s.ports):
            start += 1
        return start

    def free(self, port):
        return self.reserved[port][-1][1] if self.reserved[port] else 0

    def run(self, loop, earliest=None):
        for index, step in enumerate(flatten(loop)):
            self.place(step, earliest[index] if earliest else 0)
        return max(self.ends, default=0)


@st.composite
def tasks(draw):
    """A task of one or two sections on some ports, each used once per section."""
    sections = []
    free = list(PORTS)
    two = draw(st.booleans())
    for index in range(2 if two else 1):
        stages = []
        for port in draw(st.lists(st.sampled_from(free), min_size=1, unique=True)):
            length, offset = draw(st.integers(1, 9)), draw(st.integers(0, 12))
            loops = (Loop("work", length, pipeline=draw(st.sampled_from((None, 1)))),)
            stages.append(Stage(port, loops, (port,), offset))
        after = draw(st.integers(0, 6)) if index else 0
        if two and index == 0:
            # The first stage keeps its port about until the second section begins.
            held = stages[0]
            stages[0] = held._replace(until=(1, draw(st.integers(-3, 5))))
            free.remove(held.ports[0])
        ahead = draw(st.integers(0, 6)) if index == 0 else 0
        sections.append(Section(tuple(stages), after, ahead))
    return Task("task", tuple(sections), draw(st.integers(0, 4)))


def loops(most, depth=2):
    """Dataflow nests whose loops have up to `most` trips."""
    inner = tasks() if depth == 0 else tasks() | loops(most, depth - 1)
    bodies = st.lists(inner, min_size=1, max_size=3).map(tuple)
    made = st.tuples(st.integers(0, most), bodies)
    return made.map(lambda pair: Loop("loop", *pair, dataflow=True))


def hold(port, length, offset=0):
    """A task that needs one port."""
    stage = Stage(port, (Loop("work", length, pipeline=1),), (port,), offset)
    return Task(f"{port} {length}", (Section((stage,)),))
