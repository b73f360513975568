"""Network files: what they mean, and every way in which they can be wrong."""

import re
from contextlib import suppress
from dataclasses import MISSING
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError, AccelsimWarning, FileError, UnsupportedError
from accelsim.importers import load
from accelsim.importers.toml import OPERATORS, defaults, find_operator
from accelsim.ir import Layer, Network
from accelsim.ops import (
    MACROS,
    OPS,
    Activation,
    Add,
    ChannelShuffle,
    Concat,
    Conv2d,
    ConvTranspose2d,
    DdcContext,
    Depthwise,
    DynamicDepthwise,
    FusePair,
    GlobalPool,
    InceptionDepthwise,
    LayerNorm,
    Linear,
    Matmul,
    MixConv,
    ParallelDepthwise,
    Pointwise,
    Pool,
    Resize,
    Scale,
    Slice,
    SqueezeExcite,
    SshContext,
    XSepConv,
)

PROBE = """\
name = "probe"
input = [3, 17, 19]                       # c, h, w
[[layer]]
name = "stem"
op = "conv2d"
out_channels = 5
kernel = [3, 3]
stride = [2, 1]
padding = [1, 1, 0, 2]                    # top, bottom, left, right
dilation = [1, 2]
[[layer]]
name = "mix"
op = "depthwise"
kernels = [[3, 3], [1, 11], [11, 1], [5, 5], [2, 2]]   # one per channel
"""


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="probe.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def test_probe(write):
    kernels = ((3, 3), (1, 11), (11, 1), (5, 5), (2, 2))
    assert load(write(PROBE)) == Network(
        "probe",
        (3, 17, 19),
        (
            Layer("stem", Conv2d(5, (3, 3), (2, 1), (1, 1, 0, 2), (1, 2)), ("input",)),
            Layer("mix", Depthwise(kernels=kernels), ("stem",)),
        ),
    )


# What layers look like, and what they must become; test_ops writes every operator.
TABLES = (
    (
        """op = "conv2d"
        out_channels = 8
        kernel = [3, 2]
        padding = "same_tf"
        groups = 2
        bias = true
        activation = "relu"
        """,
        Conv2d(8, (3, 2), padding="same_tf", groups=2),
        (True, False, "relu"),
    ),
    (
        """op = "depthwise"
        kernel = [1, 3]
        stride = [1, 2]
        padding = 1
        dilation = [1, 2]
        multiplier = 2
        channels = [2, 5]
        norm = true
        """,
        Depthwise((1, 3), (1, 2), 1, (1, 2), 2, channels=(2, 5)),
        (False, True, "none"),
    ),
    (
        'op = "pointwise"\nout_channels = 6\nstride = [2, 1]\ngroups = 3',
        Pointwise(6, (2, 1), 3),
        (False, False, "none"),
    ),
    (
        'op = "pool"\nkind = "max"\nkernel = [2, 2]\nstride = [2, 2]\npadding = 1',
        Pool("max", (2, 2), (2, 2), 1),
        (False, False, "none"),
    ),
    ('op = "activation"\nfunction = "gelu"', Activation("gelu"), (False, False, "none")),
    ('op = "add"\ninputs = ["l4", "l4"]', Add(), (False, False, "none")),
    ('op = "concat"\ninputs = ["l5", "l4", "l3"]', Concat(), (False, False, "none")),
    ('op = "global_pool"', GlobalPool(), (False, False, "none")),
    ('op = "scale"\ninputs = ["l6", "l7"]', Scale(), (False, False, "none")),
    (
        'op = "linear"\nout_features = 10\nflatten = true',
        Linear(10, flatten=True),
        (False, False, "none"),
    ),
    ('op = "resize"\nsize = [6, 5]', Resize((6, 5)), (False, False, "none")),
    ('op = "layer_norm"', LayerNorm(), (False, False, "none")),
    ('op = "slice"\nchannels = [2, 5]', Slice((2, 5)), (False, False, "none")),
    ('op = "channel_shuffle"\ngroups = 3', ChannelShuffle(3), (False, False, "none")),
    (
        'op = "dynamic_depthwise"\nkernel = [6, 5]\ninputs = ["l13", "l12"]',
        DynamicDepthwise((6, 5)),
        (False, False, "none"),
    ),
    (
        """op = "conv_transpose2d"
        out_channels = 6
        kernel = [3, 2]
        stride = [2, 3]
        padding = [1, 0, 0, 1]
        output_padding = [1, 2]
        dilation = [1, 2]
        groups = 3
        bias = true""",
        ConvTranspose2d(6, (3, 2), (2, 3), (1, 0, 0, 1), (1, 2), (1, 2), 3),
        (True, False, "none"),
    ),
    (
        'op = "matmul"\nheads = 3\ntranspose_b = true\ninputs = ["l13", "l13"]',
        Matmul(3, transpose_b=True),
        (False, False, "none"),
    ),
)


