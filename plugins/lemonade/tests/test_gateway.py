"""Through the gateway: what an entry adds to its requests, what the client is told, and how a model comes and goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from lemonade_asking import MESSAGES
from lemonade_server import MODEL, LemonadeServer, Model
from llamafarm import CHAT, IMAGES, InvalidRequest
from llamafarm.gateway import Context, Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm_kit.testing import ScriptedUpstream
from llamafarm_lemonade.config import LemonadeEntry

pytestmark = pytest.mark.anyio


class Farm:
    """A gateway with one model entry of a played server."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, server: LemonadeServer, fields: Any) -> None:
        entry = {"name": "local", "provider": "lemonade", "model": MODEL, "base_url": upstream.base_url}
        self.entry = LemonadeEntry(**{**entry, **fields})
        self.project = Project("shop", "default", None, (self.entry,))
        self.models = gateway.runtime_models
        self.gateway = gateway
        self.server = server
        self.context = Context("req_1")

    async def chat(self, **fields: Any) -> Any:
        """Ask, and return what reached the server."""
        reply = await self.gateway.ask(self.project, CHAT, {"messages": MESSAGES, **fields}, self.context)
        await reply.aclose()
        return self.server.asked("/chat/completions")[-1]

    async def state(self, entry: LemonadeEntry | None = None) -> str:
        return (await self.models.state(entry or self.entry, timeout=5)).state


@asynccontextmanager
async def farm(server: LemonadeServer | None = None, **fields: Any) -> AsyncIterator[Farm]:
    server = server or LemonadeServer()
    async with ScriptedUpstream(server) as upstream:
        gateway = Gateway(PluginManager())
        try:
            yield Farm(gateway, upstream, server, fields)
        finally:
            await gateway.aclose()


async def test_what_the_entry_says_reaches_the_server_and_the_request_wins():
    parameters = {"temperature": 0.2, "max_tokens": 9}
    async with farm(model_api_parameters=parameters, extra_body={"top_k": 20}) as shop:
        sent = await shop.chat(temperature=0.9, user="ann")
        assert (sent["temperature"], sent["max_tokens"], sent["top_k"]) == (0.9, 9, 20)
        assert shop.context.headers["X-LF-Ignored"] == "user"


async def test_the_limit_of_a_request_replaces_the_entrys_under_whichever_name():
    async with farm(model_api_parameters={"max_tokens": 64}) as shop:
        sent = await shop.chat(max_completion_tokens=128)
        assert (sent["max_completion_tokens"], "max_tokens" in sent) == (128, False)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": -1},
        {"max_completion_tokens": -1},
        {"stop": []},
        {"stream_options": {"include_obfuscation": True}},
    ],
)
async def test_what_the_server_takes_reaches_it(fields):
    async with farm() as shop:
        sent = await shop.chat(**fields)
        assert fields.items() <= sent.items()


async def test_broken_arguments_of_an_earlier_call_reach_the_server_as_the_text_that_they_are():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"city": '}}
    async with farm() as shop:
        sent = await shop.chat(messages=[*MESSAGES, {"role": "assistant", "tool_calls": [call]}, *MESSAGES])
        assert sent["messages"][1]["tool_calls"] == [call]


async def test_what_the_server_would_ignore_is_refused_by_its_name():
    async with farm() as shop:
        with pytest.raises(InvalidRequest, match="'n' for images: Lemonade makes one picture of a prompt"):
            await shop.gateway.ask(shop.project, IMAGES, {"prompt": "a lake", "n": 2}, shop.context)


async def test_a_model_is_fetched_loaded_and_deleted():
    async with farm(LemonadeServer(models={MODEL: Model(downloaded=False)})) as shop:
        assert await shop.state() == "missing"
        await shop.models.pull(shop.entry, shop.context)
        assert await shop.state() == "downloaded"
        await shop.chat()
        assert await shop.state() == "loaded"
        await shop.models.remove(shop.entry, shop.context)
        assert await shop.state() == "missing"


async def test_an_id_of_the_servers_own_is_fetched_from_the_server_of_the_project():
    async with farm(LemonadeServer(models={MODEL: Model(), "Other": Model(downloaded=False)})) as shop:
        entry = shop.models.named(shop.project, "Other", "lemonade")
        await shop.models.pull(entry, shop.context)
        assert (await shop.models.show(entry, shop.context)).downloaded is True
