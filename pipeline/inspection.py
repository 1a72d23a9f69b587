"""Shows one document in the terminal, with what was flagged in it."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, TextIO

from rich.console import Console
from rich.text import Text

from pipeline import Cleaned
from pipeline.config import Config
from pipeline.errors import StageError
from pipeline.parts import clean_record
from pipeline.records import Reject
from pipeline.stages.ingest import ingest, source_of

Row = dict[str, Any]


def inspect(name: str, stream: BinaryIO, config: Config, out: TextIO) -> None:
    """Show each document of a file. The suffix of ``name`` tells its format."""
    name, rejects = source_of(name), []
    for number, item in enumerate(ingest(name, stream, config)):
        if isinstance(item, Reject):
            rejects.append(item)
            out.write(f"{name}, record {item.record}: {item.reason} ({item.detail})\n")
            continue
        cleaned = Cleaned.of(clean_record(name, item, config))
        out.write("\n" if number else "")
        show(f"{name}, record {item.record}", cleaned, config, out)
    if rejects:
        raise StageError("ingest", name, None, "no reject", rejects[0].reason)


def show(name: str, cleaned: Cleaned, config: Config, out: TextIO) -> None:
    """Print a document. On a terminal in colours; elsewhere `[surface→suggestion 0.97]`."""
    console = Console(file=out, highlight=False, soft_wrap=True)
    flags = [f for f in cleaned.flags if f["probability"] >= config.flag_probability]
    console.print(_heading(name, cleaned.document), end="\n\n")
    console.print(marked(cleaned.text, flags, plain=not console.is_terminal))


def _heading(name: str, document: Row) -> Text:
    facts = {
        "title": document["title"],
        "published": document["published_at"],
        "publisher": document["publisher"],
        "script": document["script"],
        "characters": f"{document['n_chars']:,}",
        "flags": document["n_flags"],
        "spun": f"{document['spun_probability']:.2f}",
        "share of Han characters in flags": f"{document['spin_rate']:.1%}",
    }
    heading = Text(name, style="bold")
    for label, value in facts.items():
        if value is not None:
            heading.append(f"\n{label}: ", style="dim not bold")
            heading.append(str(value), style="not bold")
    return heading


def marked(text: str, flags: Sequence[Row], *, plain: bool) -> Text:
    """The text with its flags marked.

    >>> row = {"start": 2, "end": 4, "suggestion": "死", "kind": "substitution", "probability": 0.9}
    >>> marked("害人逝世了", [row], plain=True).plain
    '害人[逝世→死 0.90]了'
    """
    result, done = Text(), 0
    for flag in flags:
        result.append(text[done : flag["start"]])
        for piece, style in _mark(text[flag["start"] : flag["end"]], flag, plain=plain):
            result.append(piece, style=style)
        done = flag["end"]
    return result.append(text[done:])


def _mark(surface: str, flag: Row, *, plain: bool) -> Iterator[tuple[str, str]]:
    injected = flag["kind"] == "injection"
    suggestion = "" if injected else flag["suggestion"]
    if plain:
        yield f"[{surface}→{suggestion} {flag['probability']:.2f}]", ""
        return
    yield surface, "red strike" if injected else "red"
    yield suggestion, "bold green"
    yield f" {flag['probability']:.2f} ", "dim"
