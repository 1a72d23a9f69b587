"""The report in a real browser: what strangers wrote does nothing, and people can use the page."""

import struct
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from threading import Thread

import pytest

import pipeline
from pipeline.__main__ import main
from pipeline.report import write_report
from tests.conftest import ROOT
from tests.report.chromium import BROWSER, Chromium
from tests.report.picture import PICTURE, SIZE, draw
from tests.report.tables import document, flag, write_tables
from tests.report.test_report import HOSTILE, MARK, hostile, small

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="there is no Chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("seed") / "out"
    assert main(["run", str(ROOT / "seeds"), str(output), "--workers", "1"]) == 0
    return output


def text_of(browser: Chromium, selector: str) -> str:
    return browser.run(f"document.querySelector({selector!r}).textContent")


# --- strangers


def complaints(browser: Chromium) -> list[dict]:
    """What the browser logged: refusals of the policy among them."""
    named = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    return [event for event in browser.events if event.get("method") in named]


def requests(browser: Chromium) -> list[str]:
    sent = [e for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    return [event["params"]["request"]["url"] for event in sent]


def test_what_strangers_wrote_neither_runs_nor_loads(browser: Chromium, tmp_path: Path) -> None:
    report = write_report(hostile(tmp_path))
    browser.open(report)
    title, tags = browser.run("document.title"), browser.run("document.all.length")
    count = browser.run("document.querySelectorAll('.item').length")
    assert count == len(HOSTILE)
    for at in range(count):  # every document is opened, and every flag's evidence
        browser.run(f"document.querySelectorAll('.item')[{at}].click()")
        marks = browser.run("document.querySelectorAll('#document .body mark.flag').length")
        assert marks >= 1
        for mark in range(marks):
            browser.run(f"document.querySelectorAll('#document .body mark.flag')[{mark}].focus()")
            assert browser.run("!document.getElementById('tip').hidden")
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    for selector in ("#search", "#pair-search"):
        for text in HOSTILE:
            browser.run(
                f"{{ const box = document.querySelector({selector!r}); box.value = {text[:50]!a};"
                "box.dispatchEvent(new Event('input')); }"
            )
    time.sleep(0.3)
    assert browser.run(f"document.documentElement.dataset.{MARK}") is None
    assert browser.run("document.title") == title
    assert browser.run("location.href").startswith(report.resolve().as_uri())
    assert requests(browser) == [report.resolve().as_uri()]
    assert complaints(browser) == []  # nothing was even tried: the policy had nothing to refuse
    assert browser.run("document.querySelectorAll('img, iframe, link, svg [onload]').length") == 0
    assert browser.run("document.scripts.length") == 2
    assert tags > 100


def test_the_policy_holds_if_the_page_should_not(browser: Chromium, tmp_path: Path) -> None:
    """The second wall: were a text taken for HTML after all, it would neither run nor load."""
    hits: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        timeout = 0.2  # Chromium connects in advance, policy or not, and then asks for nothing

        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = TCPServer(("127.0.0.1", 0), Handler)  # HTTPServer asks a name server
    Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{server.server_address[1]}"
    html = write_report(small(tmp_path)).read_text(encoding="utf-8")
    breach = (
        f"<script>document.documentElement.dataset.{MARK}=1</script>"
        f"<img src='{host}/img' onerror='document.documentElement.dataset.{MARK}=2'>"
        f"<script src='{host}/script'></script><link rel=stylesheet href='{host}/style'>"
        f"<iframe src='{host}/frame'></iframe><style>body{{background:url({host}/css)}}</style>"
    )
    path = tmp_path / "breached.html"
    path.write_text(html.replace("</main>", breach + "</main>"), encoding="utf-8")
    browser.open(path)
    for call in ("eval('1')", "document.body.innerHTML = '<b>x</b>'", f"fetch('{host}/fetch')"):
        browser.run(f"try {{ {call}; }} catch (error) {{}}")
    time.sleep(0.3)
    server.shutdown()
    assert hits == []
    assert browser.run(f"document.documentElement.dataset.{MARK}") is None
    assert browser.run("document.querySelector('main') !== null")
    assert len(complaints(browser)) >= 5


def test_what_cannot_be_seen_is_shown_by_its_code(browser: Chromium, tmp_path: Path) -> None:
    text = "甲\u202e乙\u200b\x1b[31m丙"
    output = write_tables(tmp_path, [{"documents": [document("a", text, title=text)]}])
    browser.open(write_report(output))
    for selector in ("#document .body", "#document h3", ".item b"):
        assert text_of(browser, selector) == "甲U+202E乙U+200BU+001B[31m丙"


def test_a_line_without_an_end_does_not_widen_the_page(browser: Chromium, tmp_path: Path) -> None:
    browser.open(write_report(hostile(tmp_path)), 390, 800)
    assert browser.run("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [1280, 850, 700, 390, 360])
def test_large_numbers_fit_their_cards(browser: Chromium, tmp_path: Path, width: int) -> None:
    large = {"n_chars": 2_000_000_000, "n_han": 2_000_000_000, "n_flags": 200_000_000}
    rows = [document(f"{i:02}", "甲", **large) for i in range(20)]
    browser.open(write_report(write_tables(tmp_path, [{"documents": rows}])), width, 800)
    numbers = "[...document.querySelectorAll('.card b')]"
    assert "40,000,000,000" in browser.run(f"{numbers}.map(b => b.textContent)")
    wide = browser.run(f"{numbers}.filter(b => b.scrollWidth > b.clientWidth).length")
    assert wide == 0


def test_on_a_phone_examples_stand_under_their_substitution(browser: Chromium, seed: Path) -> None:
    browser.open(seed / "report.html", 390, 800)
    places = browser.run(
        "[...document.querySelectorAll('#pairs tbody tr')].map(r => [r, r.querySelector('.wide')]"
        ".map(n => n.getBoundingClientRect()).flatMap(b => [b.left, b.right, b.height]))"
    )
    assert len(places) == 100
    for _, _, height, left, right, own in places:
        assert 0 <= left < right <= 390
        assert height < own + 40, "no row is higher than its words need"


# --- the README's picture


def test_the_picture_can_be_made_again(seed: Path, tmp_path: Path) -> None:
    draw(seed / "report.html", tmp_path / "picture.png")
    data = (tmp_path / "picture.png").read_bytes()
    assert struct.unpack(">II", data[16:24]) == SIZE
    assert len(data) > PICTURE.stat().st_size / 4, "an empty page has few bytes"


# --- readers


def test_the_seed_as_it_stands_and_restored(browser: Chromium, seed: Path) -> None:
    browser.open(seed / "report.html")
    sentences = pipeline.read("sentences", seed)
    text, restored = "".join(sentences.text), "".join(sentences.restored)
    assert len(text) < 4000
    assert text_of(browser, ".side:first-child .body") == text
    assert text_of(browser, ".side:last-child .body") == restored
    assert complaints(browser) == []


def test_offsets_are_code_points(browser: Chromium, tmp_path: Path) -> None:
    text = "𠮷😀害逝世人"
    rows = {"documents": [document("a", text)], "flags": [flag("a", 3, "逝世", "死")]}
    browser.open(write_report(write_tables(tmp_path, [rows])))
    assert text_of(browser, "#document .body mark.flag") == "逝世"
    assert text_of(browser, ".side:last-child .body") == "𠮷😀害死人"


def test_the_evidence_by_keyboard_and_by_mouse(browser: Chromium, tmp_path: Path) -> None:
    browser.open(write_report(small(tmp_path)))
    browser.run("document.getElementById('document').focus()")
    browser.key("Tab", 9)
    assert browser.run("document.activeElement.textContent") == "情势"
    tip = text_of(browser, "#tip")
    assert "情势 → 形式 0.900" in tip
    assert "语言模型增益 gain, nats5" in tip
    browser.key("Tab", 9)
    assert "逝世 → 死 0.960" in text_of(browser, "#tip")
    assert browser.run("document.querySelectorAll('mark.lit').length") == 2  # both sides
    browser.key("Escape", 27)
    assert browser.run("document.getElementById('tip').hidden")
    x, y = browser.run(
        "(() => { const m = document.querySelectorAll('#document .body mark.flag')[3];"
        " m.scrollIntoView({block: 'center', behavior: 'instant'});"
        " const r = m.getBoundingClientRect(); return [r.x + 5, r.y + 5]; })()"
    )
    time.sleep(0.4)  # scrolling closes what was open
    browser.hover(x, y)
    assert browser.run("!document.getElementById('tip').hidden")
    assert "畸形 → 正常 0.600" in text_of(browser, "#tip")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_evidence_stays_where_tab_scrolls(browser: Chromium, seed: Path, width: int) -> None:
    browser.open(seed / "report.html", width, 700)
    marks = "document.querySelectorAll('#document .body mark.flag')"
    browser.run(f"{marks}[59].focus()")
    browser.key("Tab", 9)
    time.sleep(1)
    assert browser.run("scrollY") > 500
    assert browser.run(f"document.activeElement === {marks}[60]")
    assert browser.run("!document.getElementById('tip').hidden")
    box = browser.run(
        "(() => { const r = document.getElementById('tip').getBoundingClientRect();"
        " return [r.left, r.top, r.right - innerWidth, r.bottom - innerHeight]; })()"
    )
    below, above = browser.run(
        "(() => { const m = document.activeElement.getBoundingClientRect();"
        " const r = document.getElementById('tip').getBoundingClientRect();"
        " return [m.bottom <= r.top + 1, r.bottom <= m.top + 1]; })()"
    )
    assert below or above  # it does not cover what it speaks of
    assert box[0] >= 0 <= box[1]
    assert box[2] <= 0 >= box[3]


def type_in(browser: Chromium, box: str, value: str) -> list[str]:
    browser.run(
        f"{{ const box = document.getElementById({box!r}); box.value = {value!r};"
        "box.dispatchEvent(new Event('input')); }"
    )
    return browser.run("[...document.querySelectorAll('.item')].map(i => i.hash.slice(3))")


def test_filter_and_search(browser: Chromium, tmp_path: Path) -> None:
    browser.open(write_report(small(tmp_path)))
    assert type_in(browser, "search", "") == ["a1", "b2", "c3", "d4"]
    assert type_in(browser, "search", "再来") == ["b2"]
    assert "再来" in text_of(browser, "#document .body")
    assert type_in(browser, "search", "制度") == ["a1"]  # a suggestion
    assert type_in(browser, "search", "没有这样的") == []
    assert type_in(browser, "search", "") == ["a1", "b2", "c3", "d4"]
    assert type_in(browser, "stratum", "odd") == ["c3"]
    assert type_in(browser, "stratum", "") == ["a1", "b2", "c3", "d4"]
    assert type_in(browser, "order", "length") == ["b2", "a1", "c3", "d4"]
    browser.run("document.querySelectorAll('.item')[1].click()")
    time.sleep(0.1)
    type_in(browser, "least", "0.5")
    assert browser.run("document.querySelectorAll('#document .body mark.flag').length") == 3
    type_in(browser, "pair-search", "死")
    assert browser.run("document.querySelectorAll('#pairs tbody tr').length") == 1


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_wide_and_narrow_light_and_dark(
    browser: Chromium, seed: Path, width: int, dark: bool
) -> None:
    browser.open(seed / "report.html", width, 800, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") == width
    paper = "getComputedStyle(document.body).backgroundColor"
    light = int(browser.run(paper).strip("rgb()").split(",")[0]) > 128
    assert light is not dark
    browser.run("document.getElementById('theme').click()")
    assert (int(browser.run(paper).strip("rgb()").split(",")[0]) > 128) is dark
    beside = browser.run(
        "(() => { const [a, b] = [...document.querySelectorAll('.side')]"
        ".map(s => s.getBoundingClientRect()); return a.top === b.top; })()"
    )
    assert beside is (width > 640)
