r"""Verilog that people can read: names of words, comments, ports where a module begins.

Amaranth and Yosys number what has no name of its own, escape names that are paths, and list ports
twice. What is done here changes names, the place of declarations, and comments: nothing that a
simulator or a synthesiser computes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rtl.flow.explicit import UNUSED
from rtl.flow.ports import CLOCK, RESET

# Before the ports of parts: Yosys keeps, of signals that are the same, the first in the alphabet,
# and a name that a module gave itself says more than that of a part's port.
OF_PART = "~"


def readable(text: str, comments: Mapping[str, str], orders: Mapping[str, Sequence[str]]) -> str:
    """The Verilog of Yosys, for people.

    Parameters
    ----------
    comments : what is said above a module, by its name.
    orders : of ports, by the name of their module; clock and reset come first in any case.
    """
    modules = [_Module.read(module) for module in _MODULE.findall(text)]
    names = {module.name: module.renamed() for module in modules}
    called = {name: _words(name) for name in names}
    return "\n".join(
        _written(
            module,
            names,
            called,
            comments.get(_bare(module.name), ""),
            orders.get(_bare(module.name), ()),
        )
        for module in modules
    )


_MODULE = re.compile(r"^module .*?^endmodule\n", re.MULTILINE | re.DOTALL)
_NAME = r"\\\S+ |[A-Za-z_][\w$]*"
_TOKEN = re.compile(rf"'[bdh][\w?]+|//[^\n]*|{_NAME}")
_NUMBERED = re.compile(r"\b_\d+_\b")
_PART = re.compile(rf"^  ({_NAME}) ({_NAME}) \(\n(.*?)^  \);\n", re.MULTILINE | re.DOTALL)
_PORT = re.compile(rf"\.({_NAME})\(")


def _bare(name: str) -> str:
    """A name without what escapes it."""
    return name.removeprefix("\\").rstrip(" ")


def _words(name: str) -> str:
    """A name of letters, digits and underscores."""
    plain = re.sub(r"\$\d+", "", _bare(name))
    return re.sub(r"\W+", "_", plain).strip("_") or "signal"


class _Module(NamedTuple):
    """A module as Yosys writes it: its names are escaped as they stand there."""

    name: str
    ports: list[str]
    body: str

    @classmethod
    def read(cls, text: str) -> "_Module":
        head, body = text.split(");\n", 1)
        name, ports = head.removeprefix("module ").split("(", 1)
        return cls(name, re.findall(_NAME, ports), body)

    def renamed(self) -> dict[str, str]:
        """New names of what is escaped or numbered, ports first."""
        text = _PART.sub(lambda part: _PORT.sub("(", part[0]), self.body)
        found = [*self.ports, *(name for name in _TOKEN.findall(text) if name[0] not in "'/")]
        taken = {name for name in found if name[0] != "\\" and not _NUMBERED.fullmatch(name)}
        names: dict[str, str] = {}
        itself = f"{OF_PART}{_bare(self.name).rpartition('.')[2]}__"
        for name in dict.fromkeys(found):
            if name[0] == "\\":
                names[name] = _free(_words(_bare(name).removeprefix(itself)), taken)
        for name, user, role, alone in _numbered(self.body):
            words = f"{names.get(user) or _words(user)}{role}"
            names[name] = _free(words if alone else f"{words}_1", taken)
        return names


def _free(name: str, taken: set[str]) -> str:
    """The name, or the next one like it that is free."""
    stem, number = name, 2
    if match := re.fullmatch(r"(.*)_(\d+)", name):
        stem, number = match[1], int(match[2])
    while name in taken or name in _RESERVED:
        name = f"{stem}_{number}"
        number += 1
    taken.add(name)
    return name


# Words of SystemVerilog (IEEE 1800-2017, annex B).
_WORDS = """\
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before
begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class
clocking cmos config const constraint context continue cover covergroup coverpoint cross deassign
default defparam design disable dist do edge else end endcase endchecker endclass endclocking
endconfig endfunction endgenerate endgroup endinterface endmodule endpackage endprimitive
endprogram endproperty endspecify endsequence endtable endtask enum event eventually expect export
extends extern final first_match for force foreach forever fork forkjoin function generate genvar
global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir
include initial inout input inside instance int integer interconnect interface intersect join
join_any join_none large let liblist library local localparam logic longint macromodule matches
medium modport module nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1
null or output package packed parameter pmos posedge primitive priority program property protected
pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran
rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint
shortreal showcancelled signed small soft solve specify specparam static string strong strong0
strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this
throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type
typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void
wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
_RESERVED = frozenset(_WORDS.split())


# --- what has no name


def _numbered(body: str) -> Iterator[tuple[str, str, str, bool]]:
    """Numbered names, in order: of what each is part, as what, and whether it is all of that."""
    reads: dict[str, str] = {}
    for name, memory in re.findall(rf"^ +(_\d+_) <= ({_NAME})\[", body, re.MULTILINE):
        reads.setdefault(name, memory)
    users = _users(body)
    for name in dict.fromkeys(_NUMBERED.findall(body)):
        if name in reads:
            yield name, reads[name], "_read", True
        else:
            user, role = _named_user(name, users)
            yield name, user, role, users.get(name) == (user, role) and bool(role)


