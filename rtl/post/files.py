"""The post-processing unit as files: Verilog, its parameters, and the page that documents it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

from accelsim.hardware import PostProcessing
from accelsim.passes import Operation, PostChannel, PostLayer, PostPair, Rule, meanings
from rtl.flow.manual import docstring, kind, table
from rtl.flow.ports import CLOCK, RESET, payload, ports, streams
from rtl.flow.verilog import located, verilog
from rtl.lib.results import ResultMemory
from rtl.post.unit import TURN, PostProcessor

MODULE = "post_processor"

TIMING = """\
A word can be taken in every clock. Its result is on `results` {latency} clocks later, or in the
clock after the one in front of it was taken. The unit holds {depth} results and promises no room
twice, so that nothing that is under way waits. A layer's settings count for the words that are
taken from the clock after them on; those of the next layer can be taken before it begins. Layers
follow each other without a gap where each has at least {least} words.

An entry of a table counts for words that are taken from the next clock on. No table may be written
whose layer is under way: it is until its last result has come.
"""


def post_files(sizes: PostProcessing, head: str) -> dict[str, str]:
    """Names and contents of the files of a unit; `head` is in front of the Verilog."""
    unit = PostProcessor(sizes)
    text = located(head + verilog(unit, name=MODULE), MODULE)
    parameters = json.dumps(_parameters(sizes, unit), indent=2) + "\n"
    page = "\n".join(_page(sizes, unit)) + "\n"
    return {f"{MODULE}.sv": text, f"{MODULE}.json": parameters, f"{MODULE}.md": page}


def latency(unit: PostProcessor) -> int:
    """Clocks from a word to its result, if nobody waits."""
    return unit.latency + ResultMemory.LATENCY


def _parameters(sizes: PostProcessing, unit: PostProcessor) -> dict[str, Any]:
    directions = ("output", "input")
    return {
        "module": MODULE,
        sizes.name: asdict(sizes),
        "clock": CLOCK,
        "reset": RESET,
        "latency": latency(unit),
        "ports": [
            {"name": port.name, "direction": directions[port.is_input], "bits": port.bits}
            for port in ports(unit)
        ],
        "payloads": {
            stream: [field._asdict() for field in payload(unit, stream)]
            for stream in (*streams(unit), "results")
        },
        "rules": {rule.name.lower(): int(rule) for rule in Rule},
        "operations": {each.name.lower(): int(each) for each in Operation},
    }


def _page(sizes: PostProcessing, unit: PostProcessor) -> Iterator[str]:
    """Paragraphs of the page."""
    wires = [
        (f"`{port.name}`", "input" if port.is_input else "output", str(port.bits))
        for port in ports(unit)
    ]
    yield f"# Post-processing unit, {sizes.lanes} lanes\n"
    yield f"Module `{MODULE}`, SystemVerilog, one clock `{CLOCK}`, synchronous reset `{RESET}`"
    yield f"(active high). Written by accelsim; `{MODULE}.json` says the same for programs.\n"
    yield docstring(PostProcessor)
    yield "\n## Sizes\n"
    yield table(("size", "value"), [(name, _words(value)) for name, value in asdict(sizes).items()])
    yield "\n## Ports\n"
    yield "A stream transfers a payload at every rising edge of the clock at which its `valid` and"
    yield "`ready` are both 1. A stream without a `ready` port is always ready.\n"
    yield table(("port", "direction", "bits"), wires)
    channel = {f"channel.{name}": words for name, words in meanings(PostChannel).items()}
    said = {"commands": meanings(PostLayer), "words": channel}
    for stream in (*streams(unit), "results"):
        yield from _stream(unit, stream, said.get(stream, {}))
    for what, record in (("layer", PostLayer), ("pair", PostPair), ("channel", PostChannel)):
        yield f"\n## What belongs to a {what}\n"
        yield docstring(record)
    yield "\nThe unit checks nothing: what settings outside of these words give is undefined.\n"
    yield "## Timing\n"
    yield TIMING.format(latency=latency(unit), depth=unit.result_depth, least=unit.latency + TURN)


def _stream(unit: PostProcessor, stream: str, said: dict[str, str]) -> Iterator[str]:
    """The payload of a stream, and what its fields mean."""
    yield f"\n## Payload of `{stream}`\n"
    rows = []
    for name, fields in groupby(payload(unit, stream), lambda field: field.name.partition("[")[0]):
        first, *more = fields
        array = f"[i], i = 0 .. {len(more)}" if first.name != name else ""
        offset = f"{first.offset} + {first.bits} i" if array else str(first.offset)
        rows.append((f"`{name}`{array}", str(first.bits), offset, kind(first), said.get(name, "")))
    yield table(("field", "bits", "offset", "type", "meaning"), rows)


def _words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
