"""JSON files."""

from __future__ import annotations

from shape import texts


def test_each_item_of_a_list_is_a_block_with_its_keys(read_file):
    document = read_file("a.json", '[{"name": "Ann", "at": {"town": "Ely", "tags": ["a", 1]}}, "text", [1, [2]], null]')
    assert texts(document) == ["name: Ann\nat.town: Ely\nat.tags: a, 1", "text", "1\n2", "null"]


def test_items_below_a_key_are_blocks(read_file):
    document = read_file("a.json", '{"version": 1.50, "people": [{"name": "Ann"}, {"name": "Bob"}], "end": true}')
    assert texts(document) == ["version: 1.50", "people.name: Ann", "people.name: Bob", "end: true"]


def test_each_line_is_an_item(read_file):
    assert texts(read_file("a.jsonl", '{"a": 1}\r\n\n{"a": "two\\nlines"}\n')) == ["a: 1", "a: two\nlines"]


def test_numbers_are_what_is_written(read_file):
    digits = "1" * 5000
    assert texts(read_file("a.json", f'{{"a": {digits}, "b": 1e3, "c": NaN}}')) == [f"a: {digits}\nb: 1e3\nc: NaN"]


def test_half_a_character_is_none(read_file):
    assert texts(read_file("a.json", '{"a": "x\\ud800\\u0000"}')) == ["a: x\ufffd\ufffd"]
