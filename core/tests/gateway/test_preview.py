"""What a chat would ask, told without asking it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from llamafarm.errors import ConnectionFailed, RequestError
from llamafarm.gateway import Context, Gateway
from llamafarm.project import Project
from llamafarm.providers.base import ModelInfo
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.reply import JsonReply
from llamafarm.records import AgentHandlerSpec
from llamafarm.wire.operations import CHAT, EMBEDDINGS
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider

pytestmark = pytest.mark.anyio

HI = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "milk", "parameters": {"type": "object"}}}
SHOP = {"shop": [{"role": "system", "content": "Serve {{name}}."}]}


class Counting(ScriptedProvider):
    """A provider that knows its model, and how many messages there are."""

    async def describe(self, model):
        return ModelInfo(model, features=frozenset({"tools"}))

    async def count_tokens(self, request, call):
        return len(request["messages"])


class Down(ScriptedProvider):
    """A provider whose runtime is not there."""

    async def describe(self, model):
        raise ConnectionFailed("Nothing listens there.", hint="Is it running?")

    async def count_tokens(self, request, call):
        raise ConnectionFailed("Nothing listens there.", hint="Is it running?")


def handler(name, run):
    return AgentHandlerSpec(name, "made for a test", lambda options: SimpleNamespace(run=run))


def project(**given) -> Project:
    small = ModelEntry(name="small", provider="scripted", model="runtime-small", **given)
    return Project("shop", "default", None, (small,), prompts=SHOP)


async def preview(provider, *handlers, request=(), chosen=(), **entry):
    gateway = Gateway(ScriptedPlugins(provider, handlers=handlers))
    asked = {"messages": [HI], "variables": {"name": "Ada"}, **dict(request)}
    try:
        return await gateway.preview(project(**entry), asked, Context("r1", handlers=chosen))
    finally:
        await gateway.aclose()


async def test_it_is_the_request_that_the_provider_would_be_given_and_the_provider_is_not_asked():
    async def run(turn, ask):
        turn.note("tools", count=1)
        return await ask(turn.with_messages([*turn.request["messages"], HI]))

    provider = Counting()
    told = await preview(
        provider, handler("tools", run), request={"tools": [TOOL]}, handler="tools", model_api_parameters={"top_p": 0.5}
    )
    assert told.request == {
        "messages": [{"role": "system", "content": "Serve Ada."}, HI, HI],
        "tools": [TOOL],
        "top_p": 0.5,
        "model": "runtime-small",
    }
    assert (told.model, told.handlers, told.prompt_tokens, told.problem) == ("small", ("simple", "tools"), 3, None)
    assert [row["stage"] for row in told.trace] == ["tools"]
    assert provider.requests == []


async def test_it_is_what_a_chat_then_asks():
    async def run(turn, ask):
        info = await turn.model.info()
        return await ask(turn.with_messages([*turn.request["messages"], {"role": "user", "content": info.id}]))

    provider = Counting("Hello.")
    gateway = Gateway(ScriptedPlugins(provider, handlers=(handler("say", run),)))
    farm, asked = project(handler="say"), {"messages": [HI], "variables": {"name": "Ada"}}
    told = await gateway.preview(farm, asked, Context("r1"))
    await (await gateway.ask(farm, CHAT, asked, Context("r2"))).aclose()
    assert provider.requests == [told.request]


async def test_a_runtime_that_is_down_is_told_and_the_request_shown_all_the_same():
    async def run(turn, ask):
        with pytest.raises(ConnectionFailed):
            await turn.model.info()
        return await ask(turn)

    told = await preview(Down(), handler("know", run), chosen=("know",))
    assert told.request["messages"][-1] == HI
    assert (told.prompt_tokens, told.problem) == (None, "Nothing listens there.\nIs it running?")


async def test_tokens_that_the_provider_cannot_count_are_not_counted():
    told = await preview(ScriptedProvider())
    assert (told.prompt_tokens, told.problem) == (None, None)


async def test_of_several_requests_the_first_is_shown_also_where_they_are_asked_side_by_side():
    async def run(turn, ask):
        async with asyncio.TaskGroup() as tasks:
            for text in ("one", "two"):
                tasks.create_task(ask(turn.with_messages([{"role": "user", "content": text}])))

    told = await preview(Counting(), handler("many", run), handler="many")
    assert told.request["messages"] == [{"role": "user", "content": "one"}]


async def test_a_handler_that_answers_by_itself_asks_nothing():
    async def run(turn, ask):
        answer = await turn.ask(EMBEDDINGS, {"input": ["Hi"]})
        return JsonReply({"choices": [], "rows": answer["data"]})

    class Embedding(ScriptedProvider):
        async def embed(self, request, call):
            return {"data": []}

    told = await preview(Embedding(), handler("itself", run), handler="itself")
    assert (told.request, told.prompt_tokens) == (None, None)


async def test_what_ends_a_chat_before_its_provider_ends_the_preview():
    with pytest.raises(RequestError, match="needs the variable 'name'"):
        await preview(Counting(), request={"variables": {}})
    with pytest.raises(RequestError, match="does not let a request choose"):
        await preview(Counting(), request={"handler": "other"})


async def test_a_runtime_that_could_be_started_is_not():
    """A service that was asked for anything would be an error here."""
    plugins = ScriptedPlugins(Down())
    plugins.specs["scripted"] = replace(plugins.specs["scripted"], service=lambda _: object())
    told = await Gateway(plugins).preview(project(variables={"name": "Ada"}), {"messages": [HI]}, Context("r1"))
    assert told.problem == "Nothing listens there.\nA preview starts nothing; `lf start` does."
