"""A result as one page of HTML that needs nothing else: no script, no network, no other file."""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

from accelsim.energy import LEFT_OUT
from accelsim.engines import engine_of
from accelsim.hardware import Hardware, is_third_party, to_toml
from accelsim.hardware.clock import sentence
from accelsim.hls.reports import Resource
from accelsim.phrases import milliseconds, of_batch
from accelsim.report import energy, plot, plot_energy, plot_results, style, table
from accelsim.request import RTL
from accelsim.result import LayerResult, Result
from accelsim.saved import SavedResult
from accelsim.study.published import ModelResult
from accelsim.study.ways import DepthwiseWays

LAYER_COLUMNS = (
    *("layer", "operator", "engine", "dataflow", "cycles", "bound", "share", "utilisation"),
    *("memory bytes", "with memory", "bound by"),
    *("MACs", "skipped", "params", "bytes filled", "bytes of results"),
)
CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "?")  # no text in HTML
WORDS = 4  # of these columns hold words, all others numbers
POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # nothing may be fetched, whatever happens

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; margin: 2rem auto; padding: 0 1.5rem;
       max-width: 76rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p.about { color: #555; margin: .2rem 0 1.2rem; }
p { margin: .35rem 0; }
dl { display: flex; flex-wrap: wrap; gap: .8rem; margin: 0 0 1rem; }
dl div { border: 1px solid #ccc; border-radius: 6px; padding: .5rem .9rem; }
dt { color: #555; font-size: .85rem; } dd { margin: 0; font-size: 1.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .55rem; text-align: right; white-space: nowrap;
         border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 1px solid #888; } .word { text-align: left; }
td.word:last-child { white-space: normal; }
tr.host td { color: #777; } tr.total td { font-weight: bold; border-top: 1px solid #888; }
pre { background: #f5f5f5; padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; }
figure { margin: 1rem 0; overflow-x: auto; }
svg { max-width: 100%; min-width: 44rem; height: auto; }  /* or words were too small to read */
figcaption { color: #555; font-size: .9rem; }
@media print { body { margin: 0; max-width: none; } svg { min-width: 0; }
               .wide, figure { overflow: visible; }
               table { font-size: .6rem; } th, td { padding: .1rem .25rem; }
               tr, figure, dl div { break-inside: avoid; } h2 { break-after: avoid; }
               pre { white-space: pre-wrap; } }
"""


def html(
    saved: SavedResult,
    result: Result | None,
    depthwise: DepthwiseWays | None,
    models: Sequence[ModelResult],
) -> str:
    """The page of a saved result.

    Parameters
    ----------
    result : the same with its graph; None where that is not known.
    depthwise : its depthwise layers in every way.
    models : what published models say of it.
    """
    name = f"{saved.network} {saved.variant}"
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="about">{escape(_about(saved))}</p>',
        _tiles(saved),
        *(
            f"<p>{escape(note)}</p>"
            for note in (table.notes(result, depthwise)[1:] if result else table.use_notes(saved))
        ),
        "<h2>Published models</h2>",
        *_published(saved, result, models),
        "<h2>Layers</h2>",
        _figure(plot.layers_figure(saved), "layers", "Cycles of every layer, and utilisation."),
        "<h2>Along time</h2>",
        _figure(plot_results.timeline(saved), "timeline", "When each engine runs which layer."),
        *_roofline(saved),
        *_energy(saved),
        "<h2>Every layer</h2>",
        _layers(saved),
        "<h2>Hardware</h2>",
        _resources(saved.hardware),
        f"<pre>{escape(to_toml(saved.hardware))}</pre>",
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(name)}, {escape(saved.hardware.label)}</title>",
            f"<style>{STYLE}</style></head>",
            "<body>",
            *parts,
            "</body></html>",
            "",
        ]
    ).translate(CONTROLS)


def _about(saved: SavedResult) -> str:
    reads = "independent layers" if saved.input is None else f"input {table.show(saved.input)}"
    return (
        f"{saved.hardware.label}, {reads}{of_batch(saved.batch)}, timing {saved.timing}, "
        f"fidelity {saved.fidelity}, seed {saved.seed}; accelsim {saved.version}. "
        f"{sentence(saved.hardware.clock)}"
    )


def _tiles(saved: SavedResult) -> str:
    """The totals."""
    hardware, cycles = saved.hardware, saved.total_cycles
    clock = f"at {hardware.clock_mhz:g} MHz"
    with_memory = (
        ()
        if saved.total_memory_cycles is None
        else (
            ("clocks with memory", f"{saved.total_memory_cycles:,}"),
            (f"time with memory {clock}", f"{milliseconds(saved.time_ms)} ms"),
        )
    )
    tiles = (
        ("cycles", f"{cycles:,}"),
        (f"time computing {clock}", f"{saved.computing_ms:,.3f} ms"),
        *with_memory,
        *(
            ()
            if saved.batch == 1
            else (("cycles for each image", f"{saved.cycles_per_image:,.1f}"),)
        ),
        ("utilisation", table.share(saved.utilization)),
        *(
            ()
            if saved.energy_by is None
            else (
                (f"energy by {saved.energy_by}", f"{energy.microjoules(saved.total_energy_pj)} uJ"),
            )
        ),
        ("multipliers", f"{hardware.multipliers:,}"),
        ("MACs", f"{saved.total_macs:,}"),
        ("parameters", f"{saved.total_params:,}"),
    )
    cells = (f"<div><dt>{escape(what)}</dt><dd>{escape(much)}</dd></div>" for what, much in tiles)
    return f"<dl>{''.join(cells)}</dl>"


def _published(
    saved: SavedResult, result: Result | None, models: Sequence[ModelResult]
) -> list[str]:
    """What published models say of the same layers on the same array."""
    if result is None:
        return ["<p>The network is of a file, or has changed since; it cannot be compared.</p>"]
    if not models:
        return ["<p>They are models of systolic arrays, and this design has none.</p>"]
    rows, compared = [_ratio("this result", saved.timing, saved, saved)], [saved]
    for model in models:
        if model.refusal:
            rows.append((model.name, "-", "-", model.refusal))
        else:
            made = replace(saved, timing=model.name, hardware=model.hardware, layers=model.layers)
            rows.append(_ratio(model.name, model.timing, made, saved))
            compared.append(made)
    alone = models[0].hardware.label
    caption = "The same layers by operator; a segment is a layer."
    return [
        f"<p>The same layers on the {escape(alone)} alone, as others count them.</p>",
        _table(("model", "cycles", "of this result", "what it is"), rows, (0, 3)),
        _figure(plot_results.stack(compared), "stack", caption),
    ]


def _ratio(name: str, timing: str, made: SavedResult, saved: SavedResult) -> tuple[str, ...]:
    """A row of the comparison."""
    about = dict(table.MODEL_NOTES).get(timing, "our hardware" if timing == RTL else "")
    share = f"{made.total_cycles / saved.total_cycles:.2f} x" if saved.total_cycles else "-"
    return name, f"{made.total_cycles:,}", share, about


def _roofline(saved: SavedResult) -> list[str]:
    """The roofline, where the bytes of layers are known."""
    if not plot_results.spots(saved):
        return []
    caption = "A layer above the slope of a memory would wait for it; filling is off the clock."
    drawn = _figure(plot_results.roofline(saved), "roofline", caption)
    return ["<h2>Multipliers or memory</h2>", drawn]


def _energy(saved: SavedResult) -> list[str]:
    """Where energy goes, where it was counted."""
    if (spent := saved.total_energy) is None:
        return []
    whole = sum(spent.values())
    rows = [
        (kind, energy.microjoules(spent[kind]), table.percent(spent[kind], whole))
        for kind in sorted(spent, key=lambda kind: -spent[kind])
    ]
    caption = "Accesses of all layers times the table's pJ, by groups of accesses."
    return [
        "<h2>Where energy goes</h2>",
        _figure(plot_energy.energy([saved]), "energy", caption),
        _table(("access", energy.COLUMN, "share"), rows, (0,)),
        f"<p>{escape(LEFT_OUT)}</p>",
    ]


def _layers(saved: SavedResult) -> str:
    """All layers, those on the host in grey, and the totals."""
    rows = [_layer(layer, saved.total_cycles) for layer in saved.layers]
    kinds = ["host" if layer.not_modelled else "" for layer in saved.layers]
    total = (
        *("total", "", "", ""),
        *(f"{saved.total_cycles:,}", ""),
        *("", table.share(saved.utilization)),
        *(table.count(saved.total_offchip_bytes), table.count(saved.total_memory_cycles), ""),
        *(f"{saved.total_macs:,}", f"{saved.total_skipped_macs:,}"),
        *(f"{saved.total_params:,}", "", ""),
    )
    return _table(LAYER_COLUMNS, [*rows, total], range(WORDS), [*kinds, "total"])


def _layer(layer: LayerResult, total: int) -> tuple[str, ...]:
    memory = map(table.count, (layer.offchip_bytes, layer.memory_cycles))
    if layer.not_modelled:
        words = (layer.name, layer.op, layer.engine, "not modelled")
        return (*words, *["-"] * 4, *memory, *["-"] * 6)
    numbers = (
        *(layer.macs, layer.skipped_macs, layer.params),
        *(layer.read_bytes, layer.write_bytes),
    )
    return (
        *(layer.name, layer.op, layer.engine, layer.dataflow or "-"),
        *(table.count(layer.cycles), table.count(layer.bound_cycles)),
        *(table.percent(layer.cycles, total), table.share(layer.utilization)),
        *memory,
        layer.bound_by or "-",
        *map(table.count, numbers),
    )


def _resources(hardware: Hardware) -> str:
    """Multipliers, registers and memories of the generated core, and buffers; no models."""
    rows = [
        (sizes.name, part.name, *(f"{size:,}" for size in part[1:]))
        for sizes in hardware.engines
        if not is_third_party(sizes)
        for part in engine_of(sizes).resources(sizes)
    ]
    if (memory := hardware.memory) is not None:
        buffers = ("maps", memory.activation_bytes), ("weights", memory.weight_bytes)
        rows += [("memory", f"buffer for {what}", "0", "0", f"{8 * b:,}") for what, b in buffers]
    return _table(("engine", *Resource._fields), rows, (0, 1)) if rows else ""


def _table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    words: Iterable[int],
    kinds: Sequence[str] = (),
) -> str:
    """A table; columns whose places are in `words` hold words, `kinds` are classes of the rows."""
    left = set(words)

    def line(cells: Sequence[str], tag: str, kind: str = "") -> str:
        made = (
            f'<{tag} class="word">{escape(cell)}</{tag}>'
            if place in left
            else f"<{tag}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(cells)
        )
        return f'<tr class="{kind}">{"".join(made)}</tr>' if kind else f"<tr>{''.join(made)}</tr>"

    titles = [column.replace("_", " ") for column in columns]
    body = [line(row, "td", kinds[place] if kinds else "") for place, row in enumerate(rows)]
    head = f"<thead>{line(titles, 'th')}</thead>"
    # What is wider than the window is scrolled, by keys as well.
    return (
        f'<div class="wide" tabindex="0"><table>{head}<tbody>{"".join(body)}</tbody></table></div>'
    )


def _figure(made: Figure, name: str, caption: str) -> str:
    """A plot as SVG within the page, its text as text."""
    content = io.StringIO()
    with style.any_script(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        made.savefig(content, format="svg", bbox_inches="tight", pad_inches=0.15)
    svg = content.getvalue()
    svg = re.sub("<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # Marks and clips go by names, which must differ between the plots of a page.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    label = f'<svg role="img" aria-label="{escape(caption)}"'
    svg = svg.replace("<svg", label, 1).rstrip()
    return f'<figure tabindex="0">{svg}<figcaption>{escape(caption)}</figcaption></figure>'
