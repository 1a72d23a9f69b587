"""Shows one document in the terminal, with what was flagged in it, or writes it as JSON.

Texts are strangers': what could steer a terminal, or turn and hide what stands on it, is shown by
its code (`visible`), and as JSON it is escaped.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
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

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls: an escape sequence begins with one of them
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # direction, no width, ends of lines
    "\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e0fff]"  # no character, annotations, tags
)
"""What a terminal obeys, or does not show. Tabs and line feeds stay."""


def inspect(
    name: str, stream: BinaryIO, config: Config, out: TextIO, *, as_json: bool = False
) -> None:
    """Show each document of a file. The suffix of ``name`` tells its format.

    As JSON it is an object a line: `document`, `sentences` and `flags`, with the columns of those
    tables, or `reject`. Raises StageError if a record was rejected, after all others are shown.
    """
    name, rejects = source_of(name), []
    for number, item in enumerate(ingest(name, stream, config)):
        if isinstance(item, Reject):
            rejects.append(item)
            line = _json_line(_reject_row(name, item), out) if as_json else _told(name, item)
            out.write(line)
            continue
        cleaned = Cleaned.of(clean_record(name, item, config))
        if as_json:
            out.write(_json_line(_document_row(cleaned), out))
            continue
        out.write("\n" if number else "")
        show(f"{name}, record {item.record}", cleaned, config, out)
    if rejects:
        raise StageError("ingest", visible(name), None, "no reject", rejects[0].reason)


def visible(text: str, *, line: bool = False) -> str:
    r"""The text with everything that a terminal obeys, or does not show, written as an escape.

    With ``line`` ends of lines and tabs are, too.

    >>> visible("a\x1b[2Jb\u202ec\n")
    'a\\x1b[2Jb\\u202ec\n'
    """
    shown = STEERING.sub(lambda found: _escape(found[0]), text)
    return shown.replace("\n", "\\n").replace("\t", "\\t") if line else shown


def _escape(char: str) -> str:
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"


def _told(name: str, reject: Reject) -> str:
    detail = visible(reject.detail, line=True)
    return f"{visible(name, line=True)}, record {reject.record}: {reject.reason} ({detail})\n"


def _reject_row(name: str, reject: Reject) -> Row:
    return {"reject": {"source": name, "stage": "ingest", **reject._asdict()}}


def _document_row(cleaned: Cleaned) -> Row:
    return {"document": cleaned.document, "sentences": cleaned.sentences, "flags": cleaned.flags}


def _json_line(value: Row, out: TextIO) -> str:
    """One line, with its end. Where UTF-8 cannot be written, all but ASCII is escaped."""
    ascii_only = "utf" not in (getattr(out, "encoding", None) or "utf-8").lower()
    text = json.dumps(value, ensure_ascii=ascii_only, default=_timestamp)
    return STEERING.sub(_json_escape, text) + "\n"


def _json_escape(found: re.Match[str]) -> str:
    """In JSON's own way: for what is beyond U+FFFF that is two escapes."""
    return f"\\u{ord(found[0]):04x}" if found[0] == "\x7f" else json.dumps(found[0])[1:-1]


def _timestamp(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


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
    heading = Text(visible(name, line=True), style="bold")
    for label, value in facts.items():
        if value is not None:
            heading.append(f"\n{label}: ", style="dim not bold")
            heading.append(visible(str(value), line=True), style="not bold")
    return heading


def marked(text: str, flags: Sequence[Row], *, plain: bool) -> Text:
    """The text with its flags marked, and nothing in it that a terminal obeys.

    >>> row = {"start": 2, "end": 4, "suggestion": "死", "kind": "substitution", "probability": 0.9}
    >>> marked("害人逝世了", [row], plain=True).plain
    '害人[逝世→死 0.90]了'
    """
    result, done = Text(), 0
    for flag in flags:
        result.append(visible(text[done : flag["start"]]))
        for piece, style in _mark(text[flag["start"] : flag["end"]], flag, plain=plain):
            result.append(visible(piece), style=style)
        done = flag["end"]
    return result.append(visible(text[done:]))


def _mark(surface: str, flag: Row, *, plain: bool) -> Iterator[tuple[str, str]]:
    injected, probability = flag["kind"] == "injection", flag["probability"]
    suggestion = "" if injected else flag["suggestion"]
    if plain:
        yield f"[{surface}→{suggestion} {probability:.2f}]", ""
        return
    colour = "red" if probability >= 0.8 else "yellow"
    yield surface, f"{colour} strike" if injected else colour
    yield suggestion, "bold green"
    yield f" {probability:.2f} ", "dim"
