"""The names of fields, as programs and people write them."""

from typing import Any

import pytest

from pipeline.config import Config
from pipeline.readers.fields import (
    OPTIONAL_FIELDS,
    TEXT_FIELDS,
    BadRecordError,
    Number,
    known_names,
    text_names,
    to_record,
)
from pipeline.records import Record


@pytest.mark.parametrize("name", [*TEXT_FIELDS, "TEXT", " Text ", "Full_Text", "full-text"])
def test_every_name_of_a_text_field_is_found(name: str) -> None:
    assert to_record(0, {"x": "y", name: "甲"}, "utf-8", Config()).raw == "甲"


@pytest.mark.parametrize("attribute", OPTIONAL_FIELDS)
def test_every_name_of_an_optional_field_is_found(attribute: str) -> None:
    assert attribute in Record._fields
    for name in OPTIONAL_FIELDS[attribute]:
        record = to_record(0, {"text": "甲", name: "乙"}, "utf-8", Config())
        assert getattr(record, attribute) == "乙", name


def test_no_name_means_two_things() -> None:
    names = [*TEXT_FIELDS, *(name for names in OPTIONAL_FIELDS.values() for name in names)]
    folded = [name.replace(" ", "") for name in names]
    assert len(set(folded)) == len(folded)


@pytest.mark.parametrize(
    ("fields", "raw"),
    [
        ({"content": "乙", "text": "甲"}, "甲"),
        ({"content": "乙", "text": " "}, "乙"),
        ({"content": "乙", "text": None}, "乙"),
        ({"content": "乙", "text": Number("7")}, "乙"),
    ],
)
def test_the_best_field_that_holds_something(fields: dict[str, Any], raw: str) -> None:
    assert to_record(0, fields, "utf-8", Config()).raw == raw


@pytest.mark.parametrize(
    ("fields", "reason", "says"),
    [
        ({}, "missing_text", "no field at all"),
        ({"a": "甲"}, "missing_text", "--set text_field=NAME; the fields are: a"),
        ({"text": Number("7")}, "missing_text", "is a number"),
        ({"text": [1]}, "missing_text", "is a list"),
        ({"text": {}}, "missing_text", "is an object"),
        ({"text": True}, "missing_text", "is a boolean"),
        ({"text": None}, "missing_text", "is null"),
        ({"text": "", "body": None}, "empty_text", "0 characters"),
        ({"text": "\ud800"}, "lone_surrogate", "half"),
        ({"text": "x" * 11}, "too_large", "more than 10"),
    ],
)
def test_what_is_no_document(fields: dict[str, Any], reason: str, says: str) -> None:
    with pytest.raises(BadRecordError, match=says) as caught:
        to_record(0, fields, "utf-8", Config(max_document_chars=10))
    assert caught.value.reason == reason


def test_the_text_field_of_the_settings() -> None:
    config = Config(text_field="摘要")
    assert to_record(0, {"text": "甲", "摘要": "乙"}, "utf-8", config).raw == "乙"
    with pytest.raises(BadRecordError, match="no field 摘要"):
        to_record(0, {"text": "甲"}, "utf-8", config)
    inside = Config(text_field="data.content")
    assert to_record(0, {"data": {"content": "甲"}}, "utf-8", inside).raw == "甲"
    assert to_record(0, {"data.content": "甲", "data": {}}, "utf-8", inside).raw == "甲"
    for fields in ({"data": {"x": "甲"}}, {"data": "甲"}, {"data": None}):
        with pytest.raises(BadRecordError, match="is null"):
            to_record(0, fields, "utf-8", inside)


def test_a_title_is_not_its_own_text() -> None:
    record = to_record(0, {"title": "甲", "id": "1"}, "utf-8", Config(text_field="title"))
    assert (record.raw, record.title, record.record_id) == ("甲", None, "1")


def test_of_several_names_the_first_that_holds_something() -> None:
    fields = {"text": "甲", "time": "3", "date": "", "pub_date": "2", "source": "x", "来源": "y"}
    record = to_record(0, fields, "utf-8", Config())
    assert (record.date, record.publisher) == ("2", "y")
    assert to_record(0, {"text": "甲", "url": ""}, "utf-8", Config()).url == ""


def test_names_by_the_thousand_are_not_remembered() -> None:
    names = [f"x{i}" for i in range(5000)] + ["y" * 10_000_000, "正文"]
    assert text_names(names, Config()) == ["正文"]
    assert known_names(names, Config()) == ["正文"]


def test_a_text_that_is_mostly_lost_is_none() -> None:
    assert to_record(0, {"text": "甲" * 9 + "\ufffd"}, "utf-8", Config(), damaged=1).damaged == 1
    with pytest.raises(BadRecordError, match="2 of 10 characters"):
        to_record(0, {"text": "\ufffd" + "甲" * 8 + "\ufffd"}, "utf-8", Config(), damaged=2)
