"""Bar charts as SVG, drawn here.

The report needs histograms and nothing else. A plotting library would add 60 to 100 MB (matplotlib)
or 1 to 4 MB of script to each report (plotly, altair, which wants `eval` too) for what are thirty
rectangles, and none would follow the page from light to dark. Text stays text: the browser's
fonts draw it, so Chinese needs no font file on the machine that makes the report; a library that
draws the glyphs itself would have to bring one of 20 MB.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from pipeline.report.counting import Documents, Flags, Sentences
from pipeline.report.histograms import Histogram

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 24

Label = Callable[[float], str]


class Chart(NamedTuple):
    """One histogram and how it is labelled."""

    title: str
    histogram: Histogram
    label: Label
    """How a value on the horizontal axis is written."""
    logarithmic: bool = False
    """Whether the heights are: where one bar holds nearly all."""


def share(value: float) -> str:
    """A share as per cent: ``share(0.125) == "12.5%"``."""
    return f"{value * 100:.3g}%"


def number(value: float) -> str:
    """A number in three figures at most: ``number(1234.5) == "1,230"``.

    >>> number(1234.5), number(0.25), number(20.0)
    ('1,230', '0.25', '20')
    """
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    return (
        f"{round(value, digits):,.{max(0, digits)}f}".rstrip("0").rstrip(".")
        if digits > 0
        else (f"{round(value, digits):,.0f}")
    )


def charts(documents: Documents, flags: Flags, sentences: Sentences) -> Mapping[str, str]:
    """Name to SVG."""
    of = {
        "spun_probability": Chart("spun_probability", documents.spun_probability, number, True),
        "spin_rate": Chart("spin_rate", documents.spin_rate, share),
        "probability": Chart("probability", flags.probability, number),
        "sentence_chars": Chart("sentence length", sentences.lengths, number),
    }
    for name, histogram in documents.signals.items():
        label = share if name.endswith(("share", "repetition")) else number
        logarithmic = name in {"line_repetition", "injected_share"}
        of[name] = Chart(name, histogram, label, logarithmic)
    return {name: svg(chart) for name, chart in of.items()}


def svg(chart: Chart) -> str:
    """The chart as an `svg` element: rectangles with a title each, two axes."""
    root = ET.Element(
        "svg",
        {
            "viewBox": f"0 0 {WIDTH} {HEIGHT}",
            "role": "img",
            "class": "chart",
            "aria-label": f"{chart.title}: {chart.histogram.count:,}",
        },
    )
    bars, edges = chart.histogram.bars(), chart.histogram.edges()
    top = max(1, *bars)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    for mark in _marks(top, logarithmic=chart.logarithmic):
        y = f"{TOP + height * (1 - _height(mark, top, logarithmic=chart.logarithmic)):.1f}"
        ET.SubElement(root, "line", {"x1": f"{LEFT}", "x2": f"{WIDTH - RIGHT}", "y1": y, "y2": y})
        place = {"x": f"{LEFT - 6}", "y": y, "class": "y"}
        ET.SubElement(root, "text", place).text = _short(mark)
    step = width / len(bars)
    for at, count in enumerate(bars):
        tall = height * _height(count, top, logarithmic=chart.logarithmic)
        tall = max(tall, 1.5) if count else 0.0  # one of a million is still seen
        shape = {
            "x": f"{LEFT + at * step + 0.5:.1f}",
            "y": f"{TOP + height - tall:.1f}",
            "width": f"{step - 1:.1f}",
            "height": f"{tall:.1f}",
        }
        bar = ET.SubElement(root, "rect", shape)
        ET.SubElement(bar, "title").text = f"{_range(chart, edges, at)}: {count:,}"
    for at in _ticks(len(bars)):
        anchor = "end" if at == len(bars) else "start" if at == 0 else "middle"
        place = {"x": f"{LEFT + at * step:.1f}", "y": f"{HEIGHT - 6}", "text-anchor": anchor}
        more = "+" if at == len(bars) and bars[-1] and _open_ended(chart) else ""
        ET.SubElement(root, "text", place).text = chart.label(edges[at]) + more
    return ET.tostring(root, encoding="unicode")


def _open_ended(chart: Chart) -> bool:
    """Whether the last bar holds what is larger, too. No share is above 1."""
    return chart.histogram.scale.high != 1


def _range(chart: Chart, edges: Sequence[float], at: int) -> str:
    low, high = chart.label(edges[at]), chart.label(edges[at + 1])
    last = at + 2 == len(edges) and _open_ended(chart)
    return f"≥ {low}" if last else f"{low} – {high}"


def _ticks(bars: int) -> list[int]:
    count = next(n for n in (5, 4, 3, 2, 1) if bars % n == 0)
    return [bars * i // count for i in range(count + 1)]


def _height(count: int, top: int, *, logarithmic: bool) -> float:
    if logarithmic:
        return math.log1p(count) / math.log1p(top)
    return count / top


def _marks(top: int, *, logarithmic: bool) -> list[int]:
    """Where a line is drawn: round numbers."""
    if logarithmic:
        powers = [10**n for n in range(int(math.log10(top)) + 1)]
        marks = powers[:: -max(1, len(powers) // 3)]
        return [0, *(n for n in reversed(marks) if math.log1p(n) > 0.12 * math.log1p(top))]
    unit = 10 ** int(math.log10(top))
    steps = [s for s in (unit // 5, unit // 2, unit, unit * 2) if s and top / s <= 5]
    step = steps[0] if steps else unit
    return list(range(0, top + 1, step))


def _short(count: int) -> str:
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:g}{name}"
    return f"{count}"
