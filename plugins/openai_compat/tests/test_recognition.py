"""Which server it is: told by its address, by the configuration, or by what it lists, and asked no more than needed."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import ConnectionFailed, InvalidRequest
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.parameters import IGNORED_HEADER
from llamafarm_kit.testing.upstream import Asked, Peer, Script, ScriptedUpstream
from llamafarm_openai_compat import recognition
from llamafarm_openai_compat.config import OpenAIEntry, endpoint
from llamafarm_openai_compat.profiles import profile_at
from llamafarm_openai_compat.provider import OpenAIProvider
from openai_asking import COMPLETION, MESSAGES, Asking, entry_at

pytestmark = pytest.mark.anyio
VLLM = {
    "object": "list",
    "data": [
        {
            "id": "Qwen/Qwen3-8B",
            "object": "model",
            "created": 1764000000,
            "owned_by": "vllm",
            "root": "Qwen/Qwen3-8B",
            "parent": None,
            "max_model_len": 40960,
            "permission": [],
        }
    ],
}
LM_STUDIO = {"data": [{"id": "qwen/qwen3-4b", "object": "model", "owned_by": "organization_owner"}], "object": "list"}
LLAMA_CPP = {
    "models": [{"name": "m.gguf", "model": "m.gguf", "type": "model"}],
    "object": "list",
    "data": [
        {
            "id": "m.gguf",
            "object": "model",
            "created": 1764000000,
            "owned_by": "llamacpp",
            "meta": {"vocab_type": 2, "n_vocab": 151936, "n_ctx_train": 32768, "n_embd": 896, "size": 531000000},
        }
    ],
}
SERVE = {
    "object": "list",
    "data": [{"owned_by": "Qwen", "id": "Qwen/Qwen3-0.6B", "object": "model", "created": 1764000000.25}],
}
LITELLM = {
    "data": [{"id": "openai/gpt-5", "object": "model", "created": 1677610602, "owned_by": "openai"}],
    "object": "list",
}
MIXED = {"data": [*VLLM["data"], *LITELLM["data"]], "object": "list"}
JSON = {"response_format": {"type": "json_object"}}


def serving(models: object, status: int = 200, headers: dict[str, str] | None = None) -> Script:
    """A server that lists its models and answers every chat."""

    async def script(asked: Asked, peer: Peer) -> None:
        if asked.method == "GET":
            await peer.answer(status, models, headers)
        else:
            await peer.answer(200, COMPLETION)

    return script


def looks(upstream: ScriptedUpstream) -> int:
    return sum(asked.method == "GET" for asked in upstream.requests)


def chats(upstream: ScriptedUpstream) -> int:
    return sum(asked.method == "POST" for asked in upstream.requests)


@pytest.mark.parametrize(
    "address, name",
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://api.together.ai/v1", "together"),
        ("https://api.together.xyz/v1", "together"),
        ("https://api.anthropic.com/v1", "anthropic"),
        ("https://API.OpenAI.com:443/v1", "openai"),
        ("http://api.openai.com/v1", None),
        ("https://api.openai.com:8443/v1", None),
        ("https://api.openai.com.evil.example/v1", None),
        ("https://evil.example/api.openai.com/v1", None),
        ("https://user@evil.example/v1", None),
        ("http://127.0.0.1:8000/v1", None),
    ],
)
async def test_a_service_is_recognised_by_its_address_and_no_other(address, name):
    found = profile_at(address)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    "models, headers, name",
    [
        (VLLM, {"server": "uvicorn"}, "vllm"),
        (LM_STUDIO, {}, "lm-studio"),
        (LLAMA_CPP, {}, "llama.cpp"),
        ({"data": []}, {"server": "llama.cpp"}, "llama.cpp"),
        (SERVE, {"server": "uvicorn"}, "transformers-serve"),
        (SERVE, {"server": "cloudflare"}, "generic"),
        (LITELLM, {"server": "uvicorn"}, "generic"),
        (MIXED, {"server": "uvicorn"}, "generic"),
        ([{"id": "a/b", "context_length": 4096}], {}, "generic"),
    ],
)
async def test_a_server_is_recognised_by_what_it_lists(models, headers, name):
    async with ScriptedUpstream(serving(models, headers=headers)) as upstream, Asking(upstream) as asking:
        await asking.provider.list_models()
        assert asking.provider.recognition.known.name == name


async def test_a_plain_chat_asks_nobody():
    async with ScriptedUpstream(serving(VLLM)) as upstream, Asking(upstream) as asking:
        await asking.chat(temperature=0.5, tools=[], stream=False, n=1, logprobs=False, seed=7, unknown=1)
        assert looks(upstream) == 0
        assert asking.provider.recognition.known is None


async def test_a_request_that_servers_treat_differently_asks_once_and_is_sent_once():
    async with ScriptedUpstream(serving(LM_STUDIO)) as upstream, Asking(upstream) as asking:
        for _ in range(3):
            await asking.chat(**JSON)
        assert [asked.method for asked in upstream.requests] == ["GET", "POST", "POST", "POST"]
        assert upstream.requests[-1].body["response_format"]["type"] == "json_schema"


async def test_what_a_recognised_server_would_ignore_is_refused():
    async with ScriptedUpstream(serving(VLLM)) as upstream, Asking(upstream) as asking:
        with pytest.raises(InvalidRequest, match="structured_outputs"):
            await asking.chat(guided_json={"type": "object"})
        assert (looks(upstream), chats(upstream)) == (1, 0)


async def test_strictness_of_tools_that_a_recognised_server_would_ignore_is_named():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
    async with ScriptedUpstream(serving(SERVE, headers={"server": "uvicorn"})) as upstream, Asking(upstream) as asking:
        await asking.chat(tools=[tool])
        assert (looks(upstream), chats(upstream)) == (1, 1)
        assert asking.headers[IGNORED_HEADER] == "tools.function.strict"


async def test_requests_at_once_ask_once():
    async with ScriptedUpstream(serving(LM_STUDIO)) as upstream, Asking(upstream) as asking:
        await asyncio.gather(*(asking.chat(**JSON) for _ in range(20)))
        assert (looks(upstream), chats(upstream)) == (1, 20)


async def test_a_request_that_is_cancelled_while_it_waits_leaves_the_others_their_answer():
    asked_for, go = asyncio.Event(), asyncio.Event()

    async def slow(asked: Asked, peer: Peer) -> None:
        if asked.method == "GET":
            asked_for.set()
            await go.wait()
        await serving(LM_STUDIO)(asked, peer)

    async with ScriptedUpstream(slow) as upstream, Asking(upstream) as asking:
        first, second = (asyncio.create_task(asking.chat(**JSON)) for _ in range(2))
        await asyncio.wait_for(asked_for.wait(), 10)
        first.cancel()
        go.set()
        await asyncio.wait_for(second, 10)
        assert first.cancelled()
        assert (looks(upstream), chats(upstream)) == (1, 1)


@pytest.mark.parametrize("models, status", [("Internal Server Error", 500), ({"error": "no"}, 401), ({"data": 1}, 200)])
async def test_a_server_that_does_not_say_gets_requests_as_they_are_and_is_left_alone_for_a_while(models, status):
    async with ScriptedUpstream(serving(models, status)) as upstream, Asking(upstream) as asking:
        for _ in range(3):
            await asking.chat(**JSON)
        assert (looks(upstream), chats(upstream)) == (1, 3)
        assert upstream.requests[-1].body["response_format"] == JSON["response_format"]


async def test_a_server_that_did_not_say_is_asked_again_later(monkeypatch):
    monkeypatch.setattr(recognition, "AGAIN_SECONDS", 0.0)
    listed: list[Script] = [serving("Internal Server Error", 500), serving(LM_STUDIO)]

    async def recovering(asked: Asked, peer: Peer) -> None:
        await (listed.pop(0) if asked.method == "GET" else serving({}))(asked, peer)

    async with ScriptedUpstream(recovering) as upstream, Asking(upstream) as asking:
        for _ in range(3):
            await asking.chat(**JSON)
        kinds = [asked.body["response_format"]["type"] for asked in upstream.requests if asked.method == "POST"]
        assert kinds == ["json_object", "json_schema", "json_schema"]


async def test_an_empty_list_tells_nothing_yet(monkeypatch):
    monkeypatch.setattr(recognition, "AGAIN_SECONDS", 0.0)
    listed: dict = {"object": "list", "data": []}
    async with ScriptedUpstream(serving(listed)) as upstream, Asking(upstream) as asking:
        await asking.chat(**JSON)
        assert upstream.requests[-1].body["response_format"] == JSON["response_format"]
        listed.update(LM_STUDIO)
        await asking.chat(**JSON)
        assert upstream.requests[-1].body["response_format"]["type"] == "json_schema"


async def test_a_server_that_is_slow_to_say_does_not_hold_up_the_request(monkeypatch):
    monkeypatch.setattr(recognition, "ASK_SECONDS", 0.05)

    async def silent_about_itself(asked: Asked, peer: Peer) -> None:
        if asked.method == "GET":
            await peer.gone()
        else:
            await peer.answer(200, COMPLETION)

    async with ScriptedUpstream(silent_about_itself) as upstream, Asking(upstream) as asking:
        assert await (await asking.chat(**JSON)).completion() == COMPLETION
        assert chats(upstream) == 1


async def test_closing_while_the_server_is_asked_leaves_nothing_behind():
    asked_for = asyncio.Event()

    async def silent(asked: Asked, peer: Peer) -> None:
        asked_for.set()
        await peer.gone()

    async with ScriptedUpstream(silent) as upstream, Asking(upstream) as asking:
        task = asyncio.create_task(asking.chat(**JSON))
        await asyncio.wait_for(asked_for.wait(), 10)
        [question] = [one for one in asyncio.all_tasks() if one.get_coro().__qualname__ == "Recognition._ask"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asking.provider.aclose()
        assert question.cancelled()


async def test_a_server_that_has_gone_may_be_another_one_when_it_is_back():
    first = ScriptedUpstream(serving(LM_STUDIO))
    async with first:
        asking = Asking(first)
        await asking.chat(**JSON)
        assert asking.provider.recognition.known.name == "lm-studio"
    with pytest.raises(ConnectionFailed):
        await asking.chat()
    second = ScriptedUpstream(serving(VLLM))
    second.port = first.port
    async with second, asking:
        await asking.chat(**JSON)
        assert second.requests[-1].body["response_format"] == JSON["response_format"]
        assert asking.provider.recognition.known.name == "vllm"


async def test_a_server_that_the_entry_names_is_never_asked():
    async with ScriptedUpstream(serving(VLLM)) as upstream, Asking(upstream, profile="lm-studio") as asking:
        await asking.chat(**JSON)
        assert looks(upstream) == 0
        assert upstream.requests[0].body["response_format"]["type"] == "json_schema"


async def test_entries_that_name_different_profiles_share_no_client():
    one, other = (endpoint(entry_at("http://h", profile=name)) for name in ("vllm", "generic"))
    assert one != other
    assert one == endpoint(entry_at("http://h", profile="vllm"))


async def test_a_profile_that_there_is_not_is_refused_with_the_entry():
    with pytest.raises(ValueError, match="'vllm', 'lm-studio'"):
        OpenAIEntry(name="e", provider="openai", model="m", profile="vLLM")


async def test_the_server_of_a_plugin_that_builds_on_this_one_is_never_asked():
    async with ScriptedUpstream(serving(VLLM)) as upstream:
        provider = OpenAIProvider(Endpoint("acme", upstream.base_url))
        call = Call(entry_at(upstream.base_url), "r")
        await provider.chat({"messages": MESSAGES, "guided_json": {}, **JSON}, call)
        await provider.aclose()
        assert looks(upstream) == 0
        assert upstream.requests[0].body["guided_json"] == {}
