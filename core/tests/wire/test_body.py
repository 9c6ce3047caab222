"""JSON texts are read strictly, and what is refused is said in words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llamafarm.wire import body
from llamafarm.wire.body import BodyError, dump, dump_patiently, is_large, parse_object


@pytest.fixture(scope="module", autouse=True, params=[body.LARGE, 0], ids=["as a small text", "as a large text"])
def decoder(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body, "LARGE", request.param)
        yield


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_what_is_dumped_is_read_back(value):
    assert parse_object(dump(value)) == value


LARGER = st.recursive(
    JSON | st.text().map(lambda text: 40 * text) | st.integers(0, 9).map(lambda many: [many] * 400),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
)


@given(LARGER)
def test_what_is_dumped_patiently_is_the_same(value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body, "LARGE", 64)
        patch.setattr(body, "PIECE", 16)
        patch.setattr(body, "ITEMS", 4)
        assert dump_patiently(value) == dump(value)


def test_half_a_surrogate_pair_in_a_large_text_is_an_escape_too():
    value = {"a": "\ud83d" + "x" * 2 * body.PIECE + "\ude00"}
    assert dump_patiently(value) == dump(value)


def test_what_is_no_json_is_refused_in_a_large_text_too():
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_patiently({"a": [float("nan")] * 100_000})


@pytest.mark.parametrize(
    "value, large",
    [
        ({"a": "x" * 2**20}, True),
        ({"a": [{"b": ["x" * 2**20]}]}, True),
        ([["x" * 100]] * 2000, True),
        (list(range(100_000)), True),
        ({str(number): number for number in range(100_000)}, True),
        ({"a": [{"b": "x" * 1000}] * 10}, False),
        ([None, True, 1.5], False),
    ],
)
def test_a_value_is_large_whose_text_is_long(value, large, monkeypatch):
    monkeypatch.setattr(body, "LARGE", 64 * 1024)
    assert is_large(value) is large


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", "not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1,\n}', "line 2, column 1"),
        (b'{"a": \xff}', "not UTF-8: byte 6"),
        (b"[]", "must be a JSON object, not a list"),
        (b'"a"', "not a string"),
        (b"1", "not a number"),
        (b"true", "not a boolean"),
        (b"null", "not null"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"x": {"a": 1, "b": 2, "a": 1}}', "'a' stands twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": -1e999}', "The number -1e999 is too large"),
        (b'{"a": ' + b"1" * 5000 + b".5}", f"The number {'1' * 40} is too large"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a":' * 201 + b"1" + b"}" * 201, "nested too deeply: more than 200 objects and lists"),
        (b'{"a":' + b"[" * 980 + b"]" * 980 + b"}", "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "a number with too many digits"),
    ],
)
def test_what_is_no_json_object_is_refused_with_the_reason(text, message):
    with pytest.raises(BodyError) as caught:
        parse_object(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"a":' + b"[" * 199 + b"]" * 199 + b"}",
        b'{"a":[' + b",".join([b'{"b":[]}'] * 500) + b"]}",
        b'{"a":"' + b"[{" * 500 + b'"}',
    ],
    ids=["objects", "lists", "many beside one another", "in a text"],
)
def test_what_is_not_too_deep_is_read_and_can_be_written_again(text):
    assert dump(parse_object(text)) == text


def test_absent_and_null_stay_different():
    assert parse_object('{"a": null}') == {"a": None}
    assert parse_object("{}") == {}


def test_half_a_surrogate_pair_is_passed_on_as_it_came():
    text = b'{"a":"\\ud800"}'
    assert dump(parse_object(text)) == text


def test_texts_go_out_as_utf_8_and_nan_never_does():
    assert dump({"a": "ü"}) == '{"a":"ü"}'.encode()
    with pytest.raises(ValueError):
        dump(float("nan"))


@pytest.mark.parametrize(
    "numbers", ["1", "1,2", "1 ,\n-2,\t0", "-0", "1,2.5,3", "1,[2,3],4", "1,null,[]", "", "12345678901234567890,1"]
)
def test_numbers_are_read_as_every_reader_does(numbers):
    text = f'{{"a": [{numbers}], "b": [[{numbers}], [ ]]}}'
    assert parse_object(text) == json.loads(text)


@pytest.mark.parametrize(
    "numbers", ["1,", "1,,2", "01,2", "1 2", "1,+2", "1,2,]", "1,2", "1,2,", ",1", "1,٢,3", "1,\u00a02,3"]
)
def test_numbers_that_are_wrong_are_refused_with_the_reason(numbers):
    text = f'{{"a": [{numbers}' + ("]}" if numbers not in ("1,2", "1,2,") else "")
    with pytest.raises(json.JSONDecodeError) as other:
        json.loads(text)
    with pytest.raises(BodyError) as caught:
        parse_object(text)
    assert f"line {other.value.lineno}, column {other.value.colno}" in str(caught.value)


def test_a_million_numbers_are_read():
    assert parse_object(f'{{"a": {json.dumps(list(range(1_000_000)))}}}') == {"a": list(range(1_000_000))}


@pytest.mark.parametrize("part", ["[1]", '{"b": 1}', "[]", "[{}]"])
def test_a_large_text_of_very_many_parts_is_refused(part, monkeypatch):
    monkeypatch.setattr(body, "LARGE", 0)
    monkeypatch.setattr(body, "MAX_PARTS", 1000)
    with pytest.raises(BodyError, match="holds more than 1,000 objects and lists"):
        parse_object(f'{{"a": [{part}{f", {part}" * 1000}]}}')
    assert len(parse_object(f'{{"a": [{part}{f", {part}" * 498}], "c": "{"[" * 2000}"}}')["a"]) == 499


@pytest.mark.parametrize(
    "text",
    ["x" * 25, "x" * 24, "é\U0001f642" * 20, 'a"b' * 9, "a\\b" * 9, "\n" * 30, "x" * 15 + "\\" * 9, "", "x" * 9],
)
def test_a_long_string_is_read_as_every_reader_does(text, monkeypatch):
    monkeypatch.setattr(body, "LARGE", 0)
    monkeypatch.setattr(body, "PIECE", 8)
    for written in (json.dumps({"a": [text, "b"]}), json.dumps({"a": [text, "b"]}, ensure_ascii=False)):
        assert parse_object(written) == {"a": [text, "b"]}


@pytest.mark.parametrize(
    "text", [f'{{"a": "{"x" * 20}', f'{{"a": "{"x" * 20}\n{"x" * 20}"}}', f'{{"a": "{"x" * 20}" 1}}']
)
def test_a_long_string_that_is_wrong_is_refused_with_its_place(text, monkeypatch):
    monkeypatch.setattr(body, "LARGE", 0)
    monkeypatch.setattr(body, "PIECE", 8)
    with pytest.raises(json.JSONDecodeError) as other:
        json.loads(text)
    with pytest.raises(BodyError) as caught:
        parse_object(text)
    assert f"line {other.value.lineno}, column {other.value.colno}" in str(caught.value)


@pytest.mark.parametrize("text", [f'{{"a": [{"1," * 200_000}1]}}', f'{{"a": "{"x" * 2**20}"}}'])
def test_nothing_long_of_a_large_text_is_read_at_once(text, monkeypatch):
    """What C reads in one go holds up all other threads."""
    sizes = []

    def noted(read):
        return lambda text, *rest: (sizes.append(len(text)), read(text, *rest))[1]

    monkeypatch.setattr(body, "LARGE", 0)
    monkeypatch.setattr(body, "_scan", noted(body._scan))
    monkeypatch.setattr(body.json, "loads", noted(json.loads))
    parse_object(text)
    assert len(sizes) > 3
    assert max(sizes) <= body.PIECE + 1
