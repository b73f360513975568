"""Topology files of SCALE-Sim: what rows are, in every form, and how they can be wrong.

FIGURES are of SCALE-Sim 3.0.0 from PyPI with NumPy 1.26.4, "Total Cycles" of COMPUTE_REPORT.csv for
InterfaceBandwidth CALC and SRAMs of 1024 kB, of the topologies beside them.
"""

import pytest

from accelsim import simulate
from accelsim.errors import AccelsimWarning, FileError
from accelsim.hardware import Hardware, SystolicArray
from accelsim.importers import load
from accelsim.ops import Conv2d, Depthwise, Pointwise

HEADER = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,\n"
)
CONV = f"""{HEADER}stem,  20, 18, 3, 5,  3, 12, 2,
one,    9,  9, 3, 3, 12,  1, 1,

point,  7,  7, 1, 1, 12, 20, 1,
padDP,  8,  8, 3, 3,  4,  2, 3,
row,    6, 30, 1, 30, 1,  7, 1,
FC,     1,  1, 1, 1, 40,  6, 1,
"""
GEMM = """Layer, M, N, K,
a, 13, 21, 34,
b, 1, 5, 16,
c, 70, 3, 9,
"""
# Rows, columns, dataflow, and cycles by layer; the four channels of padDP are layers there.
FIGURES = [
    (CONV, 8, 8, "os", (1179, 853, 545, 4 * 45, 43, 53)),
    (CONV, 8, 8, "ws", (1223, 993, 425, 4 * 61, 111, 114)),
    (CONV, 8, 8, "is", (2039, 2253, 587, 4 * 95, 115, 139)),
    (CONV, 6, 10, "os", (1651, 1097, 467, 4 * 45, 43, 53)),
    (CONV, 6, 10, "ws", (1599, 1241, 275, 4 * 57, 129, 146)),
    (CONV, 6, 10, "is", (2047, 1889, 399, 4 * 43, 134, 181)),
    (GEMM, 8, 8, "os", (287, 29, 206)),
    (GEMM, 8, 8, "ws", (524, 45, 183)),
    (GEMM, 8, 8, "is", (429, 53, 449)),
    (GEMM, 6, 10, "os", (431, 29, 275)),
    (GEMM, 6, 10, "ws", (593, 62, 179)),
    (GEMM, 6, 10, "is", (491, 74, 321)),
]


@pytest.fixture
def read(tmp_path):
    """The network of a text, or of bytes, as a file net.csv."""

    def of(text, form=None):
        data = text.encode() if isinstance(text, str) else text
        (tmp_path / "net.csv").write_bytes(data)
        return load(tmp_path / "net.csv", form)

    return of


def operators(network):
    return [(layer.op, *network.in_shapes(layer)) for layer in network.layers]


@pytest.mark.parametrize(("text", "rows", "columns", "dataflow", "cycles"), FIGURES)
def test_timing_scalesim_gives_the_figures_of_scalesim(read, text, rows, columns, dataflow, cycles):
    design = Hardware(SystolicArray(rows, columns))
    result = simulate(read(text), design, dataflow, timing="scalesim")
    assert tuple(layer.cycles for layer in result.layers) == cycles


def test_rows_of_convolutions(read):
    network = read(CONV)
    assert network.name == "net"
    assert [layer.name for layer in network.layers] == [
        "stem",
        "one",
        "point",
        "padDP",
        "row",
        "FC",
    ]
    assert operators(network) == [
        (Conv2d(12, (3, 5), (2, 2)), (3, 20, 18)),
        (Depthwise((3, 3), padding=0), (12, 9, 9)),
        (Conv2d(20, (1, 1)), (12, 7, 7)),
        (Depthwise((3, 3), (3, 3), padding=0, multiplier=2), (4, 8, 8)),
        (Conv2d(7, (1, 30)), (1, 6, 30)),
        (Conv2d(6, (1, 1)), (40, 1, 1)),
    ]
    # floor((20 - 3) / 2) + 1 and floor((18 - 5) / 2) + 1, where SCALE-Sim has 10 and 8
    assert network.shape("stem") == (12, 9, 7)


def test_rows_of_products(read):
    network = read(GEMM)
    assert operators(network) == [
        (Pointwise(21), (34, 13, 1)),
        (Pointwise(5), (16, 1, 1)),
        (Pointwise(3), (9, 70, 1)),
    ]
    assert [network.macs(layer) for layer in network.layers] == [13 * 21 * 34, 5 * 16, 70 * 3 * 9]
    assert [network.params(layer) for layer in network.layers] == [21 * 34, 5 * 16, 3 * 9]


