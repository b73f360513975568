"""The engines with registers, as the tests know them: a file each, listed here."""

from tests.engines import depthwise, systolic_array
from tests.engines.base import Subject

SUBJECTS: tuple[Subject, ...] = (systolic_array.SUBJECT, depthwise.SUBJECT)
