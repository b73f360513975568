"""Networks and layers: what is refused when they are made."""

import pytest

from accelsim import networks
from accelsim.errors import FileError, NetworkError
from accelsim.importers import load
from accelsim.ir import Layer, Network
from accelsim.ops import Add, GlobalPool

IMAGE = (3, 4, 4)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Layer(3, Add(), ("input",)), "the name of a layer is a text, not 3"),
        (
            lambda: Layer("sum", "add", ("input",)),
            "op must be an operator such as Add(), not 'ad",
        ),
        (lambda: Layer("sum", Add, ("input",)), "op must be an operator such as Add(), not <class"),
        (lambda: Layer("sum", Add(), "input"), "inputs must be a tuple of names, not 'input'"),
        (lambda: Network(3, IMAGE, ()), "the name of a network is a text, not 3"),
        (lambda: Network("net", IMAGE, ()), "layers of net must be at least one, not none"),
        (lambda: Network("net", IMAGE, GlobalPool()), "layers of a network are a tuple, not Globa"),
        (lambda: Network("net", IMAGE, (GlobalPool(),)), "a layer of a network is a Layer, not Gl"),
        (lambda: networks.resnet18((64, 64)), "variant must be one of baseline, .*, not (64, 64)"),
    ],
)
def test_wrong_types_are_refused_in_one_sentence(make, said):
    with pytest.raises(NetworkError) as caught:
        make()
    start, _, end = said.partition(".*")
    assert str(caught.value).startswith(start)
    assert end in str(caught.value)


def test_a_network_is_loaded_from_a_file_only():
    with pytest.raises(FileError, match="a network is loaded from a file, not 3"):
        load(3)
