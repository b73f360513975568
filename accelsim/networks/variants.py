"""Variants: transforms that replace layers of a network."""

from typing import NamedTuple

from accelsim.checks import suggestion
from accelsim.errors import NetworkError
from accelsim.graph.network import GraphNetwork
from accelsim.ir import BaseNetwork, Network
from accelsim.networks import fuse
from accelsim.networks.fuse import NO_RULES, Rules
from accelsim.networks.xsep import xsep

BASELINE = "baseline"
# ddc is of networks with context modules, whose definitions make it.
VARIANTS = (BASELINE, *fuse.VARIANTS, "xsep", "ddc")
KEYS = {"xsep": ("k",)}  # the keys of those that take any

__all__ = ["BASELINE", "KEYS", "VARIANTS", "Rules", "Variant", "apply", "parse"]


class Variant(NamedTuple):
    """A variant as the user writes it, NAME[:key=value,...], in parts."""

    name: str
    keys: tuple[tuple[str, str], ...]


def parse(text: str) -> Variant:
    """The parts of NAME[:key=value,...]; NetworkError where it does not exist."""
    if not isinstance(text, str):
        raise NetworkError(f"variant must be one of {', '.join(VARIANTS)}, not {text!r}")
    name, colon, rest = text.partition(":")
    if name not in VARIANTS:
        raise NetworkError(
            f"there is no variant {name!r}; there are {', '.join(VARIANTS)}"
            f"{suggestion(VARIANTS, name)}"
        )
    allowed = KEYS.get(name, ())
    keys: list[tuple[str, str]] = []
    for item in rest.split(",") if colon else []:
        key, equals, value = item.partition("=")
        if not (key and equals and value):
            raise NetworkError(f"variant {text!r} must read NAME[:key=value,...]")
        if key not in allowed:
            takes = f"only the keys {', '.join(allowed)}" if allowed else "no keys"
            raise NetworkError(f"variant {name} takes {takes}, not {key!r}")
        if key in dict(keys):
            raise NetworkError(f"variant {text!r} gives {key} twice")
        keys.append((key, value))
    return Variant(name, tuple(keys))


def apply(network: BaseNetwork, variant: str, rules: Rules = NO_RULES) -> Network:
    """The network with its layers replaced as the variant says."""
    name, keys = parse(variant)
    if not isinstance(network, Network):
        raise NetworkError(
            f"variant {name} replaces layers of a graph, and {network.name} is a list of "
            "independent layers"
        )
    if name == BASELINE:
        return network
    if isinstance(network, GraphNetwork):
        network = network.without_values()
    if name == "xsep":
        return xsep(network, variant, _kernel(dict(keys).get("k")))
    if name == "ddc":
        raise NetworkError(f"variant ddc replaces context modules, and {network.name} has none")
    return fuse.fuse(network, name, rules)


def _kernel(text: str | None) -> int | None:
    """K of XSepConv; None where it is not given."""
    if text is None:
        return None
    kernel = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if kernel < 3 or kernel % 2 == 0:
        raise NetworkError(f"key k of variant xsep must be an odd number from 3 to 999, not {text}")
    return kernel
