"""The engines with registers, as the tests know them: a file each, listed here."""

from collections.abc import Collection

import pytest

from tests.engines import depthwise, systolic_array
from tests.engines.base import Subject

SUBJECTS: tuple[Subject, ...] = (systolic_array.SUBJECT, depthwise.SUBJECT)
ONE_BY_ONE = "one by one"  # in the names of kinds without overlap


def _kinds(
    one_by_one: bool = True, its_marks: Collection[pytest.MarkDecorator] = ()
) -> pytest.MarkDecorator:
    """A parameter for every kind of sequence, with or without those that do not overlap."""
    return pytest.mark.parametrize(
        ("subject", "kind"),
        [
            pytest.param(
                subject,
                kind,
                id=f"{subject.name} {name}",
                marks=its_marks if ONE_BY_ONE in name else (),
            )
            for subject in SUBJECTS
            for name, kind in subject.kinds.items()
            if one_by_one or ONE_BY_ONE not in name
        ],
    )


every_kind = _kinds()
# For tests of hardware, which take seconds: without overlap only the sequencer differs.
every_kind_of_core = _kinds(its_marks=[pytest.mark.full])
every_way = _kinds(one_by_one=False)
