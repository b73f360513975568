"""Dataflows: how a Conv is cut into passes of an engine; one file each, listed here."""

from accelsim.dataflows import input_stationary, os, rows, tap_serial, third_party, ws
from accelsim.dataflows.base import Dataflow, Plan, Program

DATAFLOWS: tuple[Dataflow, ...] = (
    os,
    ws,
    input_stationary,
    rows,
    tap_serial,
    *third_party.DATAFLOWS,
)

__all__ = ["DATAFLOWS", "Dataflow", "Plan", "Program"]
