"""Opens a page in a browser and prints as JSON what is seen; run it in a process of its own.

    python -m tests.accelsim.report.browser PAGE.html [PICTURE.png]

The browser is Chromium, as Qt's WebEngine, without a screen. It may load the page and nothing
else; what the page asks for is reported.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
# Chromium's sandbox needs rights that containers do not give, and the page is our own.
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--no-sandbox --disable-gpu"

from PyQt6.QtCore import QRect, QSize, QTimer, QUrl
from PyQt6.QtWebEngineCore import (
    QWebEnginePage,
    QWebEngineProfile,
    QWebEngineUrlRequestInterceptor,
)
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication

WIDTH, HEIGHT = 1200, 9000  # pixels, for the whole page at once
PAINT_MS = 300  # until one looks again whether all is painted
LIMIT_MS = 60_000

SEEN = """(() => {
  const box = element => element.getBoundingClientRect();
  const svgs = [...document.querySelectorAll('svg')];
  const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
  const uses = [...document.querySelectorAll('use')].map(
    element => element.getAttribute('xlink:href') || element.getAttribute('href'));
  const outside = svgs.flatMap(svg => [...svg.querySelectorAll('text')].filter(text => {
    const [a, b] = [box(text), box(svg)];
    return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1
      || a.bottom > b.bottom + 1;
  }).map(text => text.textContent));
  return JSON.stringify({
    title: document.title,
    mode: document.compatMode,
    headings: [...document.querySelectorAll('h2')].map(element => element.textContent),
    text: document.body.innerText,
    tables: [...document.querySelectorAll('table')].map(table =>
      [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))),
    plots: svgs.map(svg => ({
      label: svg.getAttribute('aria-label'), width: box(svg).width, height: box(svg).height,
      words: [...svg.querySelectorAll('text')].map(text => text.textContent),
      marks: svg.querySelectorAll('path, use').length })),
    outside,
    repeated: ids.filter((id, place) => ids.indexOf(id) !== place),
    dangling: uses.filter(use => !document.querySelector(use)),
    height: box(document.body).bottom,
    end: [box(document.body.lastElementChild).left, box(document.body.lastElementChild).bottom],
    wider: document.documentElement.scrollWidth > window.innerWidth,
  });
})()"""


class Guard(QWebEngineUrlRequestInterceptor):
    """Lets the page through and nothing else."""

    def __init__(self, page: QUrl) -> None:
        super().__init__()
        self.page = page
        self.asked: list[str] = []

    def interceptRequest(self, info: Any) -> None:  # noqa: N802, the name is Qt's
        url = info.requestUrl()
        if url != self.page:
            self.asked.append(url.toString())
            info.block(True)


class Page(QWebEnginePage):
    """A page that keeps what the browser complains about."""

    def __init__(self, profile: QWebEngineProfile) -> None:
        super().__init__(profile)
        self.complaints: list[str] = []

    def javaScriptConsoleMessage(self, *message: Any) -> None:  # noqa: N802, the name is Qt's
        self.complaints.append(str(message[1]))


def main(path: Path, picture: Path | None) -> None:
    application = QApplication(["browser"])
    address = QUrl.fromLocalFile(str(path.resolve()))
    profile, guard, view = QWebEngineProfile(), Guard(address), QWebEngineView()
    profile.setUrlRequestInterceptor(guard)
    page = Page(profile)
    view.setPage(page)
    view.resize(QSize(WIDTH, HEIGHT))
    view.show()

    def loaded(well: bool) -> None:
        page.runJavaScript(SEEN, lambda text: looked(well, json.loads(text)))

    def looked(well: bool, seen: dict[str, Any]) -> None:
        seen |= {"loaded": well, "asked": guard.asked, "complaints": page.complaints}
        QTimer.singleShot(PAINT_MS, lambda: painted(seen))

    def painted(seen: dict[str, Any]) -> None:
        shown = view.grab(QRect(0, 0, WIDTH, min(HEIGHT, int(seen["height"]) + 60)))
        image = shown.toImage()
        left, bottom = map(int, seen["end"])
        if image.pixelColor(left + 3, bottom - 3).name() == "#ffffff":  # the last part has a shade
            QTimer.singleShot(PAINT_MS, lambda: painted(seen))
            return
        if picture:
            shown.save(str(picture))
        spots = ((x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7))
        seen["colours"] = sorted({image.pixelColor(*spot).name() for spot in spots})
        print(json.dumps(seen), flush=True)
        application.quit()

    page.loadFinished.connect(loaded)
    QTimer.singleShot(LIMIT_MS, lambda: application.exit(1))
    view.load(address)
    status = application.exec()
    os._exit(status)  # Qt's order of destruction at the end is of no interest


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