def test_operators(write):
    text = 'name = "all"\ninput = [4, 16, 16]\nweights = "all.npz"\n'
    for index, (table, _, _) in enumerate(TABLES):
        text += f'[[layer]]\nname = "l{index}"\n{table}\n'
    path = write(text)
    network = load(path)
    assert network.weights_file == str(path.parent / "all.npz")
    for layer, (_, op, epilogue) in zip(network.layers, TABLES, strict=True):
        assert layer.op == op
        assert (layer.bias, layer.norm, layer.activation) == epilogue
    assert network.layers[0].inputs == ("input",)
    assert network.layers[1].inputs == ("l0",)
    assert network.layers[6].inputs == ("l5", "l4", "l3")


MACRO_TABLES = (
    (
        """op = "fuse_pair"
        kernel = 5
        stride = [2, 2]
        full = true
        norm = true
        activation = "relu6"
        """,
        FusePair(5, (2, 2), True, norm=True, activation="relu6"),
    ),
    (
        """op = "xsep_conv"
        kernel = 5
        stride = [2, 1]
        corner = "top_left"
        bias = true
        activation = "hswish"
        final = false
        """,
        XSepConv(5, (2, 1), "top_left", bias=True, activation="hswish", final=False),
    ),
    (
        """op = "mix_conv"
        kernels = [3, 5, 7]
        stride = [2, 2]
        padding = "same_tf"
        dilation = [1, 2]
        norm = true
        activation = "silu"
        """,
        MixConv((3, 5, 7), (2, 2), "same_tf", (1, 2), norm=True, activation="silu"),
    ),
    (
        'op = "inception_depthwise"\nband = 7\nratio = 0.25\nbias = false',
        InceptionDepthwise(band=7, ratio=0.25, bias=False),
    ),
    (
        """op = "parallel_depthwise"
        kernels = [[13, 13], [5, 5]]
        merged = true
        activation = "relu"
        """,
        ParallelDepthwise(((13, 13), (5, 5)), merged=True, activation="relu"),
    ),
    (
        'op = "squeeze_excite"\nreduced = 4\ngate = "sigmoid"\nbias = false',
        SqueezeExcite(4, gate="sigmoid", bias=False),
    ),
    (
        'op = "ssh_context"\nout_channels = 8\nnorm = true\nactivation = "relu"',
        SshContext(8, norm=True, activation="relu"),
    ),
    ('op = "ddc_context"\nout_channels = 8\nbias = true', DdcContext(8, bias=True)),
)


@pytest.mark.parametrize(("table", "op"), MACRO_TABLES, ids=[op.name for _, op in MACRO_TABLES])
def test_macro_operators_can_be_written(write, table, op):
    text = f'name = "n"\ninput = [7, 9, 8]\n[[layer]]\nname = "m"\n{table}\n'
    after = '[[layer]]\nname = "after"\nop = "global_pool"\n'
    *made, last = load(write(text + after)).layers
    assert tuple(made) == op.expand("m", ("input",), (7, 9, 8))
    assert last.inputs == ("m",)


def test_every_macro_operator_is_written():
    assert {type(op) for _, op in MACRO_TABLES} == set(MACROS)


def test_inline_tables_can_be_written(write):
    network = load(
        write(
            'name = "n"\ninput = [1, 2, 3]\n'
            'layer = [{ name = "a", op = "pointwise", out_channels = 2 }]\n'
        )
    )
    assert network.layers == (Layer("a", Pointwise(2), ("input",)),)


def test_the_same_name_in_two_places_is_two_files(tmp_path):
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "n.toml"
    path.write_text(PROBE.replace("[3, 17, 19]", '[3, 17, 19]\nweights = "../w.npz"', 1))
    assert load(str(path)).weights_file == str(tmp_path / "sub" / ".." / "w.npz")


def changed(old, new):
    assert PROBE.count(old) == 1
    return PROBE.replace(old, new)


