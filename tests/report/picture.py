"""The README's picture: the report of `make` on the seed, as a browser shows it.

`python -m tests.report.picture` makes `tests/report/picture.png` again. It wants a Chromium and a
font with Chinese glyphs (`apt-get install chromium fonts-noto-cjk`).
"""

import sys
import tempfile
import time
from pathlib import Path

from pipeline.__main__ import main
from tests.conftest import ROOT
from tests.report.chromium import BROWSER, Chromium

PICTURE = Path(__file__).with_name("picture.png")
SIZE = 832, 740
SHOWN = "积极"
"""The restored word whose evidence is open."""


def draw(report: Path, target: Path) -> None:
    """The documents to read, with the evidence of one flag, as PNG."""
    with Chromium() as browser:
        browser.open(report, *SIZE)
        time.sleep(0.5)  # fonts
        browser.run("document.querySelector('.legend').scrollIntoView({behavior: 'instant'})")
        browser.run("scrollBy({top: 50, behavior: 'instant'})")
        time.sleep(0.3)
        marks = "[...document.querySelectorAll('#document .body mark.new')]"
        x, y = browser.run(
            f"(() => {{ const m = {marks}.find(m => m.textContent === {SHOWN!r});"
            " const r = m.getBoundingClientRect(); return [r.x + 9, r.y + 9]; })()"
        )
        browser.hover(x, y)
        time.sleep(0.3)
        browser.picture(target)


if __name__ == "__main__":
    if BROWSER is None:
        sys.exit("there is no Chromium: apt-get install chromium fonts-noto-cjk")
    with tempfile.TemporaryDirectory() as folder:
        if main(["run", str(ROOT / "seeds"), folder, "--workers", "1"]):
            sys.exit(1)
        draw(Path(folder) / "report.html", PICTURE)
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")  # noqa: T201 - it is a command
