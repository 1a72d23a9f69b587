"""Word lists: what a header must say, and the order and shape of the entries."""

import pytest

from pipeline import lexicon

NAMES = sorted(path.stem for path in lexicon.DIRECTORY.glob("*.tsv"))
OURS = {
    "advertising": 2,
    "boilerplate": 2,
    "character_frequencies": 2,
    "labels": 3,
    "navigation": 2,
    "order_weights": 2,
    "paragraph_cues": 2,
    "kept_variants": 2,
    "protected_words": 2,
    "variants": 2,
}


def lines_of(name: str) -> list[str]:
    return (lexicon.DIRECTORY / f"{name}.tsv").read_text(encoding="utf-8").splitlines()


def test_the_lists_are_there():
    assert set(OURS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("item", ["# Format:", "# Source:", "# Licence:", "# Used by:"])
def test_the_header_says(name, item):
    header = [line for line in lines_of(name) if line.startswith("#")]
    assert any(line.startswith(item) for line in header)


@pytest.mark.parametrize("name", NAMES)
def test_entries_are_sorted_and_unique(name):
    keys = [entry[0] for entry in lexicon.entries(name)]
    assert keys == sorted(keys)
    assert len(set(lexicon.entries(name))) == len(keys) > 0


@pytest.mark.parametrize(("name", "fields"), OURS.items())
def test_every_entry_has_all_its_fields(name, fields):
    assert all(len(entry) == fields and all(entry) for entry in lexicon.entries(name))


@pytest.mark.parametrize("name", ["labels", "protected_words", "variants"])
def test_a_key_stands_once(name):
    keys = [entry[0] for entry in lexicon.entries(name)]
    assert len(set(keys)) == len(keys)


def test_labels_use_known_fields_and_places():
    fields = {"published", "dated", "publisher", "author", "editor", "count", "other"}
    assert {field for _, field, _ in lexicon.entries("labels")} == fields
    assert {where for _, _, where in lexicon.entries("labels")} == {"anywhere", "head"}


def test_boilerplate_uses_known_places():
    assert {where for _, where in lexicon.entries("boilerplate")} == {"line", "start", "anywhere"}


def test_no_boilerplate_phrase_is_covered_by_a_shorter_one():
    starts = [phrase for phrase, where in lexicon.entries("boilerplate") if where == "start"]
    assert not [a for a in starts for b in starts if a != b and a.startswith(b)]


def test_a_list_is_read_once():
    assert lexicon.entries("labels") is lexicon.entries("labels")


def test_protected_words_keep_their_length():
    assert all(len(a) == len(b) for a, b in lexicon.entries("protected_words"))


def test_variants_are_single_characters_and_end_at_a_standard_one():
    table = lexicon.table("variants")
    assert all(len(variant) == len(standard) == 1 for variant, standard in table.items())
    assert not set(table) & set(table.values())
