"""What answers are to be held to, on its way to the engine: read, checked and refused before anything is queued."""

from __future__ import annotations

import json

import pytest

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DEEP = {"not": {}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("weather", "time")]
STRICT = {"type": "function", "function": {"name": "strict", "parameters": CITY, "strict": True}}


def as_schema(schema, **more):
    return {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, **more}}


def asked(shared, **fields):
    """The work that reaches the engine host."""
    response = shared.chat("<show>", **fields)
    assert response.status_code == 200, response.text
    return json.loads(response.json()["choices"][0]["message"]["content"])


@pytest.mark.parametrize(("fields", "kind", "value", "strict"), [
    ({"response_format": {"type": "json_object"}}, "json", {"type": "object"}, True),
    ({"response_format": as_schema(CITY)}, "json", CITY, True),
    ({"response_format": as_schema(CITY, strict=True, description="A city")}, "json", CITY, True),
    ({"response_format": as_schema(DEEP, strict=False)}, "json", DEEP, False),
    ({"response_format": as_schema(CITY, strict=None)}, "json", CITY, True),
    ({"structured_outputs": {"json": CITY}}, "json", CITY, True),
    ({"structured_outputs": {"json": json.dumps(CITY), "regex": None}}, "json", CITY, True),
    ({"structured_outputs": {"json_object": True}}, "json", {"type": "object"}, True),
    ({"structured_outputs": {"regex": "a+"}}, "regex", "a+", True),
    ({"structured_outputs": {"choice": ["yes", "no"]}}, "choice", ["yes", "no"], True),
    ({"structured_outputs": {"grammar": 'start: "a"'}}, "grammar", 'start: "a"', True),
])  # fmt: skip
def test_what_an_answer_must_be_reaches_the_engine(shared, fields, kind, value, strict):
    structure = asked(shared, **fields)["structure"]
    assert (structure["kind"], structure["value"], structure["strict"]) == (kind, value, strict)
    assert structure["field"].startswith(next(iter(fields)))
    body = {"model": "echo/model", "prompt": "<show>", **fields}
    continued = json.loads(shared.http.post("/v1/completions", json=body).json()["choices"][0]["text"])
    assert continued["structure"] == structure


DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#", **CITY, "additionalProperties": False}
CLIENTS = {
    "Vercel's AI SDK 6": {"response_format": as_schema(DRAFT_7, strict=True), "max_tokens": 400},
    "its tools": {"tools": [{"type": "function", "function": {"name": "f", "description": "F", "parameters": DRAFT_7}}],
                  "tool_choice": {"type": "function", "function": {"name": "f"}}},
    "openai's parse": {"response_format": as_schema({**CITY, "title": "City"}, strict=True)},
    "instructor's tools": {"tools": [{"type": "function", "function": {"name": "City", "parameters": CITY,
        "description": "Correctly extracted `City` with all the required parameters with correct types"}}],
        "tool_choice": {"type": "function", "function": {"name": "City"}}},
    "LangChain's": {"parallel_tool_calls": False, "tools": [STRICT], "tool_choice": {"type": "function", "function": {
        "name": "strict"}}},
    "pydantic-ai's": {"tools": [STRICT], "tool_choice": "required", "stream_options": {"include_usage": True}},
}  # fmt: skip
"""What unedited clients send for a structured answer."""


@pytest.mark.parametrize("client", CLIENTS)
def test_what_clients_send_is_taken(shared, client):
    response = shared.chat("hello", **CLIENTS[client], stream=True)
    assert response.status_code == 200, response.text
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("fields", [
    {},
    {"response_format": {"type": "text"}},
    {"response_format": {"type": "text", "json_schema": None}},
    {"structured_outputs": {}},
    {"structured_outputs": {"json_object": False}},
])  # fmt: skip
def test_where_nothing_is_asked_for_the_answer_is_free(shared, fields):
    assert asked(shared, **fields)["structure"] is None


@pytest.mark.parametrize(("choice", "required", "names"), [
    ("auto", False, []),
    ("required", True, []),
    ({"type": "function", "function": {"name": "time"}}, True, ["time"]),
    ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {
        "name": "time"}}]}}, False, ["time"]),
])  # fmt: skip
def test_which_tools_may_be_called_reaches_the_engine(shared, choice, required, names):
    prompt = asked(shared, tools=[*TOOLS, STRICT], tool_choice=choice)["prompt"]
    assert prompt["tool_choice"] == {"required": required, "names": names, "strict": ["strict"]}
    assert "strict" not in prompt["tools"][2]["function"]


TAG = {"type": "tag", "begin": "<f=a>", "content": {"type": "json_schema", "json_schema": CITY}, "end": ["</f>", "."]}
TAGS = {"type": "triggered_tags", "triggers": ["<f="], "tags": [TAG], "stop_after_first": True}
LEGACY = {"type": "structural_tag", "triggers": ["<f="], "structures": [{"begin": "<f=a>", "schema": CITY, "end": ""}]}
HELD = {"triggers": ["<f="], "at_least_one": False, "stop_after_first": False}


