"""Through the gateway: what an entry adds to its requests, what the client is told, and how a missing model is got."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from llamafarm import CHAT, EMBEDDINGS, InvalidRequest, ModelNotFound, Operation
from llamafarm.gateway import Context, Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm_kit.testing import ScriptedUpstream
from llamafarm_ollama.config import OllamaEntry
from ollama_asking import HELLO
from ollama_fake import FakeOllama

pytestmark = pytest.mark.anyio


class Farm:
    """A gateway with one model entry of a fake Ollama."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, fields: dict[str, Any]) -> None:
        address = {"base_url": f"http://127.0.0.1:{upstream.port}/v1"}
        self.entry = OllamaEntry(**{"name": "local", "provider": "ollama", "model": "tiny", **address, **fields})
        self.project = Project("shop", "default", None, (self.entry,))
        self.gateway = gateway
        self.upstream = upstream
        self.context = Context("req_1")

    async def ask(self, operation: Operation = CHAT, **fields: Any) -> Any:
        """Ask, and return what reached the server."""
        request = {"messages": HELLO, **fields} if operation is CHAT else fields
        answer = await self.gateway.ask(self.project, operation, request, self.context)
        if operation.returns != "value":
            await answer.aclose()
        return self.upstream.requests[-1].body


@asynccontextmanager
async def farm(**fields: Any) -> AsyncIterator[Farm]:
    async with ScriptedUpstream(FakeOllama()) as upstream:
        gateway = Gateway(PluginManager())
        try:
            yield Farm(gateway, upstream, fields)
        finally:
            await gateway.aclose()


async def test_what_the_entry_says_reaches_ollama_in_its_words_and_the_request_wins():
    parameters = {"temperature": 0.2, "max_tokens": 9}
    async with farm(model_api_parameters=parameters, extra_body={"think": True, "keep_alive": "1h"}) as shop:
        sent = await shop.ask(temperature=0.9, num_ctx=512)
        assert sent["options"] == {"temperature": 0.9, "num_predict": 9, "num_ctx": 512}
        assert (sent["think"], sent["keep_alive"], sent["truncate"]) == (True, "1h", False)


@pytest.mark.parametrize(
    ("entry", "request_", "sent"),
    [
        ({"max_tokens": 64}, {"max_completion_tokens": 128}, {"num_predict": 128}),
        ({"max_tokens": 64}, {"num_predict": 128}, {"num_predict": 128}),
        ({"num_predict": 64}, {"max_tokens": 128}, {"num_predict": 128}),
        ({"max_tokens": 64}, {"options": {"num_predict": 128}}, {"num_predict": 128}),
        ({"temperature": 0.2}, {"options": {"temperature": 0.9}}, {"temperature": 0.9}),
        ({"stop": ["a", "b"]}, {"stop": "c"}, {"stop": ["c"]}),
    ],
)
async def test_what_a_request_says_replaces_what_the_entry_says_under_whichever_name(entry, request_, sent):
    async with farm(model_api_parameters=entry) as shop:
        assert (await shop.ask(**request_))["options"] == sent


async def test_an_effort_that_a_request_asks_for_replaces_the_entrys_thinking():
    async with farm(model_api_parameters={"think": False}) as shop:
        assert (await shop.ask(reasoning_effort="high"))["think"] == "high"


async def test_what_ollama_has_no_use_for_is_named_to_the_client():
    async with farm() as shop:
        assert "user" not in await shop.ask(user="ann", store=False)
        assert shop.context.headers["X-LF-Ignored"] == "store, user"


async def test_what_ollama_has_no_place_for_is_refused_by_its_name():
    async with farm(model="tiny-bert") as shop:
        with pytest.raises(InvalidRequest, match="'tool_choice' for chat: a model of Ollama cannot be made to call"):
            await shop.ask(tool_choice="required")
        with pytest.raises(InvalidRequest, match=r"'num_ctxt' for chat\.\nDid you mean 'num_ctx'\?"):
            await shop.ask(num_ctxt=512)
        assert (await shop.ask(EMBEDDINGS, input="the sky"))["input"] == ["the sky"]


async def test_a_missing_model_names_the_command_that_gets_it_and_answers_afterwards():
    async with farm(model="qwen3:8b") as shop:
        with pytest.raises(ModelNotFound, match=r"ollama pull qwen3:8b, or lf models pull local$"):
            await shop.ask()
        models = shop.gateway.runtime_models
        assert (await models.state(shop.entry, timeout=5)).state == "missing"
        await models.pull(shop.entry, shop.context)
        assert (await models.state(shop.entry, timeout=5)).state == "downloaded"
        assert (await shop.ask())["model"] == "qwen3:8b"
        assert (await models.state(shop.entry, timeout=5)).state == "loaded"
        await models.remove(shop.entry, shop.context)
        assert (await models.state(shop.entry, timeout=5)).state == "missing"


async def test_an_id_of_ollamas_own_is_pulled_from_the_server_of_the_project():
    async with farm() as shop:
        models = shop.gateway.runtime_models
        entry = models.named(shop.project, "gemma3:270m", "ollama")
        await models.pull(entry, shop.context)
        assert (await models.show(entry, shop.context)).features == {"chat", "completions"}
