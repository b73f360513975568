"""Settings of layers: those whose words are under way, and those of the next."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.passes import PostLayer
from rtl.lib.layout import layout


class Layers(wiring.Component):
    """Two sets of settings, taken and used in turn, so that layers follow without a gap.

    commands : settings, in the order of the layers; ready is a register.
    enters : a word enters the pipeline in this clock, with `ends` the last one of its layer.
    leaves : the last word of a layer has no more use for its settings from the next clock on.
    opens : there are settings for the word that comes in the next clock.
    which : the set of a word that enters.
    sets : both of them.
    """

    def __init__(self) -> None:
        settings = layout(PostLayer)
        super().__init__(
            {
                "commands": In(stream.Signature(settings)),
                "enters": In(1),
                "ends": In(1),
                "leaves": In(1),
                "opens": Out(1),
                "which": Out(1),
                "sets": Out(data.ArrayLayout(settings, 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ready = Signal(init=1, name="ready")
        taken, ended, taking, leaving = Signal(), Signal(), Signal(), Signal()
        which = Signal(name="entering")
        sets = Signal.like(self.sets, name="settings", reset_less=True)
        m.d.comb += [
            self.commands.ready.eq(ready),
            self.which.eq(which),
            self.sets.eq(sets),
            taken.eq(self.commands.valid & ready),
            ended.eq(self.enters & self.ends),
        ]
        used, open_ = [], []  # of each set, in the next clock
        for place in range(2):
            goes_in, ends = taken & (taking == place), ended & (which == place)
            leaves = self.leaves & (leaving == place)
            in_use, to_come = Signal(name=f"in_use_{place}"), Signal(name=f"to_come_{place}")
            used.append((in_use | goes_in) & ~leaves)
            open_.append((to_come | goes_in) & ~ends)
            m.d.sync += [in_use.eq(used[-1]), to_come.eq(open_[-1])]
            with m.If(goes_in):
                m.d.sync += sets[place].eq(self.commands.payload)
        m.d.sync += [
            ready.eq(~Mux(taking ^ taken, used[1], used[0])),
            taking.eq(taking ^ taken),
            which.eq(which ^ ended),
            leaving.eq(leaving ^ self.leaves),
        ]
        m.d.comb += self.opens.eq(Mux(which ^ ended, open_[1], open_[0]))
        return m
