"""Which points no other point dominates, by comparing all of them with all."""


def pareto(points):
    """Names of the points (name, *objectives) that no other one dominates; less is better."""
    return {
        name
        for name, *mine in points
        if not any(
            other != mine and all(b <= a for a, b in zip(mine, other, strict=True))
            for _, *other in points
        )
    }


def pareto_of_each(points):
    """The same of points (name, workload, *objectives), which only beat those of their workload."""
    return {
        best
        for workload in {each[1] for each in points}
        for best in pareto([(name, *rest) for name, work, *rest in points if work == workload])
    }
