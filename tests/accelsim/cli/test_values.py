"""`run` with data, outputs and a runtime beside it; `quantize`; `networks --show`."""

import json
import sys
import types

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

import accelsim as ax
from accelsim.arrays import read_npz
from accelsim.runtimes.onnx_runtime import PRECISE
from tests.models import manifest

MODELS = {model.name: model for model in manifest()}
MNIST = MODELS["orig_gh_mnist_cntk"]
RESNET = MODELS["orig_tfl_mlperf_resnet8_float"]


@pytest.fixture
def two_inputs(tmp_path):
    """A file with two inputs, int8 and float32, and two outputs with names that files can have."""
    rng = np.random.default_rng(4)
    w = onnx.numpy_helper.from_array(rng.normal(size=(2, 3, 1, 1)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["a", "w"], ["/conv/out:0"]),
        helper.make_node("Relu", ["b"], ["file"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "two",
        [value("a", 1, [1, 3, 4, 4]), value("b", 3, [2, 5])],
        [value("/conv/out:0", 1, [1, 2, 4, 4]), value("file", 3, [2, 5])],
        [w],
    )
    path = tmp_path / "two.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def inputs_of_two():
    rng = np.random.default_rng(6)
    return {
        "a": rng.normal(size=(1, 3, 4, 4)).astype(np.float32),
        "b": rng.integers(-128, 128, (2, 5), np.int8),
    }


def test_outputs_are_by_name_as_the_file_types_them(accelsim, two_inputs, tmp_path):
    data, output = tmp_path / "data.npz", tmp_path / "out.npz"
    given = inputs_of_two()
    np.savez(data, **given)
    outcome = accelsim("run", two_inputs, "--data", data, "--output", output)
    assert (outcome.status, outcome.err) == (0, "")
    assert "fidelity golden" in outcome.out
    session = onnxruntime.InferenceSession(two_inputs, providers=["CPUExecutionProvider"])
    expected = dict(zip(("/conv/out:0", "file"), session.run(None, given), strict=True))
    made = read_npz(output, "tensor")
    assert list(made) == ["/conv/out:0", "file"]
    for name, values in expected.items():
        assert made[name].dtype == values.dtype
        np.testing.assert_allclose(made[name], values, rtol=1e-6)
    first = output.read_bytes()
    accelsim("run", two_inputs, "--data", data, "--output", output)
    assert output.read_bytes() == first


def test_one_input_may_be_an_array_and_every_layer_is_written(accelsim, tmp_path):
    sample = MNIST.samples()[0]
    data, output = tmp_path / "x.npy", tmp_path / "out.npz"
    np.save(data, sample.inputs["Input3"])
    outcome = accelsim("run", MNIST.path, "--data", data, "--output", output, "--output-layers")
    assert outcome.status == 0
    made = read_npz(output, "tensor")
    assert next(iter(made)) == "Plus214_Output_0"
    np.testing.assert_allclose(
        made["Plus214_Output_0"],
        sample.outputs["Plus214_Output_0"],
        atol=MNIST.entry["tolerance"]["atol"],
    )
    assert made["Pooling66_Output_0"].shape == (1, 8, 14, 14)


WRONG = {
    "name": ({"A": 0}, "has no input 'A'; its inputs are a, b; did you mean a"),
    "missing": ({"a": 0}, "input b of two is missing; it is int8 [2, 5]"),
    "shape": ({"b": np.zeros((1, 2, 5), np.int8)}, "b of two must be int8 [2, 5], not int8 [1, 2"),
    "dtype": ({"b": np.zeros((2, 5))}, "b of two must be int8 [2, 5], not float64 [2, 5]"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_data_is_one_sentence_and_leaves_nothing(wrong, accelsim, two_inputs, tmp_path):
    changed, says = WRONG[wrong]
    given = inputs_of_two()
    if wrong == "missing":
        del given["b"]
    else:
        given |= {name: np.asarray(each) for name, each in changed.items()}
    np.savez(tmp_path / "data.npz", **given)
    before = sorted(tmp_path.iterdir())
    outcome = accelsim(
        "run", two_inputs, "--data", tmp_path / "data.npz", "--output", tmp_path / "o.npz"
    )
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--output", "o.npz", "--fidelity", "schedule"], "schedule computes no values"),
        (["--output", "o.npy"], "o.npy must end in .npz"),
        (["--output-layers"], "--output-layers is for --output"),
        (["--data", "none.npz"], "none.npz cannot be read: No such file"),
        (["--data", "x.npy"], "two has 2 inputs; an .npz has them by name: a, b"),
        (["--data", "text.npz"], "text.npz is not an .npz file of plain arrays"),
        (["--data", "x.txt"], "x.txt must end in .npy, an array, or .npz"),
        (["--compare", "onnx"], "no runtime 'onnx' to compare with; there are onnxruntime, litert"),
        (["--compare", "litert"], "litert runs .tflite files, and"),
        (["--data", "x.npy", "--array", "8x8,4x4"], "are for one network on one design"),
        (["--output", "o.npz", "--fidelity", "cycle"], "multiplies reals, and engines multiply"),
        (["--output", "o.npz", "--batch", "4"], "as two has them, with batch 1, not 4"),
        (["--data", "x.npz", "--output", "x.npz"], "would overwrite x.npz, which the command read"),
    ],
)
def test_what_makes_no_sense_is_refused(options, says, accelsim, two_inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.zeros(3))
    np.savez("x.npz", **inputs_of_two())
    (tmp_path / "text.npz").write_text("no archive")
    before = sorted(tmp_path.iterdir())
    outcome = accelsim("run", "two.onnx", *options)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_lists_of_layers_have_no_outputs(accelsim, tmp_path):
    topology = tmp_path / "t.csv"
    topology.write_text("Layer,M,N,K,\nfc,4,5,6,\n")
    outcome = accelsim("run", topology, "--output", tmp_path / "o.npz")
    assert outcome.status == 2
    assert "is a list of independent layers" in outcome.err
    assert list(tmp_path.iterdir()) == [topology]


def test_a_network_of_ours_takes_an_image_and_gives_its_map(accelsim, probe, tmp_path):
    rng = np.random.default_rng(1)
    network = ax.load(probe)
    image, made = rng.integers(-128, 128, network.input, np.int8), []
    for name, array in (("bare", image), ("whole", image[None])):
        np.save(tmp_path / f"{name}.npy", array)
        files = ("--data", tmp_path / f"{name}.npy", "--output", tmp_path / f"{name}.npz")
        outcome = accelsim("run", probe, *files, "--fidelity", "cycle", "--array", "4x4")
        assert outcome.status == 0
        made.append(read_npz(tmp_path / f"{name}.npz", "tensor"))
    (key,) = made[0]
    assert key == network.layers[-1].name
    assert made[0][key].dtype == np.int8
    assert made[0][key].shape == (1, *network.shape(key))
    assert np.array_equal(made[0][key], made[1][key])


def test_a_runtime_is_compared_layer_by_layer(accelsim):
    outcome = accelsim("run", RESNET.path, "--compare", "onnxruntime", "--json", "-")
    assert outcome.status == 0
    result = json.loads(outcome.out)
    assert result["compared_with"]["runtime"] == f"onnxruntime {onnxruntime.__version__}"
    assert result["compared_with"]["float_operators"]["Conv"] == 9
    assert result["compared_with"]["equal"]
    first, *_, last = result["compare"]
    assert list(first)[:5] == ["name", "elements", "different", "first", "max_difference"]
    assert (first["elements"], first["different"], first["first"]) == (3 * 32 * 32, 0, None)
    assert last["name"] == "Identity"
    assert last["elements"] == 10
    assert last["max_difference"] <= last["allowed"] < 1e-4


def test_what_differs_from_a_runtime_ends_with_status_1(accelsim, monkeypatch):
    """A planted fault: one output is a little larger than it should be."""
    from accelsim.graph import evaluate

    right = evaluate.outputs

    def wrong(graph, values):
        made = {name: each.copy() for name, each in right(graph, values).items()}
        made["Identity"][0, 3] += 0.01
        return made

    monkeypatch.setattr("accelsim.inference.outputs", wrong)
    outcome = accelsim("run", RESNET.path, "--compare", "onnxruntime")
    assert outcome.status == 1
    assert "values differ from onnxruntime" in outcome.err
    assert "in Identity" in outcome.err
    assert "beyond what is allowed in Identity" in outcome.out
    assert "Computed in reals: 9 Conv, 1 AveragePool, 1 MatMul, 1 Softmax; behind" in outcome.out
    assert "[0, 3]" in outcome.out or "[0, 0]" in outcome.out


def test_small_reals_are_judged_by_the_largest_of_all_outputs(accelsim):
    """Shares near to 0, of which another order of sums changes a large part."""
    path = MODELS["orig_gh_yunet_n_dynamic"].path
    sizes = "--input", "64x64", "--hardware", "tiny"
    outcome = accelsim("run", path, *sizes, "--compare", "onnxruntime", "--json", "-")
    assert outcome.status == 0
    ends = [each for each in json.loads(outcome.out)["compare"] if each["allowed"]]
    assert len(ends) == 12
    assert len({each["allowed"] for each in ends}) == 1
    assert all(each["max_difference"] < each["allowed"] < 1e-3 for each in ends)


def test_a_runtime_that_is_missing_is_one_sentence(accelsim, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    outcome = accelsim("run", MNIST.path, "--compare", "onnxruntime")
    assert outcome.status == 2
    assert "needs the package onnxruntime: pip install onnxruntime" in outcome.err


def test_a_file_that_does_not_load_with_an_option_is_run_without(accelsim, tmp_path, monkeypatch):
    """Which is said, as products may then saturate: of uint8 and int8 the option is set."""
    output = tmp_path / "mixed.onnx"
    accelsim("quantize", RESNET.path, "-o", output, "--activations", "uint8")
    load = onnxruntime.InferenceSession
    tried = []

    def loads(path, settings, **more):
        try:
            tried.append(settings.get_session_config_entry(PRECISE))
        except RuntimeError:
            return load(path, settings, **more)
        raise onnxruntime.capi.onnxruntime_pybind11_state.Fail("not with this")

    with_it = accelsim("run", output, "--compare", "onnxruntime")
    assert (with_it.status, "session.x64quantprecision=1" in with_it.out) == (0, True)
    monkeypatch.setattr(onnxruntime, "InferenceSession", loads)
    outcome = accelsim("run", output, "--compare", "onnxruntime")
    assert tried == ["1"]
    assert "does not load with session.x64quantprecision=1, without which products" in outcome.out
    assert "9 QLinearConv" in outcome.out


def test_layers_are_shown_with_shapes_parameters_and_macs(accelsim):
    outcome = accelsim("networks", "--show", MNIST.path)
    assert outcome.status == 0
    row = next(line for line in outcome.out.splitlines() if line.startswith("Convolution110"))
    assert " ".join(row.split()) == "Convolution110 conv2d 8x14x14 > 16x14x14 627,200 3,216"
    total = next(line for line in outcome.out.splitlines() if line.startswith("total"))
    assert total.split()[1] == f"{MNIST.entry['macs']:,}"
    assert "Inputs: Input3 float32 [1, 1, 28, 28]." in outcome.out
    assert "Outputs: Plus214_Output_0 float32 [1, 10]." in outcome.out
    built_in = accelsim("networks", "--show", "mobilenet_v3_small", "--input", "64x64")
    assert "b1.se1" in built_in.out


@pytest.mark.parametrize(
    ("options", "operators"),
    [
        ([], "9 Conv"),
        (["--per-tensor", "--activations", "uint8"], "9 Conv"),
        (["--form", "qlinear", "--activations", "uint8", "--weights", "uint8"], "9 QLinearConv"),
    ],
)
def test_quantize(options, operators, accelsim, tmp_path):
    """The file is the one of onnxruntime's quantiser: its weights have as many scales as asked."""
    images = [sample.inputs["input_1"] for sample in RESNET.samples()]
    calibration, output = tmp_path / "images.npz", tmp_path / "int8.onnx"
    np.savez(calibration, input_1=np.concatenate(images))
    outcome = accelsim(
        "quantize", RESNET.path, "--calibration", calibration, "-o", output, *options
    )
    assert (outcome.status, outcome.err) == (0, "")
    assert operators in outcome.out
    graph = onnx.load(output).graph
    sizes = {each.name: each.dims[0] if each.dims else 1 for each in graph.initializer}
    scale_of_weights = {
        node.output[0]: node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"
    }
    scales = {
        sizes[node.input[4] if node.op_type == "QLinearConv" else scale_of_weights[node.input[1]]]
        for node in graph.node
        if node.op_type in ("Conv", "QLinearConv")
    }
    assert scales == ({1} if "--per-tensor" in options else {16, 32, 64})
    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"input_1": images[0]})
    assert made.shape == (1, 10)


def test_quantize_without_calibration_warns(accelsim, tmp_path):
    output = tmp_path / "int8.onnx"
    outcome = accelsim("quantize", RESNET.path, "-o", output)
    assert outcome.status == 0
    assert "without --calibration ranges are those of 8 random inputs (seed 0)" in outcome.err
    assert output.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["none.onnx"], "none.onnx cannot be read: there is no such file"),
        (["text.onnx"], "text.onnx: onnxruntime's quantiser cannot"),
        (["net.toml"], "net.toml must end in .onnx"),
        ([RESNET.path, "--form", "qld"], "form must be one of qdq, qlinear, not 'qld'"),
        ([RESNET.path, "--weights", "uint8"], "activations of int8 take weights of int8"),
        ([RESNET.path, "--calibration", "wrong.npz"], "input input_1 of"),
        ([RESNET.path, "--calibration", "small.npz"], "input_1 must be float32 ['N', 32, 32, 3]"),
        ([MODELS["real_mnist_cntk.qop_u8u8_pt"].path], "is quantised already"),
        ([MODELS["orig_gh_yunet_n_dynamic"].path], "leaves sizes open, in place 2 of its shape"),
    ],
)
def test_quantize_refuses(options, says, accelsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.onnx").write_text("no model")
    np.savez("wrong.npz", x=np.zeros(3, np.float32))
    np.savez("small.npz", input_1=np.zeros((2, 8, 8, 3), np.float32))
    outcome = accelsim("quantize", *options, "-o", "int8.onnx")
    assert outcome.status == 2
    assert says in outcome.err
    assert not (tmp_path / "int8.onnx").exists()


@pytest.fixture
def reference_kernels(monkeypatch):
    """LiteRT with tensors that `change` may change; without it those that it computed before."""
    from tests.models.tflite_reference import FOLDER

    path = FOLDER / "mlperf_ad01_int8.tflite"
    network = ax.load(path)
    values = ax.simulate(network, "tiny", keep=True, fidelity="golden").values
    made = {**values.tensors, **values.outputs}
    details = [
        {"name": name, "index": place} for place, name in enumerate((*network.graph.inputs, *made))
    ]

    class Interpreter:
        def __init__(self, *, model_content, experimental_op_resolver_type, **options):
            assert model_content == path.read_bytes()
            self.others = experimental_op_resolver_type == "auto"
            self.given = {}

        def resize_tensor_input(self, index, shape):
            assert (index, tuple(shape)) == (0, (1, 640))

        def allocate_tensors(self):
            pass

        def invoke(self):
            print("INFO: delegate", file=sys.stderr)

        def get_input_details(self):
            return details[:1]

        def get_output_details(self):
            return [each for each in details if each["name"] in network.graph.outputs]

        def get_tensor_details(self):
            return details[1:]

        def set_tensor(self, index, value):
            self.given[index] = value

        def get_tensor(self, index):
            assert np.array_equal(self.given[0], values.inputs[network.graph.inputs[0]])
            tensor = made[details[index]["name"]].copy()
            if self.others:
                tensor.flat[:3] ^= 1
            return tensor

    module = types.SimpleNamespace(
        Interpreter=Interpreter,
        OpResolverType=types.SimpleNamespace(BUILTIN_REF="reference", AUTO="auto"),
    )
    monkeypatch.setitem(sys.modules, "ai_edge_litert", types.ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    monkeypatch.setattr("accelsim.runtimes.litert.metadata.version", lambda name: "2.3.0")
    return path, made


def test_tflite_files_are_compared_with_reference_kernels(accelsim, reference_kernels):
    path, made = reference_kernels
    outcome = accelsim("run", path, "--hardware", "tiny", "--compare", "litert", "--json", "-")
    assert outcome.status == 0
    result = json.loads(outcome.out)
    assert [each["name"] for each in result["compare"]] == list(made)
    assert {each["different"] for each in result["compare"]} == {0}
    assert "other bits in 3 of 640 outputs" in result["compared_with"]["form"]
    made["Identity"].flat[639] -= 1
    wrong = accelsim("run", path, "--hardware", "tiny", "--compare", "litert", "--json", "-")
    assert wrong.status == 1
    (last,) = [each for each in json.loads(wrong.out)["compare"] if each["different"]]
    assert (last["name"], last["different"], last["max_difference"]) == ("Identity", 1, 1)
    assert last["first"]["index"] == [0, 639]


def test_litert_may_be_missing(accelsim, monkeypatch):
    from tests.models.tflite_reference import FOLDER

    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    path = FOLDER / "mlperf_ad01_int8.tflite"
    outcome = accelsim("run", path, "--compare", "litert")
    assert outcome.status == 2
    assert "needs the package ai-edge-litert" in outcome.err
    other = accelsim("run", path, "--compare", "onnxruntime")
    assert "onnxruntime runs .onnx files, and" in other.err
    assert "is none; litert can run it" in other.err


def test_a_layer_of_a_file_runs_through_the_rtl_and_its_unit(accelsim, tmp_path):
    model = MODELS["orig_tfl_mlperf_kws_int8"]
    np.save(tmp_path / "x.npy", model.samples()[1].inputs["input_1"])
    command = "cosim", model.path, "--layer", "functional_1/dense/BiasAdd_prequant"
    options = "--data", tmp_path / "x.npy", "--array", "4x4", "--simulator", "amaranth"
    outcome = accelsim(*command, *options, "--json", tmp_path / "cosim.json")
    assert outcome.status == 0
    result = json.loads((tmp_path / "cosim.json").read_text())
    steps = ["Bias", "Requantise", "Clamp"]
    assert result["output"] == {
        "dtype": "int8",
        "values": 12,
        "steps": steps,
        "on_rtl": True,
        "equal": True,
    }
    says = "12 values of int8, made of the sums of the RTL by Bias, Requantise, Clamp, on the RTL"
    assert says in outcome.out
