"""YAML and JSON texts, read strictly, with the place of everything."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llamafarm.config.document import read
from llamafarm.errors import ConfigError


@pytest.fixture
def document(folder):
    def run(text: str | bytes, name: str = "llamafarm.yaml"):
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path)

    return run


@pytest.fixture
def refusal(document):
    def run(text: str | bytes, name: str = "llamafarm.yaml") -> str:
        with pytest.raises(ConfigError) as caught:
            document(text, name)
        return str(caught.value)

    return run


def test_keys_and_items_know_their_line_and_column(document):
    found = document("runtime:\n  models:\n    - name: a\n      model: m\n")
    assert found.places["runtime", "models", 0, "model"].mark == (4, 7)
    assert found.places["runtime", "models", 0].mark == (3, 7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("true", True),
        ("~", None),
        ("", None),
        ("010", 10),
        ("1e-5", 1e-5),
        ("1.5", 1.5),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("'7'", "7"),
        ("!!str 7x", "7x"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_scalars_are_read_by_the_rules_of_yaml_1_2(document, text, value):
    assert document(f"key: {text}\n").data == {"key": value}


def test_keys_are_texts_whatever_they_look_like(document):
    assert document("{50256: 1, yes: 2, ~: 3}").data == {"50256": 1, "yes": 2, "~": 3}


def test_merged_mappings_yield_to_the_keys_beside_them(document):
    assert document("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n").data["b"] == {"q": 3, "p": 1}


def test_a_byte_order_mark_is_no_part_of_the_text(document):
    assert document(b"\xef\xbb\xbfname: a\n").data == {"name": "a"}


def test_json_is_read_by_its_own_rules_with_tabs_and_escapes(document):
    found = document('{\n\t"a": "\\u00e9\\ud83d\\ude00\\\\u0041",\n\t"b": 1e3\n}', "llamafarm.json")
    assert found.data == {"a": "é😀\\u0041", "b": 1000.0}
    assert found.places["b",].mark == (3, 2)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud83d\ude00"', "😀"),
        (r'"\\ud83d\\ude00"', "\\ud83d\\ude00"),
        (r'"a\/b\b\f\n\r\t\""', 'a/b\b\f\n\r\t"'),
        ('"\x7f\u2028\u0085"', "\x7f\u2028\u0085"),
        ("12345678901234567890", 12345678901234567890),
        ('"yes"', "yes"),
    ],
)
def test_a_value_of_json_is_what_json_says(document, text, value):
    assert document('{"a":' + text + "}", "llamafarm.json").data == {"a": value}


def test_a_missing_file_is_named_with_what_to_do(folder):
    with pytest.raises(ConfigError, match=r"llamafarm\.yaml does not exist"):
        read(folder / "llamafarm.yaml")


def test_a_folder_in_its_place_is_refused(folder):
    (folder / "llamafarm.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read(folder / "llamafarm.yaml")


@pytest.mark.parametrize("text", ["", " \n\n", "# only a comment\n", "---\n"])
def test_an_empty_file_is_said_to_be_empty(refusal, text):
    assert refusal(text).startswith("llamafarm.yaml is empty.")


def test_the_place_of_what_is_not_utf_8_is_named(refusal):
    assert refusal(b"version: v1\nname: caf\xe9\n").startswith("llamafarm.yaml:2: byte 21 is not UTF-8 (0xe9).")


def test_malformed_yaml_is_told_with_line_and_column(refusal):
    assert refusal("name: a\nmodel: b: c\n").startswith("llamafarm.yaml:2:9: this is not YAML: a second")


def test_malformed_json_is_told_with_line_and_column(refusal):
    assert refusal('{"a": 1,}', "llamafarm.json").startswith("llamafarm.json:1:9: this is not JSON:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "llamafarm.yaml:1:1: the file must be a mapping, `key: value` lines, not a list."),
        ("just text\n", "llamafarm.yaml:1:1: the file must be a mapping, `key: value` lines, not text."),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "llamafarm.yaml:4:3: the key 'c' stands here and in line 3;"),
        ("? [a]\n: 1\n", "llamafarm.yaml:1:3: a key must be a text."),
        ("a: !mine 1\n", "llamafarm.yaml:1:1: a: the tag !mine is not known here"),
        ("a: !!python/name:os.system\n", "llamafarm.yaml:1:1: a: the tag !!python/name:os.system is not known here"),
        ("a: !!binary aGk=\n", "llamafarm.yaml:1:1: a: the tag !!binary is not known here"),
        ("a: 1e400\n", "llamafarm.yaml:1:1: a: 1e400 is not a number that JSON has"),
        ("a: .inf\n", "llamafarm.yaml:1:1: a: .inf is not a number that JSON has"),
        ("a: &x {b: *x}\n", "llamafarm.yaml:1:8: a.b: an alias (*) stands inside the anchor (&) that it refers to"),
        ("a: {<<: 1}\n", "llamafarm.yaml:1:5: `<<` takes a mapping, or a list of them"),
        ("runtime:\n\tmodels: 1\n", "llamafarm.yaml:2:1: this is not YAML: this line begins with a tab;"),
        ("- a: b\n  \tc: d\n", "llamafarm.yaml:2:3: this is not YAML: this line begins with a tab;"),
        (
            "a:\n  provider:ollama\n  model: m\n",
            "llamafarm.yaml:2:3: this is not YAML: write a space after the colon: `provider: …`",
        ),
        ("provider:ollama\nmodel: m\n", "llamafarm.yaml:1:1: this is not YAML: write a space after the colon"),
        ("a:\n- b\n-c\n", "llamafarm.yaml:3:1: this is not YAML: write a space after the dash"),
        ("a: 1\nmodel\nb: 2\n", "llamafarm.yaml:2:1: this is not YAML: this line has no colon"),
        ('a: 1\nb: "x\nc: 1\n', "llamafarm.yaml:2:4: this is not YAML: the quote that begins here is not closed"),
        (
            'a: "x\nb: "y"\n',
            "llamafarm.yaml:1:4: this is not YAML: the quote that begins here is closed in line 2 only",
        ),
        ("a: 'x' y\n", "llamafarm.yaml:1:4: this is not YAML: something follows the closing quote"),
        ("a: 1\n  b: 2\n", "llamafarm.yaml:2:3: this is not YAML: this line is indented further"),
        ("a:\n  - b\n c: 1\n", "llamafarm.yaml:3:2: this is not YAML: the indentation of this line fits none"),
        ("a: [1, 2\nb: 3\n", "llamafarm.yaml:1:4: this is not YAML: the `[` that begins here is not closed"),
        ("a: @b\n", "llamafarm.yaml:1:4: this is not YAML: a text cannot begin with '@'; put it in quotes"),
        ("a: *nowhere\n", "llamafarm.yaml:1:4: this is not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "llamafarm.yaml:2:1: this is not YAML: expected a single document"),
    ],
)
def test_what_is_refused_is_told_at_its_place(refusal, text, message):
    assert refusal(text).startswith(message)


def test_a_key_that_stands_twice_in_json_is_refused(refusal):
    assert "the key 'a' stands here and in line 1" in refusal('{"a": 1,\n "a": 2}', "llamafarm.json")


def test_a_key_that_stands_twice_in_json_in_two_spellings_is_refused(refusal):
    assert "the key 'a' stands here and in line 1" in refusal('{"a": 1, "\\u0061": 2}', "llamafarm.json")


def test_a_bomb_of_aliases_is_not_expanded(refusal):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "with its aliases the file holds more than 100000 values" in refusal("\n".join(lines))


@pytest.mark.parametrize("name", ["llamafarm.yaml", "llamafarm.json"])
def test_very_deep_nesting_is_refused_before_anything_recurses_over_it(refusal, name):
    assert "nested" in refusal('{"a": ' + "[" * 300_000 + "]" * 300_000 + "}", name)


def test_a_file_of_a_megabyte_is_not_read(refusal):
    assert refusal("a: " + "x" * 1024 * 1024).startswith("llamafarm.yaml is larger than 1024 KiB")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(data=st.dictionaries(TEXTS, VALUES, max_size=5), ascii_=st.booleans(), indent=st.sampled_from([None, 2, "\t"]))
def test_any_json_is_read_as_json_reads_it(data, ascii_, indent):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "llamafarm.json"
        path.write_text(json.dumps(data, ensure_ascii=ascii_, indent=indent), encoding="utf-8")
        assert read(path).data == data