WRONG = {
    # the file itself
    "": r"probe.toml is empty; it must say name, input and at least one \[\[layer\]\]",
    "# nothing\n": "probe.toml is empty",
    "name = \n": r"probe.toml is not valid TOML: .*\(at line 1, column 8\)",
    PROBE + "name = 'again'\n": r"probe.toml is not valid TOML: .*line 15",
    # keys of the file
    changed('name = "probe"\n', ""): "probe.toml:1: name is missing",
    changed("input = [3, 17, 19]", ""): "probe.toml:1: input is missing",
    'name = "n"\ninput = [1, 1, 1]\n': "probe.toml:1: layer is missing",
    'name = "n"\ninput = [1, 1, 1]\nlayer = []\n': r":3: layer must be written as \[\[layer\]\]",
    'name = "n"\ninput = [1, 1, 1]\nlayer = 3\n': r":3: layer must be written as \[\[layer\]\]",
    'name = "n"\ninput = [1, 1, 1]\nlayer = [{}, 1]\n': ":3: layer must be written as",
    'name = "n"\ninput = [1, 1, 1]\n[layer]\nx = 1\n': ":3: layer must be written as",
    changed("[3, 17, 19]", "[3, 17, 19]\ncolour = 1"): (
        "probe.toml:3: unknown key colour; allowed are name, input, layer, weights, batch, "
        "independent$"
    ),
    changed('"probe"', "5"): "probe.toml:1: name must be a text, not 5",
    changed('"probe"', '""'): "probe.toml:1: name must be a text, not ''",
    changed("[3, 17, 19]", "[3, 17]"): r":2: input must be three whole .*, not \[3, 17\]",
    changed("[3, 17, 19]", "[3, 17, 0]"): r":2: input must be three .*, not \[3, 17, 0\]",
    changed("[3, 17, 19]", "[3, 17, 1.5]"): r":2: input must be three .*, not \[3, 17, 1.5\]",
    changed("[3, 17, 19]", "[3, 1000000000, 1000000000]"): (
        ":2: input must have at most 16777216 channels and be at most 65536 a side, "
        r"not \[3, 1000000000, 1000000000\]$"
    ),
    changed("[3, 17, 19]", "[20000000, 1, 1]"): r":2: input must have .*, not \[20000000, 1, 1\]$",
    changed("[3, 17, 19]", '"3x17x19"'): ":2: input must be three .*, not '3x17x19'",
    changed("[3, 17, 19]", "[3, 17, 19]\nweights = 3"): ":3: weights must be a text, not 3",
    # keys of a layer
    changed('name = "stem"\n', ""): ":3: name is missing",
    changed('name = "stem"\n', "name = 7\n"): ":4: name must be a text, not 7",
    changed('op = "conv2d"\n', ""): r":3: op is missing",
    changed("out_channels = 5\n", ""): r":3: out_channels is missing \(layer stem\)",
    changed("out_channels = 5", "out_channels = 1000000000000"): (
        r":3: maps must have at most 16777216 channels .*, not \[1000000000000, .*\(layer stem\)"
    ),
    changed("padding = [1, 1, 0, 2]", "padding = 1000000"): (
        r":3: maps must have .* at most 65536 a side, not \[5, .*\] \(layer stem\)"
    ),
    changed("kernel = [3, 3]\n", ""): r":3: kernel is missing \(layer stem\)",
    changed("out_channels = 5", "out_channels = 5\nfilters = 5"): (
        r":7: unknown key filters; allowed are name, op, out_channels, kernel, inputs, stride, "
        r"padding, dilation, groups, mask, bias, norm, prenorm, layer_scale, activation "
        r"\(layer stem\)$"
    ),
    changed('"mix"', '"stem"'): ":12: name stem is used twice",
    changed('"mix"', '"input"'): ":12: name input is used twice",
    changed('"mix"', '"mix"\ninputs = "stem"'): ":13: inputs must be a list of .*, not 'stem'",
    changed('"mix"', '"mix"\ninputs = []'): r":13: inputs must be a list of layer names, not \[\]",
    changed('"mix"', '"mix"\ninputs = ["mix"]'): ":13: inputs must name layers before .* 'mix'",
    changed('"mix"', '"mix"\ninputs = [["stem"]]'): r":13: inputs must name .* \['stem'\]",
    changed('"mix"', '"mix"\ninputs = ["stem", "stem"]'): (
        r":13: inputs of depthwise: .* kernel of 60 values, not \[5, 9, 17\] \(layer mix\)"
    ),
    changed('"mix"', '"mix"\nbias = 1'): r":13: bias must be true or false, not 1 \(layer mix\)",
    changed('"mix"', '"mix"\nnorm = "yes"'): r":13: norm must be true or false, not 'yes'",
    changed('"mix"', '"mix"\nactivation = "tanh"'): (
        r":13: activation must be one of none, .*, not 'tanh' \(layer mix\)$"
    ),
    changed('"mix"', '"mix"\nactivation = "rellu6"'): (
        r"not 'rellu6'; did you mean relu6\? \(layer mix\)$"
    ),
    changed("stride = [2, 1]", "strides = [2, 1]"): r"\(layer stem\); did you mean stride\?$",
    changed('"mix"', '"mix"\ninputs = ["stm"]'): r":13: .* not 'stm'; did you mean stem\?$",
    changed('"mix"', '"mix"\nactivation = ["relu"]'): r":13: activation must .* \['relu'\]",
    # values of attributes
    changed("out_channels = 5", "out_channels = '5'"): (
        r":6: out_channels must be a whole number of at least 1, not '5' \(layer stem\)$"
    ),
    changed("kernel = [3, 3]", "kernel = 3"): ":7: kernel must be two whole numbers .*, not 3",
    changed("kernel = [3, 3]", "kernel = [3, 0]"): r":7: kernel must be two .*, not \[3, 0\]",
    changed("stride = [2, 1]", "stride = [2.0, 1]"): r":8: stride must be two .*, not \[2.0, 1\]",
    changed("[1, 1, 0, 2]", "[1, 1]"): r":9: padding must be 'same', .*, not \[1, 1\]",
    changed("[1, 1, 0, 2]", "'full'"): ":9: padding must be 'same', .*, not 'full'",
    changed("[1, 1, 0, 2]", "{ top = 1 }"): ":9: padding must be 'same', .*, not {'top': 1}",
    changed("dilation = [1, 2]", "dilation = [1, true]"): r":10: dilation .* \[1, True\]",
    changed(", [2, 2]]", ", [2]]"): ":14: kernels must be a list of two whole numbers",
    changed(", [2, 2]]", "]"): r":14: kernels must be one for each of the 5 channels, not 4",
    changed("[2, 2]]", "[2, 2]]\nkernel = [3, 3]"): ":15: kernel or kernels must be given",
    # shapes that do not fit
    changed("kernel = [3, 3]", "kernel = [99, 3]"): (
        r":7: kernel reach 99 is larger than the padded input 19 \(layer stem\)$"
    ),
    changed("dilation = [1, 2]", "dilation = [1, 2]\ngroups = 2"): (
        r":11: groups must divide the 3 input channels, not be 2 \(layer stem\)$"
    ),
    # macro operators
    changed('"depthwise"', '"fuse_pair"'): ":14: unknown key kernels; allowed are name, op, kernel",
    PROBE + '[[layer]]\nname = "f"\nop = "fuse_pair"\nkernel = [3, 3]\n': (
        r":18: kernel must be a whole number of at least 1, not \[3, 3\] \(layer f\)$"
    ),
    PROBE + '[[layer]]\nname = "f"\nop = "fuse_pair"\nkernel = 3\ninputs = ["mix", "mix"]\n': (
        r":19: inputs of fuse_pair: it takes 1 input, not 2 \(layer f\)"
    ),
    PROBE + '[[layer]]\nname = "f"\nop = "mix_conv"\nkernels = [3, 3.5]\n': (
        r":18: kernels must be a list of whole numbers of at least 1, not \[3, 3.5\] \(layer f\)$"
    ),
    PROBE + '[[layer]]\nname = "f"\nop = "mix_conv"\nkernels = [3, 5, 7, 9, 11, 13]\n': (
        r":18: kernels must be at most one for each of the 5 channels, not 6 \(layer f\)$"
    ),
    PROBE + '[[layer]]\nname = "f"\nop = "xsep_conv"\nkernel = 4\n': (
        r":18: kernel must be odd, not 4 \(layer f\)$"
    ),
    PROBE + '[[layer]]\nname = "f"\nop = "ssh_context"\nout_channels = 6\n': (
        r":18: out_channels must be a multiple of 4, not 6 \(layer f\)$"
    ),
    PROBE + '[[layer]]\nname = "f"\nop = "squeeze_excite"\nreduced = 2\nnorm = true\n': (
        ":19: unknown key norm; allowed are name, op, reduced, inputs, activation, gate, bias"
    ),
    changed("input =", "batch = 0\ninput ="): (
        ":2: batch must be a whole number from 1 to 65536, not 0$"
    ),
    PROBE + '[[layer]]\nname = "mix_h"\nop = "global_pool"\n[[layer]]\nname = "mix"\n'
    'op = "fuse_pair"\nkernel = 1\n': ":19: name mix_h is used twice",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=[*map(str, range(len(WRONG)))])
