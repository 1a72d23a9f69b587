"""The page: a template, its style and script, and the data. Nothing of a stranger's can run in it.

Data stand in a block that no browser executes, with every character escaped that HTML, or a line
of script, could take for its own. The script of the page writes them as text, never as HTML. And
the page's policy forbids every load, and every script and style but the two whose hashes it names.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from pipeline.report.content import Content

GENERATOR = b"chinese-corpus-pipeline report"

ESCAPED = re.compile(
    "[<>&\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]"
)
"""What the data must not hold as it is: the marks of HTML, ends of lines in script, controls, and
what turns or hides text in an editor."""


def render(content: Content, key: str) -> bytes:
    """The report as UTF-8. ``key`` says what it was made from."""
    style, script = _file("page.css"), _file("page.js")
    values = {
        "generator": f"{GENERATOR.decode()} {key}",
        "policy": policy(style, script),
        "style": style,
        "script": script,
        "data": escaped_json(content.data),
        **{f"chart:{name}": drawn for name, drawn in content.charts.items()},
    }
    # One pass: what is put in is not searched again, so no text can name a place of ours.
    page = re.sub(r"\{\{([\w:]+)\}\}", lambda found: values[found[1]], _file("page.html"))
    return page.encode()


def policy(style: str, script: str) -> str:
    """Content-Security-Policy of the page."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def escaped_json(value: Any) -> str:
    r"""JSON that can stand in a page.

    >>> escaped_json({"title": "</script>\u2028&"})
    '{"title":"\\u003c/script\\u003e\\u2028\\u0026"}'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8").strip()