@pytest.mark.parametrize(("fields", "value"), [
    ({"response_format": LEGACY}, {**HELD, "tags": [{"begin": "<f=a>", "schema": CITY, "ends": [""]}]}),
    ({"response_format": {"type": "structural_tag", "format": TAGS}},
     {**HELD, "stop_after_first": True, "tags": [{"begin": "<f=a>", "schema": CITY, "ends": ["</f>", "."]}]}),
    ({"structured_outputs": {"structural_tag": json.dumps({**LEGACY, "at_least_one": True})}},
     {**HELD, "at_least_one": True, "tags": [{"begin": "<f=a>", "schema": CITY, "ends": [""]}]}),
])  # fmt: skip
def test_tags_in_free_text_reach_the_engine_in_one_form(shared, fields, value):
    structure = asked(shared, **fields)["structure"]
    assert (structure["kind"], structure["value"]) == ("tags", value)


WRONG = [
    ({"response_format": "json"}, "response_format", "an object"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "'json_object'"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "an object"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "response_format.json_schema.name",
     "not empty"),
    ({"response_format": {"type": "json_object", "schema": {}}}, "response_format.schema", "Unknown field"),
    ({"response_format": as_schema({"type": "strin"})}, "response_format.json_schema.schema", "#/type: it must be"),
    ({"response_format": as_schema({"type": "strin"}, strict=False)}, "response_format.json_schema.schema",
     "#/type: it must be"),
    ({"response_format": as_schema({"properties": {"a": DEEP}})}, "response_format.json_schema.schema",
     "#/properties/a/not: `not` cannot be enforced"),
    ({"structured_outputs": {"json": "{"}}, "structured_outputs.json", "a JSON Schema"),
    ({"structured_outputs": {"json": DEEP}}, "structured_outputs.json", "`not` cannot be enforced"),
    ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs", "regex and choice: give one"),
    ({"structured_outputs": {"choice": []}}, "structured_outputs.choice", "a list of 1 to"),
    ({"structured_outputs": {"choice": [1]}}, "structured_outputs.choice[0]", "not 1"),
    ({"structured_outputs": {"regex": "a" * 10_001}}, "structured_outputs.regex", "at most 10,000 characters"),
    ({"structured_outputs": {"disable_any_whitespace": True}}, "structured_outputs.disable_any_whitespace",
     "There is json, json_obj"),
    ({"structured_outputs": {"structural_tag": "{}"}}, "structured_outputs.structural_tag.structures", "missing"),
    ({"structured_outputs": {"structural_tag": "{"}}, "structured_outputs.structural_tag", "an object in JSON"),
    ({"response_format": {"type": "structural_tag", "format": {"type": "sequence"}}}, "response_format.format.type",
     "'triggered_tags'"),
    ({"structured_outputs": {"structural_tag": {"format": {**TAGS, "tags": [{**TAG, "content": {"type": "regex"}}]}}}},
     "structured_outputs.structural_tag.format.tags[0].content.type", "'json_schema'"),
    ({"response_format": {**LEGACY, "triggers": ["<g="]}}, "response_format", "'<f=a>'"),
    ({"response_format": {**LEGACY, "structures": [{"begin": "<f=", "schema": DEEP, "end": ""}]}},
     "response_format.structures[0].schema", "`not` cannot be enforced"),
    ({"structured_outputs": {"rexeg": "a"}}, "structured_outputs.rexeg", "Did you mean 'regex'?"),
    ({"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}}, "structured_outputs",
     "give one"),
    ({"guided_json": {}}, "guided_json", "use 'structured_outputs'"),
    ({"tools": TOOLS, "tool_choice": "any"}, "tool_choice", "'required'"),
    ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice",
     "There is 'weather', 'time'."),
    ({"tools": TOOLS, "tool_choice": {"type": "function", "name": "f"}}, "tool_choice.function", "an object"),
    ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
     "tool_choice.allowed_tools.tools", "a list of tools"),
    ({"tool_choice": "required"}, "tool_choice", "no 'tools'"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "strin"}}}]},
     "tools[0].function.parameters", "#/type: it must"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": DEEP, "strict": True}}]},
     "tools[0].function.parameters", "`not` cannot be enforced"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param", "says"), WRONG, ids=[f"{param}: {says}" for _, param, says in WRONG])
def test_what_is_wrong_is_named(shared, fields, param, says):
    response = shared.chat("a", **fields)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert says in error["message"]


def test_tools_without_strict_may_have_what_cannot_be_enforced(shared):
    tools = [{"type": "function", "function": {"name": "f", "parameters": DEEP}}]
    assert asked(shared, tools=tools)["prompt"]["tool_choice"]["strict"] == []


def test_a_call_comes_in_pieces_and_is_one_call_in_the_end(shared):
    written = (
        '<call>{"name": "f", "arguments": ""}|<arguments>{"x"|<arguments>: 1}|<call>{"name": "g", "arguments": "{}"}'
    )
    message = shared.chat(written).json()["choices"][0]["message"]
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "f", "arguments": '{"x": 1}'},
        {"name": "g", "arguments": "{}"},
    ]
    assert message["content"] is None
    lines = [line.removeprefix("data: ") for line in shared.chat(written, stream=True).text.splitlines()]
    chunks = [json.loads(line) for line in lines if line.startswith("{")]
    deltas = [delta for chunk in chunks for delta in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [(delta["index"], "id" in delta, delta["function"]) for delta in deltas] == [
        (0, True, {"name": "f", "arguments": ""}),
        (0, False, {"arguments": '{"x"'}),
        (0, False, {"arguments": ": 1}"}),
        (1, True, {"name": "g", "arguments": "{}"}),
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