def test_a_wrong_file_names_file_line_and_key(write, text, message):
    path = write(text)
    with pytest.raises(FileError, match=message) as caught:
        load(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence


def test_unknown_operators_are_all_listed(write):
    text = changed('"conv2d"', '"conv3d"').replace('"depthwise"', '["depthwise"]')
    path = write(text + '[[layer]]\nname = "end"\nop = "global_pool"\n')
    with pytest.raises(UnsupportedError) as caught:
        load(path)
    sentence = str(caught.value)
    start = f"{path}: op 'conv3d' (layer stem, line 5), ['depthwise'] (layer mix, line 13) is not"
    assert sentence.startswith(start)
    assert "global_pool (" not in sentence
    assert sentence.endswith("; did you mean conv2d?")
    for op in (*OPS, *MACROS):
        assert re.search(rf"\b{op.name}\b", sentence)


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(FileError, match=r"n\.toml cannot be read: No such file or directory"):
        load(tmp_path / "n.toml")
    (tmp_path / "d.toml").mkdir()
    with pytest.raises(FileError, match=r"d\.toml cannot be read: Is a directory"):
        load(tmp_path / "d.toml")
    (tmp_path / "b.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(FileError, match=r"b\.toml cannot be read: it is not UTF-8 text"):
        load(tmp_path / "b.toml")


def test_other_endings(tmp_path):
    with pytest.raises(FileError, match=r"n\.json must end in \.toml.*, not '\.json'"):
        load(tmp_path / "n.json")


ONE_LAYER = 'name = "n"\ninput = [2, {}, {}]\n[[layer]]\nname = "a"\n'
ODD = (
    "-1",
    "1.5",
    "true",
    '"x"',
    "[]",
    "[3]",
    "[[1], [2]]",
    "[{a = 1}, 2]",
    "99999999999999999999",
    "[99999999999999999999, 3]",
    "{a = 1}",
    '["full", {a = 1}]',
    "1979-05-27",
)


@pytest.mark.filterwarnings("ignore::accelsim.errors.AccelsimWarning")
@pytest.mark.parametrize("operator", OPERATORS)
def test_whatever_a_key_is_an_error_is_a_sentence(operator, write):
    known = defaults(find_operator(operator))
    required = {key: "3" for key, default in known.items() if default is MISSING}
    square = required | ({"kernel": "[3, 3]"} if "kernel" in required else {})
    for rest, key, value in product((required, square), known, ODD):
        lines = "\n".join(f"{k} = {v}" for k, v in (rest | {key: value}).items())
        with suppress(AccelsimError):  # some are right for some
            load(write(f'{ONE_LAYER.format(9, 9)}op = "{operator}"\n{lines}\n'))


# --- defaults that elsewhere are others


@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    size=st.tuples(st.integers(4, 12), st.integers(4, 12)),
)
def test_windows_of_a_pool_touch_by_default(kernel, size):
    """As in PyTorch, TensorFlow and Keras."""
    (channels, *rows_and_columns) = Pool("average", kernel).out_shape((2, *size))
    assert channels == 2
    assert rows_and_columns == [n // k for n, k in zip(size, kernel, strict=True)]
    assert Pool("average", kernel) == Pool("average", kernel, kernel)


@pytest.mark.parametrize("size", [(1, 2), (3, 1), (4, 5)], ids=str)
def test_a_linear_layer_that_flattens_a_map_says_so(size, write):
    text = ONE_LAYER.format(*size) + 'op = "linear"\nout_features = 3\n'
    path, values = write(text), 2 * size[0] * size[1]
    warned = rf":3: linear flattens its input \[2, {size[0]}, {size[1]}\] to {values} values; "
    with pytest.warns(AccelsimWarning, match=rf"{warned}.* \(layer a\)$"):
        network = load(path)
    assert network.total_params == 3 * values
    same = load(write(text + "flatten = true\n"))
    assert same.shape("a") == network.shape("a")
    assert same.total_params == network.total_params


def test_a_linear_layer_of_a_vector_says_nothing(write):
    text = ONE_LAYER.format(1, 1) + 'op = "linear"\nout_features = 3\n'
    assert load(write(text)).layer("a").op == Linear(3)


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_keys_of_an_operator_are_those_that_files_may_have(operator, write):
    text = ONE_LAYER.format(9, 9) + f'op = "{operator}"\nwrong = 1\n'
    with pytest.raises(FileError, match="unknown key wrong") as refused:
        load(write(text))
    allowed = str(refused.value).partition("allowed are ")[2].partition(" (layer")[0].split(", ")
    assert set(allowed) == {"name", "op", "inputs", *defaults(find_operator(operator))}
