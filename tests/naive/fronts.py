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
