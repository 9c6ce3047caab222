"""Through the gateway: what an entry adds to its requests, and what reaches the server of it."""

from __future__ import annotations

import pytest
from llamafarm.errors import InvalidRequest
from llamafarm.gateway import Context, Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm.providers.parameters import IGNORED_HEADER
from llamafarm.wire.operations import CHAT, COMPLETIONS, EMBEDDINGS, IMAGES, RERANK
from llamafarm_kit.testing.upstream import ScriptedUpstream, answering
from openai_asking import COMPLETION, MESSAGES, entry_at

pytestmark = pytest.mark.anyio
CONFIGURED = {
    "model_api_parameters": {"temperature": 0.2, "seed": 7},
    "extra_body": {"top_k": 20, "chat_template_kwargs": {"enable_thinking": False}},
}
VECTORS = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
PICTURES = {"created": 1, "data": [{"b64_json": "aGVsbG8="}]}
RANKED = {"results": [{"index": 0, "relevance_score": 0.5}]}


async def sent(answer, operation, request, **more):
    """What reaches the server of a request, and the headers for the client."""
    async with ScriptedUpstream(answering(answer)) as upstream:
        gateway = Gateway(PluginManager())
        context = Context("req_1")
        try:
            entry = entry_at(upstream.base_url, **{**CONFIGURED, **more})
            given = await gateway.ask(Project("shop", "default", None, (entry,)), operation, request, context)
            if operation.returns != "value":
                await given.aclose()
        finally:
            await gateway.aclose()
        return upstream.requests[-1].body, context.headers


async def test_a_chat_gets_the_entrys_parameters_and_further_fields():
    body, _ = await sent(COMPLETION, CHAT, {"messages": MESSAGES, "temperature": 0.9, "min_p": 0.1})
    assert body == {
        "messages": MESSAGES,
        "model": "gpt-x",
        "temperature": 0.9,
        "seed": 7,
        "min_p": 0.1,
        **CONFIGURED["extra_body"],
    }


async def test_the_limit_of_a_request_replaces_the_entrys_under_whichever_name():
    request = {"messages": MESSAGES, "max_completion_tokens": 128}
    body, _ = await sent(COMPLETION, CHAT, request, model_api_parameters={"max_tokens": 64}, extra_body={})
    assert body == {**request, "model": "gpt-x"}


async def test_the_shape_that_a_request_asks_for_replaces_the_entrys_grammar():
    request = {"messages": MESSAGES, "response_format": {"type": "json_object"}}
    body, _ = await sent(COMPLETION, CHAT, request, model_api_parameters={}, extra_body={"grammar": "root ::= 'a'"})
    assert body == {**request, "model": "gpt-x"}


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": -1},
        {"max_completion_tokens": -1},
        {"stop": []},
        {"stream_options": {"include_obfuscation": True}},
    ],
)
async def test_what_only_the_server_can_judge_reaches_it(fields):
    body, _ = await sent(COMPLETION, CHAT, {"messages": MESSAGES, **fields})
    assert fields.items() <= body.items()


async def test_a_completion_of_no_tokens_reaches_the_server():
    asked = {"prompt": "a", "max_tokens": 0, "echo": True, "logprobs": 1}
    body, _ = await sent({**COMPLETION, "object": "text_completion"}, COMPLETIONS, asked)
    assert asked.items() <= body.items()


async def test_broken_arguments_of_an_earlier_call_reach_the_server_as_the_text_that_they_are():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"city": '}}
    body, _ = await sent(COMPLETION, CHAT, {"messages": [*MESSAGES, {"role": "assistant", "tool_calls": [call]}]})
    assert body["messages"][-1]["tool_calls"] == [call]


@pytest.mark.parametrize(
    "answer, operation, request_",
    [(VECTORS, EMBEDDINGS, {"input": "a"}), (RANKED, RERANK, {"query": "q", "documents": ["a"]})],
    ids=["embeddings", "rerank"],
)
async def test_operations_that_generate_nothing_get_the_further_fields_only(answer, operation, request_):
    body, _ = await sent(answer, operation, request_)
    assert body == {**request_, "model": "gpt-x", **CONFIGURED["extra_body"]}


async def test_pictures_get_the_further_fields_too():
    body, _ = await sent(PICTURES, IMAGES, {"prompt": "a cat"}, extra_body={"steps": 4}, model_api_parameters={"n": 2})
    assert body == {"prompt": "a cat", "model": "gpt-x", "steps": 4, "n": 2}


async def test_a_parameter_of_the_configuration_that_the_server_would_ignore_is_refused_as_one_of_the_request_is():
    with pytest.raises(InvalidRequest, match="'seed' for chat"):
        await sent(COMPLETION, CHAT, {"messages": MESSAGES}, profile="anthropic")


async def test_what_a_server_has_no_use_for_is_named_to_the_client():
    more = {"profile": "anthropic", "model_api_parameters": {}}
    body, headers = await sent(COMPLETION, CHAT, {"messages": MESSAGES, "user": "u"}, **more)
    assert "user" not in body
    assert headers[IGNORED_HEADER] == "user"
