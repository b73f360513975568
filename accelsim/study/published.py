"""What published models say of the layers of a result, on the same array."""

from typing import NamedTuple

from accelsim import published
from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.result import LayerResult, Result
from accelsim.simulation import simulate

# Every published model in each of its dataflows.
MODELS = tuple((model.name, dataflow) for model in published.MODELS for dataflow in model.dataflows)


class ModelResult(NamedTuple):
    """One published model.

    name : of the model, with the dataflow that it was given.
    hardware : the array alone; models know nothing else.
    layers : what they cost; none where the model refuses one of them.
    refusal : why it does.
    """

    name: str
    timing: str
    hardware: Hardware
    layers: tuple[LayerResult, ...]
    refusal: str = ""


def published_models(result: Result) -> tuple[ModelResult, ...]:
    """Every published model but that of the result itself; none where there is no array."""
    array = result.hardware.array
    if array is None:
        return ()
    alone = Hardware(array, given=result.hardware.clock)
    return tuple(
        _model(result, alone, timing, dataflow)
        for timing, dataflow in MODELS
        if timing != result.timing
    )


def _model(result: Result, alone: Hardware, timing: str, dataflow: str) -> ModelResult:
    name = timing if dataflow == "auto" else f"{timing} {dataflow}"
    ends = result.layers[0].name, result.layers[-1].name
    try:
        model = simulate(
            result.graph, alone, dataflow, timing=timing, layers=ends, batch=result.batch
        )
    except AccelsimError as error:
        return ModelResult(name, timing, alone, (), str(error))
    return ModelResult(name, timing, alone, model.layers)
