"""What tables say of programs that were compared with the rule of their runtime."""

from accelsim.numerics.certificates import Certificate
from accelsim.report import table


def test_programs_that_differ_from_their_rule_are_named():
    sentences = table.certificate_notes(
        {
            "conv": Certificate(False, 1000, 3, (1, -7)),
            "add": Certificate(True, 65_536, 0),
            "act": Certificate(True, 256, 0),
        }
    )
    exact, different = sentences
    assert exact.startswith(
        "Post-processing of 2 layers equals the rule of the runtime for each of 65,792 inputs"
    )
    assert different == (
        "Post-processing of conv differs from the rule of its runtime for 3 of 1,000 inputs; the "
        "first is 1, -7."
    )
    assert table.certificate_notes({}) == []
