"""The engines with registers, as the tests know them: a file each, listed here."""

import pytest

from tests.engines import depthwise, systolic_array
from tests.engines.base import Subject

SUBJECTS: tuple[Subject, ...] = (systolic_array.SUBJECT, depthwise.SUBJECT)


def _kinds(later: str | None = None) -> pytest.MarkDecorator:
    """A parameter for every kind of sequence; those with such a name only where all tests run."""
    return pytest.mark.parametrize(
        ("subject", "kind"),
        [
            pytest.param(
                subject,
                kind,
                id=f"{subject.name} {name}",
                marks=[pytest.mark.full] if later and later in name else [],
            )
            for subject in SUBJECTS
            for name, kind in subject.kinds.items()
        ],
    )


every_kind = _kinds()
# For tests of the hardware, which take seconds: with and without overlap only the sequencer
# differs.
every_kind_of_core = _kinds(later="one by one")
