"""Arguments in notations of their own: held to the tool's schema, and read back as the JSON that they mean."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from llamafarm_universal.host.engines.text.grammar import shape_for
from llamafarm_universal.host.engines.text.parse import Format, Parser
from llamafarm_universal.host.engines.text.parse.calls import CallMarks
from llamafarm_universal.host.engines.text.parse.formats import GEMMA, GEMMA_4, GLM, QWEN_CODER, THINK
from llamafarm_universal.host.engines.text.stop import StopStage
from random_schemas import schema
from speaker import Chat, Speaker, speaker_with

FAMILIES = {
    "qwen coder": (QWEN_CODER, ()),
    "glm": (GLM, (GLM.open, str(GLM.close), *GLM.inner)),
    "gemma": (GEMMA, ()),
    "gemma 4": (GEMMA_4, (GEMMA_4.open, str(GEMMA_4.close), *GEMMA_4.inner)),
}
BEGINNINGS = {
    "qwen coder": ("<tool_call>\n<function=f>\n", "</function>\n</tool_call>"),
    "gemma 4": ("<|tool_call>call:f{", "}<tool_call|>"),
}


@pytest.fixture(scope="module", params=FAMILIES)
def marks(request: pytest.FixtureRequest) -> CallMarks:
    return FAMILIES[request.param][0]


@pytest.fixture(scope="module")
def speaker(marks: CallMarks) -> Speaker:
    special = next(special for calls, special in FAMILIES.values() if calls is marks)
    return speaker_with(*special, model_format=Format(THINK, marks))


def forced(parameters: Any, *, strict: bool = False) -> Chat:
    return Chat(("f",), required=True, parallel=False, strict=("f",) if strict else (), parameters=parameters)


def called(speaker: Speaker, text: str, parameters: Any, size: int, *, streams: bool) -> Any:
    """The arguments of the only call in a text that comes in pieces."""
    parser = Parser.of_chat(speaker.format, "", StopStage(), {"f": parameters}, streams=streams)
    parts = [part for start in range(0, len(text), size) for part in parser.feed(text[start : start + size])]
    begun, *rest = [*parts, *parser.finish()]
    assert (begun.channel, {part.channel for part in rest} - {"arguments"}) == ("tool_call", set())
    call = json.loads(begun.text)
    assert call["name"] == "f"
    return json.loads(call["arguments"] + "".join(part.text for part in rest))


def some_parameters(seed: int) -> dict[str, Any]:
    """Parameters of which one is whatever a schema says, and others may be left out."""
    made = schema(seed)
    definitions = made.pop("$defs", {})
    properties = {"made up": made, "text": {"type": "string"}, "count": {"type": ["integer", "null"]}}
    return {"type": "object", "properties": properties, "required": ["made up"], "$defs": definitions}


def test_what_is_written_at_random_fits_the_schema_however_it_is_cut(speaker: Speaker, marks: CallMarks) -> None:
    fitting = 0
    for seed in range(24):
        parameters = some_parameters(seed)
        asked = forced(parameters, strict=True).asked
        speaker.format = Format(THINK, replace(marks, shape=shape_for(marks.shape, asked.prompt)))  # type: ignore[arg-type]
        text = speaker.says(asked, Random(seed))
        if text is None:
            continue
        arguments = called(speaker, text, parameters, 1, streams=True)
        assert called(speaker, text, parameters, 5, streams=True) == arguments
        assert called(speaker, text, parameters, len(text), streams=False) == arguments
        Draft202012Validator(parameters, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(arguments)
        fitting += 1
    assert fitting >= 12


CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
PLACES = {"type": "array", "items": {"$ref": "#/$defs/City"}, "minItems": 1, "maxItems": 2}
PARAMETERS = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "limit": {"type": "integer", "minimum": 3},
        "unit": {"anyOf": [{"enum": ["C", "F"]}, {"type": "null"}]},
        "places": PLACES,
        "free": {},
    },
    "required": ["code"],
    "$defs": {"City": CITY},
}


@pytest.mark.parametrize(("family", "written", "arguments"), [
    ("qwen coder", "<parameter=code>\n7\n</parameter>\n", {"code": "7"}),
    ("qwen coder", "<parameter=code>\nif a:\n  b = \"<b>\"\n\n</parameter>\n", {"code": 'if a:\n  b = "<b>"\n'}),
    ("qwen coder", "<parameter=code>\n\n</parameter>\n<parameter=limit>\n5\n</parameter>\n", {"code": "", "limit": 5}),
    ("qwen coder", "<parameter=code>\nx\n</parameter>\n<parameter=unit>\nnull\n</parameter>\n",
     {"code": "x", "unit": None}),
    ("qwen coder", '<parameter=code>\nx\n</parameter>\n<parameter=places>\n[{"name": "</parameter>"}]\n</parameter>\n',
     {"code": "x", "places": [{"name": "</parameter>"}]}),
    ("qwen coder", "<parameter=code>\nx\n</parameter>\n<parameter=free>\n[1\n</parameter>\n",
     {"code": "x", "free": "[1"}),
    ("gemma 4", 'code:<|"|>7<|"|>', {"code": "7"}),
    ("gemma 4", 'code:<|"|>{a}, "b":\n<|"|>,limit:5', {"code": '{a}, "b":\n', "limit": 5}),
    ("gemma 4", 'code:<|"|><|"|>,free:{a:[<|"|>b<|"|>,null,{}],c d:true},unit:null',
     {"code": "", "free": {"a": ["b", None, {}], "c d": True}, "unit": None}),
    ("gemma 4", 'code:<|"|>x<|"|>,places:[{name:<|"|>Rome<|"|>},{name:<|"|>}<|"|>}],unit:<|"|>C<|"|>',
     {"code": "x", "places": [{"name": "Rome"}, {"name": "}"}], "unit": "C"}),
])  # fmt: skip
def test_values_are_what_their_types_make_of_them(family: str, written: str, arguments: Any) -> None:
    begins, ends = BEGINNINGS[family]
    text = f"{begins}{written}{ends}"
    calls, special = FAMILIES[family]
    speaker = speaker_with(*special, model_format=Format(THINK, calls))
    if "c d" not in text:  # a name that no schema says is one word
        assert speaker.reads(forced(PARAMETERS).asked, text) == "finished"
    for size in (1, 3, 1000):
        assert called(speaker, text, PARAMETERS, size, streams=True) == arguments
        assert called(speaker, text, PARAMETERS, size, streams=False) == arguments


@pytest.mark.parametrize(("family", "written", "refused"), [
    ("qwen coder", "<parameter=", "l"),
    ("qwen coder", "<parameter=code>\nx\n</parameter>\n<parameter=limit>\n2", "\n"),
    ("qwen coder", "<parameter=code>\nx\n</parameter>\n<parameter=unit>\n", "K"),
    ("qwen coder", "<parameter=code>\nx\n</parameter>\n<parameter=places>\n[", "]"),
    ("gemma 4", "", "l"),
    ("gemma 4", "code:", "7"),
    ("gemma 4", 'code:<|"|>x<|"|>,limit:2', ","),
    ("gemma 4", 'code:<|"|>x<|"|>,places:[', "]"),
    ("gemma 4", 'code:<|"|>x<|"|>,', "o"),
])  # fmt: skip
def test_nothing_else_is_allowed(family: str, written: str, refused: str) -> None:
    calls, special = FAMILIES[family]
    speaker = speaker_with(*special, model_format=Format(THINK, calls))
    begun = BEGINNINGS[family][0] + written
    assert speaker.reads(forced(PARAMETERS).asked, begun + refused) == f"{begun!r} goes on with no {refused!r}"


def test_a_strict_tool_that_no_notation_can_keep_to_is_called_in_json(speaker: Speaker, marks: CallMarks) -> None:
    parameters = {
        "type": "object",
        "patternProperties": {"^k[0-9]$": {"type": "string"}},
        "additionalProperties": False,
    }
    lax, strict = forced(parameters).asked, forced(parameters, strict=True).asked
    assert shape_for(marks.shape, lax.prompt) == marks.shape  # type: ignore[arg-type]
    shape = shape_for(marks.shape, strict.prompt)  # type: ignore[arg-type]
    assert shape.notation is None
    speaker.format = Format(THINK, replace(marks, shape=shape))
    text = speaker.says(strict, Random(3)) or ""
    Draft202012Validator(parameters).validate(called(speaker, text, parameters, 2, streams=True))
    assert called(speaker, text, parameters, 2, streams=True) == called(speaker, text, parameters, 9, streams=False)


def test_a_name_that_would_end_its_own_mark_is_written_in_json() -> None:
    asked = forced({"type": "object", "properties": {"a>b": {"type": "string"}}}).asked
    assert shape_for(QWEN_CODER.shape, asked.prompt).notation is None  # type: ignore[arg-type]
    assert shape_for(GEMMA.shape, asked.prompt) == GEMMA.shape  # type: ignore[arg-type]


def test_arguments_come_while_a_text_is_written(speaker: Speaker) -> None:
    text = speaker.says(forced(CITY).asked, Random(1)) or ""
    parser = Parser.of_chat(speaker.format, "", StopStage(), {"f": CITY}, streams=True)
    pieces = [part.text for sign in text for part in parser.feed(sign) if part.channel == "arguments"]
    assert json.loads("".join(pieces))["name"]
    assert max(map(len, pieces)) <= len('{"name": "')


def test_a_name_that_cannot_be_bare_has_quotes() -> None:
    calls, special = FAMILIES["gemma 4"]
    gemma = speaker_with(*special, model_format=Format(THINK, calls))
    parameters = {"properties": {'a "b"': {"const": 1}}, "required": ['a "b"']}
    text = '<|tool_call>call:f{"a \\"b\\"":1}<tool_call|>'
    assert gemma.reads(forced(parameters).asked, text) == "finished"
    assert called(gemma, text, parameters, 1, streams=True) == {'a "b"': 1}
