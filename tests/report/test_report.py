"""The report: what it counts, and that nothing of a stranger's is more than text in it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.errors import UsageError
from pipeline.report import REPORT, content, write_report
from pipeline.report.page import ESCAPED, escaped_json
from pipeline.schema import KINDS, REASONS, ROLES, SCRIPTS
from pipeline.storage import locked
from tests.conftest import ROOT
from tests.report.tables import document, flag, write_tables

SPUN = "情势主义害逝世人，轨制畸形。"


def small(output: Path) -> Path:
    """Two spun documents, a plain one that is its own copy, and two rejects."""
    documents = [
        document("a1", SPUN, title="甲", n_flags=3, spin_rate=0.4, spun_probability=0.99),
        document("b2", SPUN + "再来。", n_flags=1, spin_rate=0.1, spun_probability=0.7),
        document("c3", "好的。", duplicate_of="d4", damaged=2, encoding="gb18030", perplexity=None),
        document("d4", "好的。", han_share=0.5),
    ]
    flags = [
        flag("a1", 0, "情势", "形式", probability=0.9),
        flag("a1", 5, "逝世", "死", probability=0.96),
        flag("a1", 9, "轨制", "制度", probability=0.3),
        flag("a1", 11, "畸形", "正常", probability=0.6),
        flag("b2", 5, "逝世", "死", probability=0.7),
    ]
    sentences = [
        {"doc_id": "a1", "role": "title", "start": 0, "end": 2},
        {"doc_id": "a1", "role": "body", "start": 2, "end": 14, "n_flags": 2},
        {"doc_id": "c3", "role": "body", "start": 0, "end": 3},
    ]
    rejects = [
        {"source": "x.bin", "stage": "ingest", "reason": "binary_file", "detail": "NUL"},
        {"source": "y.bin", "record": 3, "stage": "ingest", "reason": "binary_file"},
    ]
    first = {"documents": documents[:2], "flags": flags, "sentences": sentences[:2]}
    second = {"documents": documents[2:], "sentences": sentences[2:], "rejects": rejects}
    return write_tables(output, [first, second])


def data_of(html: str) -> dict:
    [block] = re.findall(r'type="application/json">(.*?)</script>', html, re.DOTALL)
    return json.loads(block)


def report_of(output: Path) -> dict:
    return data_of(write_report(output).read_text(encoding="utf-8"))


def test_what_it_counts(tmp_path: Path) -> None:
    data = report_of(small(tmp_path))
    totals = data["totals"]
    assert (totals["rows_in"], totals["documents"], totals["rejects"]) == (6, 4, 2)
    assert (totals["spun"], totals["duplicates"], totals["damaged"]) == (2, 1, 1)
    assert (totals["flags"], totals["flags_kept"]) == (4, 5)
    assert (totals["sentences"], totals["sentences_flagged"]) == (3, 1)
    assert data["names"]["encoding"] == [["utf-8", 3], ["gb18030", 1]]
    assert data["names"]["suffix"] == [[".txt", 4]]
    assert data["names"]["role"] == [["body", 2], ["title", 1]]
    [reject] = data["rejects"]
    assert (reject["reason"], reject["count"]) == ("binary_file", 2)
    assert reject["examples"] == [["x.bin", None, "NUL"], ["y.bin", 3, ""]]
    assert data["signals"]["perplexity"]["known"] == 3


def test_substitutions_are_counted_from_the_threshold_on(tmp_path: Path) -> None:
    data = report_of(small(tmp_path))
    found = {(p["surface"], p["suggestion"]): p for p in data["pairs"]}
    assert set(found) == {("逝世", "死"), ("情势", "形式"), ("畸形", "正常")}
    death = found["逝世", "死"]
    assert (death["flags"], death["documents"]) == (2, 2)
    assert death["probability"] == pytest.approx(0.83)
    assert [e["doc_id"] for e in death["examples"]] == ["a1", "b2"]
    assert death["examples"][0]["before"] == "情势主义害"
    assert data["pairs"][0] is death


def test_documents_to_read_carry_their_flags(tmp_path: Path) -> None:
    data = report_of(small(tmp_path))
    shown = {d["doc_id"]: d for d in data["documents"]}
    assert [d["stratum"] for d in data["documents"]] == ["spun", "spun", "odd", "plain"]
    assert [shown["a1"]["text"][f[0] : f[1]] for f in shown["a1"]["flags"]] == [
        *("情势", "逝世", "轨制", "畸形")
    ]
    assert shown["a1"]["flags"][1][2:] == [
        *(0.96, "substitution", "substitution", "死"),
        [["死", 0.9]],
        [5.0, -2.0, 1.5, 1, 2],
    ]
    assert shown["c3"]["perplexity"] is None


def test_what_is_just_below_a_threshold_stays_below_it(tmp_path: Path) -> None:
    """The page restores from 0.8 on, as `sentences` do."""
    flags = [flag("a", 0, "逝世", "死", probability=0.79991)]
    rows = {"documents": [document("a", "逝世人")], "flags": flags}
    data = report_of(write_tables(tmp_path, [rows]))
    [shown] = data["documents"][0]["flags"]
    assert 0.7995 < shown[2] < data["thresholds"]["restore"] == 0.8


def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    limit = content.reading.SHOWN_CHARS
    text = "好" * (limit + 5)
    flags = [flag("a", limit - 1, "好", "坏"), flag("a", limit, "好", "坏")]
    output = write_tables(tmp_path, [{"documents": [document("a", text)], "flags": flags}])
    [shown] = report_of(output)["documents"]
    assert len(shown["text"]) == limit
    assert (len(shown["flags"]), shown["flags_hidden"], shown["n_chars"]) == (1, 1, limit + 5)


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_report(small(tmp_path / "one")).read_bytes()
    assert write_report(small(tmp_path / "two")).read_bytes() == first
    assert b"two" not in first


def test_what_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    path = write_report(small(tmp_path))
    before = path.stat()
    assert write_report(tmp_path).stat() == before
    small(tmp_path).joinpath("corpus", "_manifest.json").touch()
    assert write_report(tmp_path).stat() == before
    write_tables(tmp_path, [{"documents": [document("e5")]}])
    assert write_report(tmp_path).stat().st_ino != before.st_ino
    assert [d["doc_id"] for d in report_of(tmp_path)["documents"]] == ["e5"]


def test_nothing_at_all_is_a_report_too(tmp_path: Path) -> None:
    data = report_of(write_tables(tmp_path, [{}]))
    assert data["documents"] == data["pairs"] == data["vocabularies"] == []
    assert data["totals"]["sentence_median"] is None


def test_no_tables_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished tables"):
        write_report(tmp_path)
    assert not (tmp_path / REPORT).exists()


def test_a_file_of_somebody_elses_is_not_overwritten(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / REPORT).write_text("<title>季报</title>", encoding="utf-8")
    with pytest.raises(UsageError, match="is no report of ours"):
        write_report(tmp_path)
    assert (tmp_path / REPORT).read_text(encoding="utf-8") == "<title>季报</title>"


def test_a_run_at_work_is_not_disturbed(tmp_path: Path) -> None:
    small(tmp_path)
    corpus = tmp_path / "corpus"
    with locked([corpus], []), pytest.raises(UsageError, match="a run is at work"):
        write_report(tmp_path)


def test_the_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [
        document(f"{kind}{i:03d}", "好" * 5000, **more)
        for kind, more in (("a", {"spun_probability": 0.9}), ("b", {"n_flags": 1}), ("c", {}))
        for i in range(200)
    ]
    output = write_tables(tmp_path, [{"documents": documents}])
    data = report_of(output)
    assert (output / REPORT).stat().st_size < 5_000_000
    shown = [d["stratum"] for d in data["documents"]]
    assert {kind: shown.count(kind) for kind in ("spun", "flagged", "plain")} == {
        "spun": 100,
        "flagged": 40,
        "plain": 40,
    }
    monkeypatch.setattr(content, "DOCUMENT_BYTES", 1_000_000)
    (output / REPORT).unlink()
    shown = [d["stratum"] for d in report_of(output)["documents"]]
    assert (output / REPORT).stat().st_size < 1_200_000
    assert min(shown.count("spun") / 100, shown.count("plain") / 40) > 0.4  # each keeps its share


def test_as_a_user_does(texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["run", str(texts), str(out), "--workers", "1"]) == 0
    assert str(out / REPORT) in capsys.readouterr().out
    made = (out / REPORT).read_bytes()
    (out / REPORT).unlink()
    assert main(["report", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / REPORT}\n"
    assert (out / REPORT).read_bytes() == made
    assert len(data_of(made.decode())["documents"]) == 6


def test_every_name_of_ours_has_a_label_in_the_page() -> None:
    script = (ROOT / "pipeline" / "report" / "page.js").read_text(encoding="utf-8")
    for table, names in {
        "REASONS": REASONS,
        "ROLES": ROLES,
        "KINDS": KINDS,
        "SCRIPTS": SCRIPTS,
        "STRATA": content.STRATA,
    }.items():
        [body] = re.findall(rf"const {table} = {{(.*?)\n? *}};", script, re.DOTALL)
        assert {n for n in names if not re.search(rf"\b{n}:", body)} == set()


# --- strangers' texts

MARK = "pwned"
HOSTILE = (
    f"<script>document.documentElement.dataset.{MARK}=1</script>",
    f"</script><script>document.documentElement.dataset.{MARK}=2</script>",
    f'"><img src=x onerror="document.documentElement.dataset.{MARK}=3">',
    f"<svg/onload=document.documentElement.dataset.{MARK}=4>",
    f"<iframe srcdoc='<script>parent.document.documentElement.dataset.{MARK}=5</script>'>",
    f"javascript:document.documentElement.dataset.{MARK}=6",
    f"<!--<script>{MARK}",
    f"--></style></title></textarea></noscript><b>{MARK}</b>",
    f"{{{{script}}}}{{{{data}}}}{{{{chart:spin_rate}}}}{MARK}",
    f"\\u003cscript\\u003e{MARK}\\",
    f"${{document.documentElement.dataset.{MARK}=7}}`'\"",
    f"\u2028\u2029document.documentElement.dataset.{MARK}=8//",
    f"\u202e\u2066{MARK}\u200b\ufeff\x85\x9b31m\x1b]0;{MARK}\x07\x00",
    f"<meta http-equiv=refresh content='0;url=//127.0.0.1/{MARK}'><base href=//127.0.0.1>",
    f"<link rel=stylesheet href=//127.0.0.1:1/{MARK}><style>*{{display:none}}</style>",
    "constructor",
    "__proto__",
    "\u0315" * 200 + MARK,
    MARK + "长" * 100_000,
    "\U0001f469\u200d\U0001f52c" + MARK + "\U000e0041",
)


def hostile(output: Path) -> Path:
    """Every column of text holds what wants to run, load, turn or hide something."""
    rows: dict[str, list[dict]] = {"documents": [], "flags": [], "sentences": [], "rejects": []}
    for at, text in enumerate(HOSTILE):
        doc_id = f"{at:02d}{text[:60]}"
        names = ("source", "url", "title", "publisher", "encoding", "script", "record_id")
        more = {**dict.fromkeys(names, text), "spun_probability": 0.9 - at % 2 * 0.7}
        body = f"开头{text}\n{text}结尾"
        rows["documents"].append(document(doc_id, body, duplicate_of=text, n_flags=1, **more))
        spans = [(2, text, text), (2 + len(text) + 1, text[:5], "")]
        for start, surface, suggestion in spans:
            options = [{"text": text, "probability": 0.5}, {"text": "好", "probability": 0.2}]
            kind = text if at % 3 else ("injection" if at % 2 else "variant")
            rows["flags"].append(
                flag(
                    doc_id,
                    start,
                    surface,
                    suggestion,
                    suggestions=options,
                    kind=kind,
                    detector=text,
                )
            )
        rows["sentences"].append({"doc_id": doc_id, "role": text, "start": 0, "end": len(body)})
        rejected = {"source": text, "stage": text, "reason": text, "detail": text}
        rows["rejects"].append(rejected)
    return write_tables(output, [rows])


class Page(HTMLParser):
    """What a parser that is not ours finds."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.outside = ""
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._in = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.inside:
            self._in = tag
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._in:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in:
            self.inside[self._in][-1] += data
        else:
            self.outside += data

    def handle_comment(self, data: str) -> None:
        self.outside += data


