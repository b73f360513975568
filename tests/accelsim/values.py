"""A layer of a network of ours on the data that it has there."""

from typing import NamedTuple

from accelsim.graph.evaluate import golden, walk
from accelsim.quantised import with_values


class OnLayer(NamedTuple):
    """What multipliers see, [c, h, w] each, and the golden sums int32[k, oh, ow]."""

    inputs: tuple
    weights: object
    sums: object


def on_layer(network, name, seed=0, image=0):
    whole = with_values(network, seed)
    seen = []

    def note(node, every):
        sums = golden(node, every)
        if node.name == name:
            seen.append(OnLayer(every[0].maps[0], every[0].weights, sums[0][0]))
        return sums

    for node, _ in walk(whole.graph, (whole.seeded(seed, image),), note):
        if node.name == name:
            break
    return seen[0]
