"""Modules of PyTorch, through its own exporter to ONNX; PyTorch is no dependency of ours."""

import inspect
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from accelsim.errors import FileError, MissingToolError
from accelsim.importers import load
from accelsim.ir import BaseNetwork

OPSET = 18


def from_torch(module: Any, input: Any) -> BaseNetwork:
    """The network of a torch.nn.Module in the mode of inference.

    input : a tensor, or a tuple of them, of the shapes and types that the module takes; its first
        size is the batch.

    MissingToolError where PyTorch, or what its exporter needs, is not installed; FileError where it
    cannot export the module.
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise MissingToolError("from_torch needs the package torch: pip install torch") from None
    if not isinstance(module, torch.nn.Module):
        raise FileError(f"from_torch takes a torch.nn.Module, not {type(module).__name__}")
    name = type(module).__name__
    inputs = tuple(input) if isinstance(input, tuple | list) else (input,)
    was_training = module.training
    module.eval()
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.onnx"
            _export(torch, module, inputs, path)
            return load(path)
    finally:
        module.train(was_training)


def _export(torch: Any, module: Any, inputs: tuple[Any, ...], path: Path) -> None:
    """Write the file, by the exporter that needs no other package where there is one."""
    wanted = {"opset_version": OPSET, "dynamo": False}
    known = inspect.signature(torch.onnx.export).parameters
    options = {key: value for key, value in wanted.items() if key in known}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what later versions will do
            torch.onnx.export(module, inputs, str(path), **options)
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"PyTorch's exporter needs the package {error.name}: pip install {error.name}"
        ) from None
    except Exception as error:  # of any class: whatever a module may do
        said = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"PyTorch cannot export {path.stem}: {said}") from None
