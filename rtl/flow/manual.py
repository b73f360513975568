"""The page that documents a core: its ports, the format of its commands, and their timing.

What it says of an engine stands in the engine's own `manual`.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, get_type_hints

from accelsim.passes import meanings
from rtl.flow.ports import Field, payload, ports, streams


class Chapter(NamedTuple):
    """What the page says of one engine.

    title : the engine and its size.
    sizes : its dataclass of options.
    core : its core, module and class documented.
    command : the record of its commands, whose first field is the record of a pass, documented.
    words : how operands and results lie in the memories, what each pass reads.
    timing : busy cycles.
    """

    title: str
    sizes: Any
    core: Any
    command: type
    words: str
    timing: str


def page(chapters: Sequence[tuple[str, Chapter]]) -> str:
    """The text of core.md: chapters on engines, each with the prefix of its ports."""
    title = " and a ".join(chapter.title for _, chapter in chapters)
    head = (
        f"# Core with a {title}\n",
        "Module `core`, SystemVerilog, one clock `clk`, synchronous reset `rst` (active high).",
        "Written by accelsim; `parameters.json` says the same for programs.\n",
    )
    if len(chapters) == 1:
        ((prefix, chapter),) = chapters
        return "\n".join((*head, *_chapter(prefix, chapter, "##")))
    body = [
        line
        for prefix, chapter in chapters
        for line in (f"\n## {chapter.title}\n", *_chapter(prefix, chapter, "###"))
    ]
    names = ", ".join(f"`{prefix}...`" for prefix, _ in chapters)
    shared = f"The engines share clock and reset and nothing else; their ports are {names}."
    return "\n".join((*head, shared, *body))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _chapter(prefix: str, chapter: Chapter, level: str) -> Iterator[str]:
    """Paragraphs of a chapter under headings of a level."""
    core = chapter.core
    sizes = [(name, str(value)) for name, value in flat(asdict(chapter.sizes))]
    wires = [
        (f"`{port.prefixed(prefix)}`", "input" if port.is_input else "output", str(port.bits))
        for port in ports(core)
    ]
    payloads = [
        row
        for stream in (*streams(core)[1:], "results")
        for row in _payload_rows(core, stream, prefix)
    ]
    meaning = meanings(chapter.command)
    commands = [
        (f"`{field.name}`", *_place(field), meaning[field.name])
        for field in payload(core, "commands")
    ]
    yield docstring(inspect.getmodule(type(core)))
    yield f"\n{level} Sizes\n"
    yield table(("size", "value"), sizes)
    yield f"\n{level} Ports\n"
    yield docstring(type(core))
    yield "\nA stream transfers a payload at every rising edge of `clk` at which its `valid` and"
    yield "`ready` are both 1. A stream without a `ready` port is always ready.\n"
    yield table(("port", "direction", "bits"), wires)
    yield f"\n{level} Payloads\n"
    yield table(("payload", "field", "bits", "offset", "type"), payloads)
    yield f"\n{level} Commands\n"
    yield docstring(get_type_hints(chapter.command)["work"])
    yield "\nA core checks nothing: after a command that is not legal, or whose fields contradict"
    yield "each other, its state is undefined until the next reset. accelsim's host sends none.\n"
    yield table(("field", "bits", "offset", "meaning"), commands)
    yield f"\n{level}# Words and their order\n"
    yield chapter.words
    yield f"\n{level} Timing\n"
    yield chapter.timing


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of sizes; those of an inner record have its name in front."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{name}.")
        else:
            yield prefix + name, value


def _payload_rows(core: Any, stream: str, prefix: str) -> Iterator[tuple[str, ...]]:
    """Fields of a payload; a run of equal elements of an array in one row."""
    fields = payload(core, stream)
    for index, field in enumerate(fields):
        if field.name.endswith("[0]"):
            last = fields[-1]
            step = f"{field.offset} + {field.bits} i"
            name = f"{field.name[:-3]}[i], i = 0 .. {len(fields) - index - 1}"
            yield f"`{prefix}{stream}`", name, str(last.bits), step, kind(field)
            return
        yield f"`{prefix}{stream}`", field.name, *_place(field), kind(field)


def _place(field: Field) -> tuple[str, str]:
    return str(field.bits), str(field.offset)


def kind(field: Field) -> str:
    """Whether a field is in two's complement."""
    return "signed" if field.signed else "unsigned"


def docstring(documented: object) -> str:
    """A docstring as it is written; its columns are aligned by spaces."""
    return f"```text\n{inspect.getdoc(documented)}\n```"
