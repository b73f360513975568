"""What the command line did."""

import json
from typing import NamedTuple


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


def as_json(outcome: Outcome) -> dict:
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.out)
