"""The systolic array in hardware."""

from accelsim.hardware import SystolicArray
from accelsim.passes import Opcode
from rtl.engines.base import CoreOf
from rtl.engines.systolic_array import job, manual
from rtl.engines.systolic_array.core import PAUSE, Core
from rtl.engines.systolic_array.element import ProcessingElement


def _element(array: SystolicArray) -> tuple[str, ProcessingElement]:
    operands = array.operands
    return "processing_element", ProcessingElement(operands.bits, operands.accumulator_bits)


CORE = CoreOf(
    name=SystolicArray.name,
    opcodes=Opcode,
    core=Core,
    repeated=_element,
    memories=job.memories,
    job=job.of_sequence,
    used=job.used,
    chapter=manual.chapter,
    lead=job.lead,
    room=job.room,
    pause=lambda array: PAUSE,
)