def test_strangers_texts_stand_in_the_data_and_nowhere_else(tmp_path: Path) -> None:
    html = write_report(hostile(tmp_path)).read_text(encoding="utf-8")
    page = Page(html)
    assert MARK not in page.outside
    assert MARK not in json.dumps([attributes for _, attributes in page.tags])
    data, script = page.inside["script"]
    [style] = page.inside["style"]
    assert MARK in data
    assert MARK not in script + style
    assert not ESCAPED.search(data)
    texts = {d["text"] for d in json.loads(data)["documents"]}
    whole = {f"开头{text}\n{text}结尾"[: content.reading.SHOWN_CHARS] for text in HOSTILE}
    assert texts == whole  # escaped, but nothing is lost


def test_nothing_runs_or_loads_but_what_the_policy_names(tmp_path: Path) -> None:
    page = Page(write_report(hostile(tmp_path)).read_text(encoding="utf-8"))
    _, script = page.inside["script"]
    [style] = page.inside["style"]
    [policy] = [a["content"] for _, a in page.tags if a.get("http-equiv")]
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives == {
        "default-src": "'none'",
        "script-src": f"'{sha256(script)}'",
        "style-src": f"'{sha256(style)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    tags = [tag for tag, _ in page.tags]
    assert tags.index("meta") == tags.index("head") + 1
    assert not {"img", "link", "iframe", "object", "embed", "base", "form", "video"} & set(tags)
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert not {"src", "srcset", "style", "action", "srcdoc", "data", "poster"} & set(
            attributes
        )
        assert (attributes.get("href") or "#").startswith("#")
    assert "innerHTML" not in script
    assert "//" not in re.sub(r"(^|\s)//[^\n]*", "", script).replace("http://www.w3.org", "")


def sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_numbers_that_are_none(tmp_path: Path) -> None:
    strange = document("a", spin_rate=float("nan"), perplexity=float("inf"), han_share=float("nan"))
    odd = flag("a", 0, "甲", "乙", probability=0.9)
    odd["evidence"] = {**odd["evidence"], "gain": float("nan")}
    [shown] = report_of(write_tables(tmp_path, [{"documents": [strange], "flags": [odd]}]))[
        "documents"
    ]
    assert (shown["spin_rate"], shown["perplexity"], shown["flags"][0][7][0]) == (None, None, None)
    with pytest.raises(ValueError, match="Out of range"):
        escaped_json(float("nan"))


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / REPORT).mkdir()
    with pytest.raises(UsageError, match="is a folder: it is where the report belongs"):
        write_report(tmp_path)


def test_a_run_asks_first_whether_the_report_has_a_place(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / REPORT).write_text("季报", encoding="utf-8")
    assert main(["run", str(texts), str(tmp_path / "out")]) == 2
    assert "is no report of ours" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == [REPORT]
