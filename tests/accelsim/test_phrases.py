"""Numbers with their nouns."""

import pytest

from accelsim.phrases import are, counted, milliseconds


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 passes are"), (1, "1 pass is"), (2, "2 passes are"), (1000, "1,000 passes are")],
)
def test_one_is_singular(number, said):
    assert f"{counted(number, 'pass', 'passes')} {are(number)}" == said


def test_most_plurals_are_a_noun_and_s():
    assert (counted(1, "point"), counted(2, "point")) == ("1 point", "2 points")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0.000"),
        (0.000012, "0.0000120"),
        (0.00216, "0.00216"),
        (0.385, "0.385"),
        (1234.5, "1,234.500"),
    ],
)
def test_no_time_is_rounded_away(number, said):
    assert milliseconds(number) == said
