"""The input of the torture: a little of everything, one file of several parts among it."""

import gzip
import json
from pathlib import Path

SENTENCES = (
    "基层干部吐槽扶贫评选太密集,情势主义害逝世人。",
    "一些基层干部呐喊,脱贫攻坚要高压也需减负。",
    "2021年1月30日,记者在北京报道了这件事情!",
    "他问道:“为什么会这样?”没有人回答。",
)
SETTINGS = ("--set", "shard_chars=6000")
"""The first parts hold 750 characters."""


def build(folder: Path, lines: int) -> None:
    """Write the files; ``lines`` is how many the large ones have."""
    folder.mkdir(parents=True)
    (folder / "large.jsonl").write_text("".join(_line(i) for i in range(lines)), encoding="utf-8")
    packed = "".join(_line(i + 5_000) for i in range(lines // 2))
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(packed.encode(), mtime=0))
    pages = b"".join(_page(i) for i in range(lines // 2))
    (folder / "pages.warc").write_bytes(pages)
    rows = "".join(f'{i},"{_text(i + 9_000)}"\n' for i in range(lines // 4))
    (folder / "rows.csv").write_bytes(f"id,text\n{rows}".encode("gb18030"))
    for i in range(lines // 8):
        path = folder / f"{i % 3}" / f"{i}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_text(i // 2), encoding="utf-8")  # each twice, and in large.jsonl too
    (folder / "empty.txt").write_bytes(b"")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")


def age(folder: Path) -> None:
    """Make it the input of an earlier day, of which one large file and one small were others."""
    path = folder / "large.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:7] + lines[9:]), encoding="utf-8")
    (folder / "0" / "0.txt").write_text("从前这里写着别的话。", encoding="utf-8")


def _text(number: int) -> str:
    return f"第{number}篇。" + "".join(SENTENCES[(number + i) % 4] for i in range(1 + number % 3))


def _line(number: int) -> str:
    """Every fifth is no document."""
    if number % 5 == 4:
        return ["[]\n", '{"title": "无"}\n', "{\n"][number % 3]
    return json.dumps({"text": _text(number), "id": number}, ensure_ascii=False) + "\n"


def _page(number: int) -> bytes:
    status = "404 Not Found" if number % 7 == 3 else "200 OK"
    page = f"<title>第{number}页</title><h1>第{number}页</h1><p>{_text(number + 7_000)}</p>"
    if number % 6 == 2:
        page = "<a href=/>首页</a>"
    body = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}".encode()
    head = f"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return head + body + b"\r\n\r\n"
