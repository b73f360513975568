"""What passes of the depthwise engine do that takes energy, counted from registers at every clock.

Control depends on no data, so that memories of zeros do. No formula of the schedule is used.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from accelsim.engines.base import Accesses
from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand, columns

if TYPE_CHECKING:
    from accelsim.engines.depthwise.cycle import Stage

Int = npt.NDArray[np.int64]


def accesses(engine: DepthwiseEngine, commands: Int) -> list[Accesses]:
    """The Accesses of every pass of a sequence.

    commands : int64[passes, fields], of DepthwiseCommand.
    """
    from accelsim.engines.depthwise import cycle  # loads Numba

    counts = _Counts(engine, commands)
    words, entries = (counts.command("map", "words"), counts.command("taps", "entries"))
    maps = np.zeros((words, engine.pixels, engine.lanes), np.int16)
    taps = np.zeros((entries, 2 + engine.lanes), np.int16)
    for before, stage in pairwise(cycle.stages(engine, commands, maps, taps)):
        counts.tap(stage)
        counts.results(before, stage)
        if engine.fill_port:
            counts.port(before, stage)
    if not engine.fill_port:
        counts.written()
    return [Accesses(*each) for each in np.transpose([*counts.of.values()]).tolist()]


class _Counts:
    """Counts of a sequence.

    fields : int64[passes], every field of the commands by its name.
    of : int64[passes] of every kind.
    """

    def __init__(self, engine: DepthwiseEngine, commands: Int) -> None:
        self.engine = engine
        self.fields = {name: commands[:, at] for name, at in columns(DepthwiseCommand).items()}
        self.of = {name: np.zeros(len(commands), np.int64) for name in Accesses._fields}

    def command(self, first: str, length: str) -> int:
        """Where the last words end that begin at a field and are as many as another says."""
        return int((self.fields[first] + self.fields[length]).max())

    def tap(self, stage: "Stage") -> None:
        """A tap reads and multiplies in every lane with a channel, if its tile meets the map."""
        if stage.tap is None or stage.tap["ky0"] == stage.tap["ky1"]:
            return
        p, pixels = int(stage.tap["command"]), self.engine.pixels
        for name, times in (
            ("multiply", pixels),
            ("add", pixels),
            ("sum_move", pixels),
            ("operand_move", pixels + 1),
            ("lane_bank_read", 2 * pixels),
            ("tap_read", 1),
        ):
            self.of[name][p] += times * self.fields["channels"][p]

    def results(self, before: "Stage", stage: "Stage") -> None:
        """Sums leave the shadows, those behind them move up, and those of a tile come in."""
        pixels, at_once = self.engine.pixels, self.engine.result_lanes
        if stage.lanes["words_sent"] > before.lanes["words_sent"]:
            assert before.shown is not None
            p = int(before.shown["command"])
            sent = int(before.shown["beats"] - before.lanes["beats_left"])
            left = int(self.fields["channels"][p]) - at_once * sent
            for name in ("result_write", "result_read"):
                self.of[name][p] += min(left, at_once) * pixels
            self.of["sum_move"][p] += max(left - at_once, 0) * pixels
        if stage.lanes["tile"] > before.lanes["tile"]:
            assert stage.shown is not None
            p = int(stage.shown["command"])
            self.of["sum_move"][p] += self.fields["channels"][p] * pixels

    def port(self, before: "Stage", stage: "Stage") -> None:
        """Words of the map and entries of taps that were complete with what the fill port took."""
        p, same = int(before.loader["filled"]), stage.loader["queued"] == before.loader["queued"]
        words, entries = (
            int(before.loader[name] - (stage.loader[name] if same else 0))
            for name in ("words_left", "entries_left")
        )
        if words or entries:
            self.fill(p, words, entries)

    def written(self) -> None:
        """What the host has written before the commands came."""
        for p, filled in enumerate(zip(self.fields["words"], self.fields["entries"], strict=True)):
            self.fill(p, *filled)

    def fill(self, p: int, words: int, entries: int) -> None:
        """Words of the map and entries of taps that are written for a pass."""
        channels = self.fields["channels"][p]
        values = words * self.engine.pixels * channels
        self.of["lane_bank_write"][p] += values
        self.of["tap_write"][p] += entries * channels
        self.of["fill"][p] += (values + entries * channels) * self.engine.operands.value_bytes
