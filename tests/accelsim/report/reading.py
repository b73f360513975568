"""What a browser makes of a page: its elements by the rules of HTML, its plots as pixels.

html5lib follows the algorithm by which browsers read HTML, and refuses what they would mend; resvg
draws SVG, text included. Neither is what made the page.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import html5lib
import matplotlib as mpl
import resvg_py
from PIL import Image

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
NAMESPACE = "{http://www.w3.org/2000/xmlns/}"  # of attributes that name namespaces
FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"  # the same wherever it runs
MARGIN = 50.0  # that is looked at around a plot, in its own units
WHITE = "#ffffff"


def look(text: str) -> dict[str, Any]:
    """What is seen of a page; ParseError where it is no HTML."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    page = parser.parse(text)
    body = page.find("body")
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    uses = [element.get(f"{XLINK}href") for element in page.iter(f"{SVG}use")]
    return {
        "mode": parser.compatMode,
        "title": page.findtext("head/title"),
        "text": " ".join("".join(body.itertext()).split()),
        "tables": [
            [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
            for table in page.iter("table")
        ],
        "frames": {frame(body, element) for name in ("table", f"{SVG}svg")
                   for element in body.iter(name)},
        "plots": [plot(svg) for svg in page.iter(f"{SVG}svg")],
        "repeated": [name for name in set(ids) if ids.count(name) > 1],
        "dangling": [use for use in uses if use.removeprefix("#") not in ids],
    }  # fmt: skip


def frame(body: Element, wanted: Element) -> tuple[str, str]:
    """Name and class of what an element stands in."""
    parent = next(parent for parent in body.iter() if wanted in list(parent))
    return parent.tag, parent.get("class", "")


def plot(svg: Element) -> dict[str, Any]:
    """What is seen of a plot.

    outside : colours of what is drawn beyond its edges, where a browser cuts it off.
    """
    left, top, width, height = map(float, svg.get("viewBox").split())
    around = left - MARGIN, top - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN
    shown, wider = draw(svg, (left, top, width, height)), draw(svg, around)
    inner = (MARGIN, MARGIN, MARGIN + width, MARGIN + height)
    wider.paste(WHITE, tuple(round(edge) for edge in inner))
    return {
        "label": svg.get("aria-label"),
        "width": width,
        "height": height,
        "words": ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")],
        "marks": sum(1 for name in ("path", "use") for _ in svg.iter(f"{SVG}{name}")),
        "colours": set(colours(shown)),
        "outside": set(colours(wider)) - {WHITE},
    }


def draw(svg: Element, box: tuple[float, ...]) -> Image.Image:
    """A plot, or more than it, on white paper, a pixel for a unit."""
    box_text = " ".join(map(str, box))
    size = {"viewBox": box_text, "width": str(box[2]), "height": str(box[3])}
    kept = {name: text for name, text in svg.attrib.items() if not name.startswith(NAMESPACE)}
    root = Element(svg.tag, kept | size)
    root.extend(svg)
    ElementTree.register_namespace("", SVG.strip("{}"))
    content = ElementTree.tostring(root, encoding="unicode")
    png = resvg_py.svg_to_bytes(
        content, background=WHITE, skip_system_fonts=True, font_dirs=[str(FONTS)]
    )
    return Image.open(io.BytesIO(png)).convert("RGB")


def colours(image: Image.Image) -> Iterator[str]:
    """Colours that a picture has, such as "#0072b2"."""
    for _, colour in image.getcolors(image.width * image.height):
        yield "#" + bytes(colour).hex()