TWO = [(Conv2d(4, (3, 2), (2, 2)), (3, 9, 8)), (Conv2d(5, (1, 1)), (4, 4, 4))]
FORMS = {
    "as shipped": HEADER + "a, 9, 8, 3, 2, 3, 4, 2,\nb, 4, 4, 1, 1, 4, 5, 1,\n",
    "no last comma": HEADER + "a,9,8,3,2,3,4,2\nb,4,4,1,1,4,5,1",
    "last comma and space": HEADER + "a,9,8,3,2,3,4,2, \nb,4,4,1,1,4,5,1,,, \n",
    "blank rows": f"\n{HEADER}\n,,,,,,,,\na,9,8,3,2,3,4,2,\n   \nb,4,4,1,1,4,5,1,\n\n\n",
    "no header": "a,9,8,3,2,3,4,2,\nb,4,4,1,1,4,5,1,\n",
    "another header": "What,is,what,nobody,can,tell,of,these\na,9,8,3,2,3,4,2\nb,4,4,1,1,4,5,1\n",
    "header twice the same": HEADER.replace("Height, IFMAP", "Width, IFMAP")
    + "a,9,8,3,2,3,4,2\nb,4,4,1,1,4,5,1\n",
    "small letters": "layer name,Ifmap height,ifmap width,filter height,filter width,channels,"
    "num filters,strides,batch size,\na,9,8,3,2,3,4,2,1,\nb,4,4,1,1,4,5,1\n",
    "Windows": (HEADER + "a,9,8,3,2,3,4,2,\nb,4,4,1,1,4,5,1,\n").replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + HEADER + "a,9,8,3,2,3,4,2,\nb,4,4,1,1,4,5,1,\n",
    "tabs": (HEADER + "a,9,8,3,2,3,4,2,\nb,4,4,1,1,4,5,1,\n").replace(",", "\t"),
    "semicolons": (HEADER + "a,9,8,3,2,3,4,2,\nb,4,4,1,1,4,5,1,\n").replace(",", ";"),
    "further columns": HEADER + "a,9,8,3,2,3,4,2,#dw\nb,4,4,1,1,4,5,1,,,110,110,12100\n",
    "named columns": HEADER.rstrip("\n") + ",Target,Eh\na,9,8,3,2,3,4,2,,NPU,7\nb,4,4,1,1,4,5,1\n",
    "two strides": HEADER + "a,9,8,3,2,3,4,2,2\nb,4,4,1,1,4,5,1,1,\n",
    "strides of rows and columns": HEADER.replace("Strides", "Stride height, Stride width")
    + "a,9,8,3,2,3,4,2,2,\nb,4,4,1,1,4,5,1,,\n",
    "dense": HEADER.rstrip("\n") + " Sparsity,\na,9,8,3,2,3,4,2, 1:1,\nb,4,4,1,1,4,5,1,1,\n",
    "quotes": '"a",9,8,3,2,3,4,2,\nb,"4",4,1,1,4, "5",1,\n',
    "leading zeros": "a,09,8,3,2,3,4,2,\nb,4,4,1,1,4,5,001,\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms_of_convolutions(read, text):
    assert operators(read(text)) == TWO


@pytest.mark.parametrize(
    "text",
    [
        "Layer Name, M, N, K,\nTest 1, 256, 128, 64,",
        "Layer,M,N,K\nTest 1,256,128,64\n",
        "Layer Name, M, N, K, Sparsity,\nTest 1, 256, 128, 64, 1,\n",
        "Layer,M,N,K,FFN_up,\nTest 1,256,128,64,",
        "Layer,M,N,K,Batch\nTest 1,256,128,64,1",
        "Test 1,256,128,64",
        "Test 1,256,128,64,,,6",
    ],
)
def test_forms_of_products(read, text):
    network = read(text)
    assert operators(network) == [(Pointwise(128), (64, 256, 1))]
    assert network.layers[0].name == "Test 1"


def test_strides_of_rows_and_columns_that_differ(read):
    ((op, shape),) = operators(read(HEADER + "a,9,8,3,2,3,4,2,3,\n"))
    assert (op, shape) == (Conv2d(4, (3, 2), (2, 3)), (3, 9, 8))


def test_a_form_that_is_given_decides(read):
    text = "a,9,8,3,,3,4,2,\n"
    with pytest.raises(FileError, match=r"net\.csv:1: column 5, filter width, is missing"):
        read(text)
    assert operators(read(text, "gemm")) == [(Pointwise(8), (3, 9, 1))]
    with pytest.raises(
        FileError, match="the form of a CSV file must be one of conv, gemm, not 'mnk'"
    ):
        read(text, "mnk")
    with pytest.raises(FileError, match=r"net\.csv:1: column 5, filter width, is missing"):
        read("a,3,2,1,\n", "conv")
    assert operators(read(CONV, "conv")) == operators(read(CONV))
    with pytest.raises(FileError, match=r"csv:1: the header says that rows are conv, not gemm"):
        read(CONV, "gemm")
    with pytest.raises(FileError, match=r"csv:1: the header says that rows are gemm, not conv"):
        read(GEMM, "conv")


def test_a_batch_of_products_has_weights_for_each(read):
    for header in ("", "Layer,M,N,K,Batch\n", "Layer,M,N,K,\n"):
        network = read(header + "heads,128,128,64,12,\n")
        assert operators(network) == [(Pointwise(12 * 128, groups=12), (12 * 64, 128, 1))]
        assert network.total_macs == 12_582_912


def test_names(read):
    text = 'Conv,4,4,1,1,1,1,1\n"a, b",4,4,1,1,1,1,1\nConv,4,4,1,1,1,1,1\nConv_2,4,4,1,1,1,1,1\n'
    names = [layer.name for layer in read(text + "Conv,4,4,1,1,1,1,1\n").layers]
    assert names == ["Conv", "a, b", "Conv_3", "Conv_2", "Conv_4"]


@pytest.mark.parametrize(
    ("rows", "depthwise"),
    [
        ("a,9,9,3,3,8,1,1\nb,7,7,1,1,8,4,1", True),  # b reads eight channels
        ("a,9,9,3,3,8,1,1\nb,7,7,1,1,1,4,1", False),  # b reads the one that a makes
        ("a,9,9,3,3,8,1,1", False),
        ("a,9,9,3,3,8,1,1\nb,7,7,3,3,8,1,1\nc,5,5,1,1,8,4,1", True),
        ("a,9,9,1,1,8,1,1\nb,9,9,1,1,8,4,1", False),  # a product with one filter
        ("a,9,9,3,3,8,2,1\nb,7,7,1,1,8,4,1", False),
        ("conv2_dw,9,9,3,3,8,1,1", True),
        ("DepthwiseConv,9,9,1,1,8,1,1", True),
        ("block1.dwConv,9,9,3,3,8,1,1", True),
        ("bandwidth,9,9,3,3,8,1,1", False),
        ("a_DP,9,9,3,3,8,1,1", True),
        ("a_dp,9,9,3,3,8,1,1", False),
        ("conv_dw,9,9,3,3,1,1,1", False),  # one channel, which is the same
    ],
)
def test_which_rows_are_depthwise(read, rows, depthwise):
    assert isinstance(read(rows).layers[0].op, Depthwise) == depthwise


def test_filters_that_are_divided_make_no_depthwise_rows(read):
    """As a network of 16 filters a layer shared by 16 arrays."""
    rows = "a,9,9,3,3,3,1,1\nb,7,7,3,3,16,1,1\nc,5,5,3,3,16,1,1\nd,3,3,1,1,16,1,1"
    assert {type(layer.op) for layer in read(rows).layers} == {Conv2d}
    whole = read(rows.replace("3,3,1,1\nb", "3,3,16,1\nb"))
    assert [type(layer.op) for layer in whole.layers] == [Conv2d, Depthwise, Depthwise, Conv2d]


def test_sparse_rows_run_dense(read):
    text = HEADER + "a,9,8,3,2,3,4,2,2:4,\nb,4,4,1,1,4,5,1,4:4\nc,4,4,1,1,4,5,1,1, 1:4\n"
    with pytest.warns(AccelsimWarning, match=r"net.csv: sparsity is not modelled.*dense: a, c$"):
        network = read(text)
    assert operators(network)[:2] == TWO


def test_products_of_more_rows_than_a_map_has(read):
    network = read("a,4186116,64,9\nb,65538,1,1\n")
    assert operators(network) == [(Pointwise(64), (9, 63426, 66)), (Pointwise(1), (1, 32769, 2))]
    with pytest.raises(FileError, match=r"net.csv:1: column 2, M, .*65536.*not 65537 \(layer a\)"):
        read("a,65537,64,9\n")


ROW = "a,9,8,3,2,3,4,2,\n"
WRONG = [
    (HEADER + ROW + "b,9,,3,2,3,4,2,\n", r":3: column 3, IFMAP width, is missing \(layer b\)"),
    (HEADER + "b,9,8,3,2\n", r":2: column 6, channels, is missing \(layer b\)"),
    (HEADER + "\n\nb,\n", r":4: column 2, IFMAP height, is missing \(layer b\)"),
    (
        HEADER + ROW + "b,B,8,3,2,3,4,2",
        r":3: column 2, IFMAP height, must be a whole number of at ",
    ),
    (HEADER + "b,9,8,3,2,3,4.0,2", r":2: column 7, num filter, must be a .* not '4.0' \(layer b\)"),
    (HEADER + "b,9,8,3,2,3,4,0", r":2: column 8, strides, must be a whole .* at least 1, not '0'"),
    (HEADER + "b,9,8,3,2,-3,4,1", r":2: column 6, channels, must be a whole .*, not '-3'"),
    (HEADER + "b,9,8,3,2,3,4,1,0", r":2: column 9, stride width, must be a whole .*, not '0'"),
    (HEADER + "b,9,8,3,2,3,4,1,5:4", r":2: column 9, sparsity, must be N:M with .*, not '5:4'"),
    (
        HEADER[:-1] + "Sparsity,\na,9,8,3,2,3,4,2,1:" + 5000 * "1",
        r":2: column 9, sparsity, must be N",
    ),
    (HEADER + "b,9,8,3,2,9999999999,4,1", r":2: column 6, channels, must have at most 9 digits"),
    (HEADER + "b,9,8,3,2,200000000,4,1", r":2: maps must have at most 16777216 .* \(layer b\)"),
    (HEADER + "b,9,8,10,2,3,4,1", r":2: column 4, filter height, must be at most the 9 of its map"),
    (HEADER + "b,9,8,3,9,3,4,1", r":2: column 5, filter width, must be at most the 8 .*, not 9"),
    (HEADER + ",9,8,3,2,3,4,1", r":2: column 1, layer name, is missing$"),
    (HEADER[:-1] + "Batch Size,\na,9,8,3,2,3,4,2,4,", r":2: column 9, batch, must be 1 .*, not 4"),
    (
        HEADER[:-1] + "Stride width,\na,9,8,3,2,3,4,2,x",
        r":2: column 9, stride width, must be .*'x'",
    ),
    (HEADER[:-1] + "Sparsity,\na,9,8,3,2,3,4,2,x", r":2: column 9, sparsity, must be N:M .*'x'"),
    ("Layer,M,K,N,\na,1,2,3,\n", r":1: column 4, N, must be column 3, as SCALE-Sim reads"),
    ("Layer,M,N,K,\na,1,2,\n", r":2: column 4, K, is missing \(layer a\)"),
    ("Layer,M,N,K,\na,1,2,three,\n", r":2: column 4, K, must be a whole .*, not 'three'"),
    ("Layer,M,N,K,Batch\na,1,2,3,0,\n", r":2: column 5, batch, must be a whole .*, not '0'"),
    ("layer,time\nconv1,100\n", r":2: this is no row of a SCALE-Sim topology: .* M, N and K"),
    ("LayerID, Total Cycles, Stall Cycles,\n1,9,8,7,\n", ":1: this header is of a report or a lay"),
    ("Layer,IFMAP Height Intraline Factor,\na,1,2,3,\n", ":1: this header is of a report or a lay"),
    ("a,1,2\n", r":1: this is no row of a SCALE-Sim topology"),
    ("just text\nin lines\n", r":2: this is no row of a SCALE-Sim topology"),
    ('a,9,8,3,2,3,4,"2\n', r":1: this is no line of a CSV file: unexpected end of data"),
    ("", " is empty; it must have a row for every layer"),
    ("\n ,,,\n\n", " is empty; it must have a row for every layer"),
    (HEADER, " has a header and no layers; it must have a row for every layer"),
    (b"\x89PNG\r\n\xff\x00\x80", " cannot be read: it is not UTF-8 text"),
    (b"a,1\x00,2,3,4,5,6,7\n", r":1: (this is no line of a CSV file|column 2, .* not '1.x00')"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_said_with_line_and_column(read, text, said):
    with pytest.raises(FileError, match=rf"net\.csv{said}"):
        read(text)


def test_files_that_are_none(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match=r"folder\.csv cannot be read: Is a directory"):
        load(tmp_path / "folder.csv")
    with pytest.raises(FileError, match=r"none\.csv cannot be read: No such file"):
        load(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "w.yaml",
            "cannot be read, as files of ZigZag, Timeloop and others; use .toml, .* or .tflite",
        ),
        ("net.m", "cannot be read, as files of MAESTRO; use .toml, a network of layers, .csv"),
        (
            "net.json",
            "must end in .toml, a network of layers, .csv, a .* or .tflite, not '.json'",
        ),
    ],
)
def test_files_of_other_tools_are_refused(name, said):
    with pytest.raises(FileError, match=f"{name} {said}"):
        load(name)


def test_the_form_of_a_csv_file_is_for_no_other():
    with pytest.raises(FileError, match=r"is for \.csv, and net\.toml is none"):
        load("net.toml", "conv")
