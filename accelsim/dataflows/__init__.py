"""Dataflows: how a Conv is cut into passes of the systolic array; one file each, listed here."""

from accelsim.dataflows import input_stationary, os, rows, ws
from accelsim.dataflows.base import Dataflow, Plan, Program

DATAFLOWS: tuple[Dataflow, ...] = (os, ws, input_stationary, rows)

__all__ = ["DATAFLOWS", "Dataflow", "Plan", "Program"]
