"""What goes out: each field of the OpenAI wire in Ollama's words, and none without a word."""

from __future__ import annotations

import base64
import json
import struct
from itertools import product

import pytest
from llamafarm import CHAT, COMPLETIONS, EMBEDDINGS, InvalidRequest, UpstreamError
from llamafarm_kit.testing import Exchange
from llamafarm_ollama.parameters import PARAMETERS
from ollama_asking import HELLO, LAMP, asking
from ollama_fake import FakeOllama

pytestmark = pytest.mark.anyio
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
SHAPED = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}


OWN = (CHAT, COMPLETIONS, EMBEDDINGS)


def test_the_table_has_fields_of_the_wire_alone_and_says_of_each_why_it_goes_elsewhere_or_nowhere():
    fields = {name for operation in OWN for name in operation.fields}
    fields |= {f"{operation.name}.{name}" for operation, name in product(OWN, fields)}
    assert PARAMETERS.fields.keys() <= fields
    assert [name for name, field in PARAMETERS.fields.items() if not field.note] == []


def test_what_has_another_name_or_shape_at_ollama_is_in_the_table():
    same = {"messages", "prompt", "stream", "tools", "logprobs", "top_logprobs", "dimensions", "model"}
    told = {name.rpartition(".")[2] for name in PARAMETERS.fields}
    assert {name for operation in OWN for name in operation.fields} - told <= same


def test_ollamas_own_fields_and_options_are_taken_and_those_of_another_runtime_refused():
    for operation in OWN:
        assert PARAMETERS.of("num_ctx", operation).fate == PARAMETERS.of("keep_alive", operation).fate == "mapped"
        assert PARAMETERS.of("repetition_penalty", operation).fate == "refused"


async def test_a_plain_request_says_its_model_and_that_nothing_may_be_cut():
    async with asking(FakeOllama()) as ollama:
        await ollama.chat()
        assert ollama.sent == {"model": "tiny", "messages": HELLO, "stream": False, "truncate": False, "shift": False}


async def test_the_entry_sets_options_keep_alive_and_truncate_and_the_request_wins():
    entry = {"options": {"num_ctx": 512, "temperature": 0.5, "seed": 3}, "keep_alive": "10m", "truncate": True}
    async with asking(FakeOllama(), **entry) as ollama:
        await ollama.chat(temperature=0, seed=None, options={"top_k": 5}, min_p=0.1, keep_alive=0)
        assert ollama.sent["options"] == {"num_ctx": 512, "temperature": 0, "top_k": 5, "min_p": 0.1}
        assert (ollama.sent["keep_alive"], ollama.sent["truncate"], ollama.sent["shift"]) == (0, True, True)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"stop": "END"}, {"options": {"stop": ["END"]}}),
        ({"max_tokens": 9, "max_completion_tokens": 5}, {"options": {"num_predict": 5}}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"format": "json", "think": False}),
        ({"response_format": SHAPED}, {"format": SCHEMA, "think": False}),
        ({"response_format": SHAPED, "reasoning_effort": "high"}, {"format": SCHEMA, "think": "high"}),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"reasoning_effort": "minimal"}, {"think": "low"}),
        ({"reasoning_effort": "low", "think": True}, {"think": True}),
        ({"tools": [LAMP], "tool_choice": "auto"}, {"tools": [LAMP]}),
        ({"tools": [LAMP], "tool_choice": "none"}, {}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"n": 1, "logit_bias": {}, "parallel_tool_calls": True}, {}),
    ],
)
async def test_a_field_is_said_in_ollamas_words(fields, sent):
    async with asking(FakeOllama()) as ollama:
        await ollama.chat(**fields)
        plain = {"model", "messages", "stream", "truncate", "shift"}
        assert {name: value for name, value in ollama.sent.items() if name not in plain} == sent


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("n", {"n": 2}),
        ("logit_bias", {"logit_bias": {"5": 1}}),
        ("tool_choice", {"tools": [LAMP], "tool_choice": "required"}),
        ("parallel_tool_calls", {"tools": [LAMP], "parallel_tool_calls": False}),
        ("max_tokens", {"max_tokens": 0}),
        ("temperature", {"temperature": "hot"}),
        ("num_ctx", {"options": {"num_ctx": "many"}}),
        ("num_ctxt", {"num_ctxt": 512}),
        ("top_logprobs", {"top_logprobs": 2}),
        ("reasoning_effort", {"reasoning_effort": "heroic"}),
        ("response_format", {"response_format": {"type": "json_schema"}}),
        ("messages.0.name", {"messages": [{"role": "user", "content": "Hi", "name": "Ann"}]}),
        ("messages.0.content.0.image_url", {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}]}]}),
        ("messages.0.content.0", {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}),
        ("messages.0.content.0", {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}),
        ("messages.0.tool_calls.0.function.arguments", {"messages": [{"role": "assistant", "tool_calls": [
            {"id": "c", "function": {"name": "set_lamp", "arguments": 7}}]}]}),
    ],
)  # fmt: skip
async def test_what_ollama_would_ignore_or_misread_is_refused_before_it_is_asked(param, fields):
    async with asking(FakeOllama()) as ollama:
        with pytest.raises(InvalidRequest) as caught:
            await ollama.chat(**fields)
        assert (caught.value.param, ollama.upstream.requests) == (param, [])