def _users(body: str) -> dict[str, tuple[str, str]]:
    """The first that uses a numbered name: its name, and as what."""
    users: dict[str, tuple[str, str]] = {}
    for used, user, role in _uses(body):
        for name in _NUMBERED.findall(used):
            users.setdefault(name, (user, role))
    return users


def _uses(body: str) -> Iterator[tuple[str, str, str]]:
    """Expressions, and who uses them as what."""
    for conditions, target, value in _REGISTER.findall(body):
        user = _first_name(target)
        yield value, user, "_next"
        yield conditions, user, "_enable"
    for condition, target in re.findall(r"^ +if \((.+)\)\n +(.+?) <= ", body, re.MULTILINE):
        yield condition, _first_name(target), "_write"
    for target, value in re.findall(r"^  assign (.+?) = (.+);$", body, re.MULTILINE):
        if target != UNUSED:
            yield value, _first_name(target), ""
    for _, part, connections in _PART.findall(body):
        for port, value in re.findall(rf"^    \.({_NAME})\((.*)\)", connections, re.MULTILINE):
            yield value, f"{_bare(part)}__{_bare(port)}", ""
    for target in re.findall(r"^  assign (\{.+?\}) = ", body, re.MULTILINE):
        yield target, _first_name(target), "_wide"


# Without and with a condition: `q <= d;`, `if (rst) q <= 1'h0;`, `else if (en) q <= d;`
_REGISTER = re.compile(
    r"^ +((?:else )?(?:if \([^()]*\) )?)(?!if |else )(\S.*?) <= (.+);$", re.MULTILINE
)


def _first_name(expression: str) -> str:
    """A name in it, if possible one that is no number."""
    names = [name for name in _TOKEN.findall(expression) if name[0] != "'"]
    return next((name for name in names if not _NUMBERED.fullmatch(name)), names[0])


def _named_user(name: str, users: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The first with a name that uses it, through others without, and as what."""
    user, role, seen = name, "", {name}
    while _NUMBERED.fullmatch(user):
        user, role = users.get(user, ("unused", ""))
        if user in seen:
            return "unused", ""
        seen.add(user)
    return user, role


# --- writing

_DONE = "\0"  # before a name that is not to be changed again


def _written(
    module: _Module,
    names: Mapping[str, Mapping[str, str]],
    called: Mapping[str, str],
    comment: str,
    order: Sequence[str],
) -> str:
    """A module under its comment, its ports declared in its head."""
    own = names[module.name]

    def part(found: re.Match[str]) -> str:
        ports = names.get(found[1], {})
        inside = _PORT.sub(lambda port: f".{_DONE}{ports.get(port[1], port[1])}(", found[3])
        return f"  {called.get(found[1], _words(found[1]))} {found[2]} (\n{inside}  );\n"

    body = _PART.sub(part, module.body)
    body = re.sub(rf"{_DONE}\w+|{_TOKEN.pattern}", lambda name: own.get(name[0], name[0]), body)
    body = body.replace(_DONE, "")
    ports = [own.get(port, port) for port in module.ports]
    clocks = [port for port in (CLOCK, RESET) if port in ports]
    declared = []
    for port in dict.fromkeys((*clocks, *order, *ports)):
        declaration, body = _declared(port, body)
        declared.append(declaration)
    body = _initialised(_REPEATED.sub(_repeat, body), declared)
    said = "".join(f"// {line}".rstrip() + "\n" for line in comment.splitlines())
    head = ",\n".join(declared)
    return f"{said}module {called[module.name]} (\n{head}\n);\n{body}"


_REPEATED = re.compile(r"(?<=[ {])(\w+(?:\[\d+\])?)(?:, \1(?![\w[]))+")


def _repeat(found: re.Match[str]) -> str:
    """The same bit several times, by its number."""
    return f"{{{found[0].count(', ') + 1}{{{found[1]}}}}}"


def _initialised(body: str, ports: list[str]) -> str:
    """The body with the values at power-on in a block, no longer where registers are declared.

    Ports lose theirs in the list.
    """
    values: list[str] = []

    def declaration(found: re.Match[str]) -> str:
        values.append(f"    {found[2]} = {found[3]};\n")
        return found[1] + found[2]

    ports[:] = [_INITIAL.sub(declaration, port) for port in ports]
    body = _INITIAL.sub(declaration, body)
    if not values:
        return body
    first = _FIRST_STATEMENT.search(body)
    at = first.start() if first else len(body)
    return f"{body[:at]}  initial begin\n{''.join(values)}  end\n{body[at:]}"


_INITIAL = re.compile(r"^(  (?:output )?reg (?:signed )?(?:\[\d+:\d+\] )?)(\w+) = ([^;\n]+)", re.M)
_FIRST_STATEMENT = re.compile(r"^  (?!wire |reg |//)", re.MULTILINE)


def _declared(port: str, body: str) -> tuple[str, str]:
    """The declaration of a port for the head of its module, and the body without it."""
    direction = re.compile(rf"^  (input|output)((?: signed)?(?: \[\d+:\d+\])?) {port};\n", re.M)
    kind = re.compile(rf"^  (wire|reg)((?: signed)?(?: \[\d+:\d+\])?) {port}( = [^;]+)?;\n", re.M)
    way, net = direction.search(body), kind.search(body)
    assert way is not None
    assert net is not None
    body = kind.sub("", direction.sub("", body, count=1), count=1)
    return f"  {way[1]} {net[1]}{net[2]} {port}{net[3] or ''}", body
