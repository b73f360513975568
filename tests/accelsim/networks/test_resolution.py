"""Networks at other resolutions, and real values through those of mixed kernels or channels."""

import pytest

import accelsim as ax
from accelsim import networks
from accelsim.cli import main
from accelsim.errors import NetworkError, ShapeError

ARRAY = ax.Hardware(ax.SystolicArray(32, 32))
ODD = (225, 191)
MIXED = [
    ("mixnet_s", "baseline"),
    ("mixnet_m", "baseline"),
    ("mixnet_l", "baseline"),
    ("single_path_nas", "baseline"),
    ("shufflenet_v2_x1_0", "baseline"),
    ("retinaface_mnet025", "baseline"),
    ("retinaface_mnet025", "ddc"),
    ("mobilenet_v3_small", "xsep"),
    ("mobilenet_v3_small", "xsep:k=7"),
]
# A sequence is no image, the patches of a transformer must meet its edges, and a layer that reads
# the whole map has as many weights.
IMAGES = [
    definition.__name__
    for definition in networks.NETWORKS
    if definition.__name__ not in ("bert_base", "vit_b_16", "cifar_quick")
]
# Networks with a convolution or a pool without padding refuse what is smaller than their kernels.
PADDED = [
    name
    for name in IMAGES
    if not name.startswith(("convnext", "inception_next", "slak", "googlenet", "unet"))
]
PROBE = """
name = "probe"
input = [3, 9, 8]
[[layer]]
name = "mix"
op = "depthwise"
kernel = [3, 3]
padding = 0
[[layer]]
name = "se"
op = "squeeze_excite"
reduced = 2
[[layer]]
name = "fc"
op = "linear"
out_features = 7
flatten = true
"""


@pytest.mark.parametrize("name", IMAGES)
def test_every_network_runs_at_an_odd_resolution(name):
    network, usual = networks.get(name, input=ODD), networks.get(name)
    assert network.input == (3, *ODD)
    first = usual.layers[0].name
    assert network.shape(first) != usual.shape(first)
    assert network.total_params == usual.total_params
    result = ax.simulate(network, ARRAY)
    assert result.total_macs == network.total_macs > 0
    assert all(x.cycles > 0 for x in result.layers if not x.not_modelled)


@pytest.mark.parametrize("name", PADDED)
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (33, 2)], ids=str)
def test_maps_of_one_pixel(name, size):
    network = networks.get(name, input=size)
    ends = (-(-size[0] // 32), -(-size[1] // 32)) if name.startswith("retina") else (1, 1)
    assert network.shape(network.layers[-1].name)[1:] == ends
    assert network.total_params == networks.get(name).total_params
    assert ax.simulate(network, ARRAY).total_macs == network.total_macs


@pytest.mark.parametrize(
    ("name", "variant"),
    [pytest.param(*x, marks=pytest.mark.full) if x in MIXED[1:5] else x for x in MIXED],
)
def test_golden_at_full_size(name, variant):
    """Real values to the end; cycles are those of the schedule."""
    network = networks.get(name, variant)
    result = ax.simulate(network, ARRAY, fidelity="golden")
    assert result.output.shape == network.shape(network.layers[-1].name)
    assert result.output.std() > 5
    assert result.total_cycles == ax.simulate(network, ARRAY).total_cycles


@pytest.mark.parametrize(
    ("name", "variant", "layers"),
    [
        ("mixnet_s", "baseline", "b14.dw..b15.dw"),  # 3x3 to 11x11 at stride 2, groups, then 9x9
        ("mixnet_m", "baseline", "stem..b4.dw"),
        ("shufflenet_v2_x1_0", "baseline", "b4.left..b5.shuffle"),
        ("retinaface_mnet025", "ddc", "fpn3.lateral..head3.landmark"),
    ],
)
def test_register_by_register(name, variant, layers):
    network = networks.get(name, variant, (40, 33))
    result = ax.simulate(network, ARRAY, fidelity="cycle", layers=layers)
    assert result.values_equal
    assert result.total_cycles == ax.simulate(network, ARRAY, layers=layers).total_cycles


def test_kernels_beyond_the_taps_fall_to_another_dataflow():
    """Kernels of 3x3 to 11x11 in one layer."""
    network = networks.mixnet_s()
    results = [
        ax.simulate(network, ax.Hardware(ax.SystolicArray(32, 32, max_taps=taps)), layers="b14.dw")
        for taps in (10, 11)
    ]
    few, enough = (result.layers[0] for result in results)
    assert few.dataflow in ("os", "ws", "is")
    assert enough.dataflow == "rows"
    assert enough.cycles < few.cycles


def test_an_image_that_is_too_small_names_the_layer():
    with pytest.raises(ShapeError, match=r"reach 4 is larger than .* 3 \(layer stem of convnext_t"):
        networks.convnext_tiny(input=(3, 50))


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5,), (5, 5, 5), (5.0, 5), "55"])
def test_what_is_no_size(size):
    with pytest.raises(NetworkError, match="input must be a height and a width of at least 1"):
        networks.mixnet_s(input=size)


def test_an_input_has_a_largest_side():
    with pytest.raises(NetworkError, match=r"input must be at most 65536 a side, not \(9, 65537\)"):
        networks.mixnet_s(input=(9, 65537))


# --- command line


@pytest.fixture
def accelsim(capsys):
    """Runs the command line in this process: status, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return run


def test_input_of_a_network(accelsim):
    status, out, _ = accelsim("run", "retinaface_mnet025", "--variant", "ddc", "--input", "225x191")
    assert status == 0
    assert "3x225x191 > 8x113x96" in out


def test_input_of_a_file(accelsim, tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(PROBE)
    usual, other = (accelsim("run", path, *extra) for extra in ((), ("--input", "12x5")))
    assert usual[0] == other[0] == 0
    assert usual[2] == ""
    assert other[2].endswith("layer fc has 630 weights instead of 882\n")
    assert "3x9x8 > 3x7x6" in usual[1]
    assert "3x12x5 > 3x10x3" in other[1]
    status, _, err = accelsim("run", path, "--input", "2x5")
    assert status == 2
    assert err == "accelsim: kernel reach 3 is larger than the padded input 2 (layer mix)\n"
    status, _, err = accelsim("run", path, "--input", "0x5")
    assert status == 2
    assert err == "accelsim: input must be a height and a width of at least 1, not (0, 5)\n"


FOLLOWED = """
name = "probe"
input = [3, 8, 8]
[[layer]]
name = "fc1"
op = "linear"
out_features = 5
flatten = true
[[layer]]
name = "twice"
op = "resize"
factor = [2, 2]
[[layer]]
name = "up"
op = "resize"
size = [4, 4]
[[layer]]
name = "fc2"
op = "linear"
out_features = 2
flatten = true
"""


def test_an_input_that_changes_weights_says_so(accelsim, tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(FOLLOWED)
    assert accelsim("run", path)[2] == ""
    assert accelsim("run", path, "--input", "8x8")[2] == ""
    status, out, err = accelsim("run", path, "--input", "6x9")
    assert status == 0
    assert "3x6x9 > 5x1x1" in out
    assert err == (
        "accelsim: warning: probe on an input of 6x9: layer fc1 has 810 weights instead of 960; "
        "layer up keeps the size [4, 4]\n"
    )


def test_an_image_that_is_too_small_is_one_sentence(accelsim):
    status, out, err = accelsim("run", "inception_next_tiny", "--input", "5x40")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "(layer down1 of inception_next_tiny)" in err