async def test_a_misspelt_field_is_told_the_right_one():
    async with asking(FakeOllama()) as ollama:
        with pytest.raises(InvalidRequest, match="'num_ctx'"):
            await ollama.chat(num_ctxt=512)


@pytest.mark.parametrize("written", ["{oops", "[1]", "true"])
async def test_arguments_of_an_earlier_call_that_are_no_object_are_carried_on_as_text(written):
    call = {"id": "c", "type": "function", "function": {"name": "set_lamp", "arguments": written}}
    async with asking(FakeOllama(), model="contract") as ollama:
        await ollama.chat([{"role": "assistant", "tool_calls": [call]}])
        (sent,) = ollama.sent["messages"][0]["tool_calls"]
        assert sent["function"]["arguments"] == {"INVALID_JSON": written}


async def test_an_empty_list_of_stops_and_obfuscation_ask_for_nothing():
    async with asking(FakeOllama(), model="contract") as ollama:
        await ollama.chat(stop=[], stream_options={"include_obfuscation": True})


async def test_messages_with_pictures_tools_and_thoughts_get_ollamas_form():
    call = {"id": "c1", "type": "function", "function": {"name": "set_lamp", "arguments": '{"on": true}'}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "See:"}, PICTURE, {"type": "text", "text": "Now?"}]},
        {"role": "assistant", "content": None, "refusal": None, "reasoning": "It is dark.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ]
    async with asking(FakeOllama(), model="contract") as ollama:
        await ollama.chat(messages, tools=[LAMP])
        system, user, assistant, tool = ollama.sent["messages"]
        assert system == {"role": "system", "content": "Be brief."}
        assert user == {"role": "user", "content": "See:\nNow?", "images": ["iVBORw=="]}
        called = {"id": "c1", "function": {"name": "set_lamp", "arguments": {"on": True}}}
        assert assistant == {"role": "assistant", "content": "", "thinking": "It is dark.", "tool_calls": [called]}
        assert tool == {"role": "tool", "content": "done", "tool_call_id": "c1", "tool_name": "set_lamp"}


async def test_a_completion_is_raw_unless_a_suffix_needs_the_template():
    async with asking(FakeOllama(), model="contract") as ollama:
        await ollama.complete(prompt=["Once"], max_tokens=3)
        assert (ollama.sent["prompt"], ollama.sent["raw"], ollama.sent["options"]) == ("Once", True, {"num_predict": 3})
        await ollama.complete(prompt="Once", suffix="end")
        assert (ollama.sent["suffix"], "raw" in ollama.sent) == ("end", False)


@pytest.mark.parametrize(
    ("param", "fields"), [("prompt", {"prompt": ["a", "b"]}), ("echo", {"echo": True}), ("logprobs", {"logprobs": 2})]
)
async def test_what_a_completion_of_ollama_cannot_do_is_refused(param, fields):
    async with asking(FakeOllama()) as ollama:
        with pytest.raises(InvalidRequest) as caught:
            await ollama.complete(**{"prompt": "Once", **fields})
        assert caught.value.param == param


async def test_embeddings_send_the_options_of_loading_alone_and_make_base64_of_floats():
    entry = {"model": "tiny-bert", "options": {"num_ctx": 256, "temperature": 0.5}}
    async with asking(FakeOllama(), **entry) as ollama:
        floats = await ollama.embed(["the sky", "hello"], dimensions=2)
        packed = await ollama.embed(["the sky", "hello"], dimensions=2, encoding_format="base64")
        assert (ollama.sent["options"], ollama.sent["truncate"]) == ({"num_ctx": 256}, False)
        assert floats["data"][1] == {"object": "embedding", "index": 1, "embedding": [0.5, 0.25]}
        assert struct.unpack("<2f", base64.b64decode(packed["data"][1]["embedding"])) == (0.5, 0.25)
        assert floats["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


@pytest.mark.parametrize("vectors", [["no"], [[0.5, None]], [{}], "no"])
async def test_vectors_that_are_none_are_an_error(vectors):
    async with asking(Exchange.any(200, json.dumps({"embeddings": vectors})), model="tiny-bert") as ollama:
        with pytest.raises(UpstreamError, match="holds "):
            await ollama.embed("sky", encoding_format="base64")


@pytest.mark.parametrize("texts", [[], [""], ["sky", ""], [[1, 2]], [1, 2], ["sky", {"image": "x"}], {"image": "x"}])
async def test_texts_that_ollama_would_leave_out_are_refused(texts):
    async with asking(FakeOllama(), model="tiny-bert") as ollama:
        with pytest.raises(InvalidRequest) as caught:
            await ollama.embed(texts)
        assert caught.value.param == "input"
