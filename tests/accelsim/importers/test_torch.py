"""Modules of PyTorch, with a package in its place that exports a file of ours."""

import shutil
import sys
from types import ModuleType, SimpleNamespace

import pytest

import accelsim as ax
from accelsim.errors import FileError, MissingToolError
from tests.models import manifest

MNIST = next(model for model in manifest() if model.name == "orig_gh_mnist_cntk")


class Module:
    """What torch.nn.Module has that matters."""

    training = True

    def eval(self):
        self.training = False

    def train(self, mode):
        self.training = mode


class Net(Module):
    """A module that exports well."""


class Broken(Module):
    """A module that does not."""


@pytest.fixture
def exported(monkeypatch):
    """A package torch; what its exporter was given."""
    given = []

    def export(module, inputs, path, *, opset_version=None, dynamo=True):
        given.append((module.training, inputs, opset_version, dynamo))
        if isinstance(module, Broken):
            raise RuntimeError("no such\noperator")
        if inputs == ("needs",):
            raise ModuleNotFoundError("No module named 'onnxscript'", name="onnxscript")
        shutil.copy(MNIST.path, path)

    torch = ModuleType("torch")
    torch.nn = SimpleNamespace(Module=Module)
    torch.onnx = SimpleNamespace(export=export)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return given


def test_a_module_is_exported_in_the_mode_of_inference(exported):
    module = Net()
    network = ax.from_torch(module, "x")
    assert network.name == "Net"
    assert network.total_macs == MNIST.entry["macs"]
    assert module.training
    ax.from_torch(module, ("x", "y"))
    assert exported == [(False, ("x",), 18, False), (False, ("x", "y"), 18, False)]
    result = ax.simulate(network, "tiny", fidelity="golden")  # the file is gone, its weights not
    assert result.output.shape == (1, 10)


def test_what_cannot_be_exported_is_one_sentence(exported):
    with pytest.raises(FileError, match="PyTorch cannot export Broken: no such operator"):
        ax.from_torch(Broken(), "x")
    with pytest.raises(MissingToolError, match="needs the package onnxscript: pip install"):
        ax.from_torch(Net(), "needs")
    with pytest.raises(FileError, match=r"takes a torch.nn.Module, not str"):
        ax.from_torch("net", "x")


def test_pytorch_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingToolError, match="from_torch needs the package torch"):
        ax.from_torch(None, None)
