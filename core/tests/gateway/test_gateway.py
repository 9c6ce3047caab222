"""A request finds its model entry, its handlers and its provider; every failure is an error for a reader."""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ConnectionBroken,
    ConnectionFailed,
    InvalidRequest,
    LlamaFarmError,
    OperationNotSupported,
    PluginError,
    ProviderTimeout,
    RateLimited,
    RequestError,
    ServiceError,
    UpstreamError,
    UsageError,
)
from llamafarm.gateway import Context, Gateway
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import ModelInfo
from llamafarm.providers.content import Content
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.parameters import Parameters
from llamafarm.records import AgentHandlerSpec
from llamafarm.services.base import ServiceStatus
from llamafarm.sessions import SessionStore
from llamafarm.wire.operations import CHAT, COMPLETIONS, EMBEDDINGS, SPEECH
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider, ScriptedReply

pytestmark = pytest.mark.anyio

HI = {"role": "user", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be calm."}
LEGAL = {"role": "system", "content": "The law of {{country}} holds."}


def entry(name="small", provider="scripted", **given) -> ModelEntry:
    return ModelEntry(name=name, provider=provider, model=f"runtime-{name}", **given)


def project(*models, **given) -> Project:
    return Project("shop", "default", None, models or (entry(),), **given)


def context(**given) -> Context:
    return Context("req_1", **given)


async def text(reply) -> str:
    return (await reply.completion())["choices"][0]["message"]["content"]


def handler(name, run, **given) -> AgentHandlerSpec:
    return AgentHandlerSpec(name, "made for a test", lambda _: SimpleNamespace(run=run), **given)


class Embedder(ModelEntry):
    """An entry that says what it is for."""

    def serves(self, operation):
        return operation is EMBEDDINGS


class Seer(ModelEntry):
    """An entry that says what messages to it may hold."""

    def takes(self, kind):
        return kind in self.model


EMBEDDER = {"name": "embedder", "provider": "able", "model": "runtime-embedder"}


class FakeService:
    """Counts how often it was made sure of."""

    name = "scripted"

    def __init__(self, error=None, wait=None, state="running"):
        self.ensured = 0
        self.state = state
        self.error = error
        self.wait = wait

    async def status(self):
        return ServiceStatus("scripted", self.state, "http://127.0.0.1:9")

    async def ensure(self, progress):
        self.ensured += 1
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error


def with_service(plugins: ScriptedPlugins, service) -> ScriptedPlugins:
    plugins.specs["scripted"] = replace(plugins.specs["scripted"], service=lambda _: service)
    return plugins


def with_parameters(plugins: ScriptedPlugins, parameters) -> ScriptedPlugins:
    plugins.specs["scripted"] = replace(plugins.specs["scripted"], parameters=parameters)
    return plugins


async def test_a_refused_key_is_told_to_be_that_of_the_model_entry():
    refused = AuthenticationFailed("Incorrect API key provided", provider="scripted", hint="Check `api_key`.")
    gateway = Gateway(ScriptedPlugins(ScriptedProvider(refused)))
    with pytest.raises(AuthenticationFailed, match="Incorrect API key provided") as caught:
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    assert caught.value.hint == (
        "The refused key is that of the model entry 'small' (provider scripted), not the client's. Check `api_key`."
    )


async def test_the_provider_gets_the_runtimes_own_model_id_and_our_request_id():
    provider = ScriptedProvider("Hello.")
    gateway = Gateway(ScriptedPlugins(provider))
    reply = await gateway.ask(project(), CHAT, {"model": "small", "messages": [HI]}, context(deadline=1e9))
    assert await text(reply) == "Hello."
    assert provider.requests == [{"model": "runtime-small", "messages": [HI]}]
    assert (provider.calls[0].request_id, provider.calls[0].deadline) == ("req_1", 1e9)


async def test_prompts_come_first_in_every_chat():
    provider = ScriptedProvider()
    house = [{"role": "system", "content": "Be kind."}]
    gateway = Gateway(ScriptedPlugins(provider))
    await gateway.ask(project(prompts={"house": house}), CHAT, {"messages": [HI]}, context())
    assert provider.requests[0]["messages"] == [*house, HI]


async def test_completions_and_embeddings_go_through_no_handlers():
    provider = ScriptedProvider("on and on")
    gateway = Gateway(ScriptedPlugins(provider))
    farm = project(prompts={"house": [{"role": "system", "content": "Be kind."}]})
    reply = await gateway.ask(farm, COMPLETIONS, {"prompt": "Once"}, context())
    assert (await reply.completion())["choices"][0]["text"] == "on and on"
    answer = await gateway.ask(farm, EMBEDDINGS, {"input": "four"}, context())
    assert answer["data"][0]["embedding"] == [4.0]
    assert provider.requests == [
        {"prompt": "Once", "model": "runtime-small"},
        {"input": "four", "model": "runtime-small"},
    ]


async def test_an_unknown_model_is_told_with_the_nearest_name():
    with pytest.raises(UsageError, match="Did you mean small"):
        await Gateway(ScriptedPlugins(ScriptedProvider())).ask(
            project(), CHAT, {"model": "smal", "messages": []}, context()
        )


async def test_a_broken_entry_raises_its_cause_and_the_others_work():
    broken = BrokenEntry("bad", "nobody", "x", PluginError("The provider 'nobody' is not installed."))
    gateway = Gateway(ScriptedPlugins(ScriptedProvider("Hello.")))
    farm = project(entry(), broken)
    assert await text(await gateway.ask(farm, CHAT, {"messages": [HI]}, context())) == "Hello."
    with pytest.raises(PluginError, match="'nobody' is not installed"):
        await gateway.ask(farm, CHAT, {"model": "bad", "messages": [HI]}, context())
    assert [row.get("error") for row in gateway.models(farm)] == [None, "The provider 'nobody' is not installed."]


async def test_an_operation_that_the_provider_cannot_do_names_the_models_that_can():
    class ChatOnly:
        chat = ScriptedProvider.chat

    plugins = ScriptedPlugins(providers={"chatty": ChatOnly(), "able": ScriptedProvider()})
    farm = project(entry("talker", "chatty"), entry("allrounder", "able"))
    with pytest.raises(OperationNotSupported) as refusal:
        await Gateway(plugins).ask(farm, EMBEDDINGS, {"model": "talker", "input": "x"}, context())
    assert refusal.value.message == (
        "The provider 'chatty' cannot do embeddings, which was asked of the model 'talker' (runtime-talker)."
    )
    assert refusal.value.hint == "Models of this project that can: allrounder."
    assert refusal.value.status == 501


async def test_a_request_that_names_no_model_gets_one_that_can_do_the_operation():
    class ChatOnly:
        chat = ScriptedProvider.chat

    provider = ScriptedProvider()
    plugins = ScriptedPlugins(providers={"chatty": ChatOnly(), "able": provider})
    entries = [entry("talker", "chatty", default=True), entry("allrounder", "able"), Embedder(**EMBEDDER)]
    for models, asked in [(entries[:2], "allrounder"), (entries, "embedder"), (entries[1:], "embedder")]:
        farm = project(*models)
        await Gateway(plugins).ask(farm, EMBEDDINGS, {"input": "x"}, context())
        assert provider.requests.pop()["model"] == f"runtime-{asked}"
    with pytest.raises(OperationNotSupported, match="'talker'"):
        await Gateway(plugins).ask(project(*entries), SPEECH, {"input": "x", "voice": "y"}, context())
    await Gateway(plugins).ask(project(*entries[1:]), COMPLETIONS, {"prompt": "x"}, context())
    assert provider.requests.pop()["model"] == "runtime-allrounder"


async def test_fields_without_effect_are_left_out_and_named():
    provider = ScriptedProvider()
    plugins = with_parameters(ScriptedPlugins(provider), Parameters(advisory=frozenset({"user", "store"})))
    request = {"messages": [HI], "user": "me", "store": True}
    reply = await Gateway(plugins).ask(project(), CHAT, request, context())
    assert reply.headers["X-LF-Ignored"] == "store, user"
    assert provider.requests == [{"model": "runtime-small", "messages": [HI]}]


async def test_fields_without_effect_on_embeddings_are_named_in_the_context():
    plugins = with_parameters(ScriptedPlugins(ScriptedProvider()), Parameters(advisory=frozenset({"user"})))
    asked = context()
    await Gateway(plugins).ask(project(), EMBEDDINGS, {"input": "x", "user": "me"}, asked)
    assert asked.headers == {"X-LF-Ignored": "user"}


async def test_what_handlers_and_providers_tell_the_client_stands_in_the_headers_of_the_answer():
    class Telling(ScriptedProvider):
        async def chat(self, request, call):
            call.headers["x-ratelimit-remaining-requests"] = "9"
            return await super().chat(request, call)

    async def run(turn, ask):
        turn.call.headers["X-Acme"] = "1"
        return await ask(turn)

    plugins = ScriptedPlugins(Telling(), handlers=(handler("acme", run),))
    reply = await Gateway(plugins).ask(project(entry(handler="acme")), CHAT, {"messages": [HI]}, context())
    assert reply.headers == {"X-Acme": "1", "x-ratelimit-remaining-requests": "9"}


async def test_a_field_that_the_provider_refuses_is_a_400_before_anything_is_sent():
    provider = ScriptedProvider()
    plugins = with_parameters(ScriptedPlugins(provider), Parameters(refused=frozenset({"logit_bias"})))
    with pytest.raises(InvalidRequest) as refusal:
        await Gateway(plugins).ask(project(), CHAT, {"messages": [HI], "logit_bias": {"1": 1}}, context())
    assert (refusal.value.status, refusal.value.param, provider.requests) == (400, "logit_bias", [])


async def test_the_first_handler_is_the_outermost():
    order = []

    def noting(name):
        async def run(turn, ask):
            order.append(f"{name} in")
            reply = await ask(turn)
            order.append(f"{name} out")
            return reply

        return handler(name, run)

    plugins = ScriptedPlugins(ScriptedProvider(), handlers=(noting("a"), noting("b")))
    await Gateway(plugins).ask(project(entry(handler=["a", "b"])), CHAT, {"messages": [HI]}, context())
    assert order == ["a in", "b in", "b out", "a out"]


async def test_a_handler_gets_its_own_fields_and_the_provider_does_not():
    seen = []

    async def run(turn, ask):
        seen.append(turn.fields)
        return await ask(turn)

    provider = ScriptedProvider()
    plugins = ScriptedPlugins(provider, handlers=(handler("rag", run, fields={"rag_top_k": int}),))
    farm = project(entry(handler="rag"), entry("plain"))
    gateway = Gateway(plugins)
    await gateway.ask(farm, CHAT, {"messages": [HI], "rag_top_k": 3}, context())
    assert seen == [{"rag_top_k": 3}]
    assert "rag_top_k" not in provider.requests[0]
    with pytest.raises(RequestError, match="belongs to the agent handler 'rag'"):
        await gateway.ask(farm, CHAT, {"model": "plain", "messages": [HI], "rag_top_k": 3}, context())


async def test_a_handler_may_ask_another_model_of_the_project_without_its_handlers():
    async def run(turn, ask):
        judged = await text(await turn.ask(CHAT, {"messages": [HI]}, model="large"))
        return await ask(turn.with_messages([{"role": "user", "content": judged}]))

    provider = ScriptedProvider("the judgement", "Hello.")
    plugins = ScriptedPlugins(provider, handlers=(handler("judge", run),))
    large = entry("large", handler="judge", model_api_parameters={"temperature": 0})
    reply = await Gateway(plugins).ask(project(entry(handler="judge"), large), CHAT, {"messages": [HI]}, context())
    assert await text(reply) == "Hello."
    assert provider.requests[0] == {"model": "runtime-large", "messages": [HI], "temperature": 0}
    assert provider.requests[1]["messages"] == [{"role": "user", "content": "the judgement"}]


async def test_a_handler_may_ask_any_operation_of_its_own_model_and_of_another():
    vectors = []

    async def run(turn, ask):
        vectors.append(await turn.ask(EMBEDDINGS, {"input": "four"}))
        vectors.append(await turn.ask(EMBEDDINGS, {"input": "seven"}, model="large"))
        return await ask(turn)

    provider = ScriptedProvider("Hello.")
    plugins = ScriptedPlugins(provider, handlers=(handler("find", run),))
    farm = project(entry(handler="find"), entry("large", model_api_parameters={"dimensions": 1}))
    assert await text(await Gateway(plugins).ask(farm, CHAT, {"messages": [HI]}, context())) == "Hello."
    assert [answer["data"][0]["embedding"] for answer in vectors] == [[4.0], [5.0]]
    assert provider.requests[:2] == [
        {"input": "four", "model": "runtime-small"},
        {"input": "seven", "model": "runtime-large", "dimensions": 1},
    ]


async def test_a_handler_may_take_a_turn_through_other_handlers_behind_prompt_sets_of_its_choice():
    order = []

    async def choose(turn, ask):
        return await turn.through(("b", "c"), ask, prompts=["legal"])

    def passing(name):
        async def run(turn, ask):
            order.append((name, turn.request["messages"][0]["content"]))
            return await ask(turn)

        return run

    handlers = (handler("a", choose), handler("b", passing("b")), handler("c", passing("c")))
    provider = ScriptedProvider("Hello.")
    farm = project(entry(handler="a", prompts=["calm"]), prompts={"calm": [SYSTEM], "legal": [LEGAL]})
    asked = {"messages": [HI], "variables": {"country": "Malta"}}
    reply = await Gateway(ScriptedPlugins(provider, handlers=handlers)).ask(farm, CHAT, asked, context())
    assert await text(reply) == "Hello."
    both = "The law of Malta holds.\n\nBe calm."
    assert order == [("b", both), ("c", both)]
    assert provider.requests[0]["messages"] == [{"role": "system", "content": both}, HI]


@pytest.mark.parametrize(
    ("handlers", "prompts", "error"),
    [(("z",), (), "The agent handler 'z' is not installed"), ((), ("z",), "There is no prompt set 'z'")],
)
async def test_what_a_handler_names_and_is_not_there_is_an_error(handlers, prompts, error):
    async def run(turn, ask):
        return await turn.through(handlers, ask, prompts=prompts)

    plugins = ScriptedPlugins(ScriptedProvider(), handlers=(handler("a", run),))
    with pytest.raises(LlamaFarmError, match=error):
        await Gateway(plugins).ask(project(entry(handler="a")), CHAT, {"messages": [HI]}, context())


async def test_what_a_handler_asks_beside_its_turn_leaves_the_answers_headers_alone():
    async def run(turn, ask):
        await (await turn.ask(CHAT, {"messages": [HI], "user": "ann"})).aclose()
        return await ask(turn)

    plugins = ScriptedPlugins(ScriptedProvider("aside", "Hello."), handlers=(handler("aside", run),))
    gateway = Gateway(with_parameters(plugins, Parameters(advisory=frozenset({"user"}))))
    reply = await gateway.ask(project(entry(handler="aside")), CHAT, {"messages": [HI]}, context())
    assert "X-LF-Ignored" not in reply.headers


async def test_a_handler_knows_the_model_of_its_turn_which_is_asked_about_once():
    class Counting(ScriptedProvider):
        described = 0

        async def describe(self, model):
            Counting.described += 1
            return ModelInfo(model, features=frozenset({"tools"}), context_length=4096)

        async def count_tokens(self, request, call):
            return len(request["messages"])

    seen = []

    async def run(turn, ask):
        info = await turn.model.info()
        seen.append((info.id, info.features, info.context_length, await turn.model.count_tokens(turn.request)))
        return await ask(turn)

    gateway = Gateway(ScriptedPlugins(Counting("Hello.", "Hello."), handlers=(handler("look", run),)))
    farm = project(entry(handler="look"))
    for _ in range(2):
        await (await gateway.ask(farm, CHAT, {"messages": [HI]}, context())).aclose()
    assert seen == [("runtime-small", frozenset({"tools"}), 4096, 1)] * 2
    assert Counting.described == 1


async def test_a_provider_that_cannot_count_tokens_leaves_them_unknown():
    seen = []

    async def run(turn, ask):
        seen.append(await turn.model.count_tokens(turn.request))
        return await ask(turn)

    gateway = Gateway(ScriptedPlugins(ScriptedProvider("Hello."), handlers=(handler("look", run),)))
    await gateway.ask(project(entry(handler="look")), CHAT, {"messages": [HI]}, context())
    assert seen == [None]


class CountingTexts(ScriptedProvider):
    """A token for each character. asked: of which models."""

    def __init__(self, *script):
        super().__init__(*script)
        self.asked = []

    async def count_text_tokens(self, texts, call):
        self.asked.append(call.entry.model)
        return [len(text) for text in texts]


async def test_a_handler_knows_how_long_texts_are_to_any_model_of_the_project():
    seen = []

    async def run(turn, ask):
        seen.extend([await turn.count_tokens(["ab", ""]), await turn.count_tokens(["abc"], model="large")])
        return await ask(turn)

    provider = CountingTexts("Hello.")
    gateway = Gateway(ScriptedPlugins(provider, handlers=(handler("look", run),)))
    both = project(entry(handler="look"), entry("large"))
    await (await gateway.ask(both, CHAT, {"messages": [HI]}, context())).aclose()
    assert seen == [[2, 0], [3]]
    assert provider.asked == ["runtime-small", "runtime-large"]


async def test_nobody_knows_how_long_texts_are_where_the_provider_cannot_count_them():
    seen = []

    async def run(turn, ask):
        seen.append(await turn.count_tokens(["ab"]))
        return await ask(turn)

    gateway = Gateway(ScriptedPlugins(ScriptedProvider("Hello."), handlers=(handler("look", run),)))
    await (await gateway.ask(project(entry(handler="look")), CHAT, {"messages": [HI]}, context())).aclose()
    assert seen == [None]


async def test_a_handler_that_counts_for_a_model_that_is_not_there_is_told_so():
    async def run(turn, ask):
        await turn.count_tokens(["ab"], model="tiny")
        return await ask(turn)

    gateway = Gateway(ScriptedPlugins(CountingTexts("Hello."), handlers=(handler("look", run),)))
    with pytest.raises(UsageError, match="'tiny'"):
        await gateway.ask(project(entry(handler="look")), CHAT, {"messages": [HI]}, context())


@pytest.mark.parametrize("stream", [False, True])
async def test_the_trace_ends_the_answer_where_it_is_asked_for_and_holds_no_secret(stream):
    async def run(turn, ask):
        turn.note("search", query="cows", key="sk-very-secret")
        return await ask(turn)

    gateway = Gateway(ScriptedPlugins(ScriptedProvider("Hello."), handlers=(handler("find", run),)))
    farm = project(entry(handler="find"), secrets=frozenset({"sk-very-secret"}))
    reply = await gateway.ask(farm, CHAT, {"messages": [HI]}, context(trace=True))
    last = [chunk async for chunk in reply.chunks()][-1] if stream else await reply.completion()
    rows = last["llamafarm"]["trace"]
    assert [row["stage"] for row in rows] == ["search", "provider", "accepted"]
    assert (rows[0]["query"], rows[0]["key"]) == ("cows", "********")
    assert (rows[1]["provider"], rows[1]["model"]) == ("scripted", "runtime-small")
    assert all(row["seconds"] >= 0 for row in rows)


async def searching(turn, ask):
    turn.note("search", query="cows", key="sk-very-secret")
    return await ask(turn)


@pytest.mark.parametrize("trace", [True, False])
async def test_an_error_holds_the_trace_of_its_turn_where_it_is_asked_for(trace):
    gateway = Gateway(ScriptedPlugins(ScriptedProvider(UpstreamError("Out.")), handlers=(handler("find", searching),)))
    farm = project(entry(handler="find"), secrets=frozenset({"sk-very-secret"}))
    with pytest.raises(UpstreamError) as caught:
        await gateway.ask(farm, CHAT, {"messages": [HI]}, context(trace=trace))
    rows = caught.value.trace
    assert [row["stage"] for row in rows] == (["search", "provider"] if trace else [])
    assert all(row.get("key") in (None, "********") for row in rows)


async def test_an_error_in_the_middle_of_an_answer_holds_the_trace_of_its_turn():
    provider = ScriptedProvider(ScriptedReply("Hello", error=UpstreamError("Out.")))
    reply = await Gateway(ScriptedPlugins(provider)).ask(project(), CHAT, {"messages": [HI]}, context(trace=True))
    with pytest.raises(UpstreamError) as caught:
        [frame async for frame in reply.frames()]
    assert [row["stage"] for row in caught.value.trace] == ["provider", "accepted"]


async def test_no_trace_is_in_an_answer_where_nobody_asked_for_it():
    reply = await Gateway(ScriptedPlugins(ScriptedProvider("Hello."))).ask(
        project(), CHAT, {"messages": [HI]}, context()
    )
    assert "llamafarm" not in await reply.completion()


async def test_a_request_chooses_a_handler_that_the_entry_allows():
    ran = []

    async def run(turn, ask):
        ran.append(turn.entry.name)
        return await ask(turn)

    provider = ScriptedProvider("a", "b")
    gateway = Gateway(ScriptedPlugins(provider, handlers=(handler("rag", run),)))
    farm = project(entry(allow_handlers=["rag"]), entry("closed"))
    assert await text(await gateway.ask(farm, CHAT, {"messages": [HI], "handler": "rag"}, context())) == "a"
    assert (ran, provider.requests[0]) == (["small"], {"messages": [HI], "model": "runtime-small"})
    with pytest.raises(RequestError, match="does not let a request choose the agent handler 'rag'"):
        await gateway.ask(farm, CHAT, {"model": "closed", "messages": [HI], "handler": "rag"}, context())


async def test_the_operator_chooses_any_handler_and_a_request_does_not_profit_from_it():
    gateway = Gateway(ScriptedPlugins(ScriptedProvider("a", "b"), handlers=(handler("find", searching),)))
    farm = project()
    reply = await gateway.ask(farm, CHAT, {"messages": [HI]}, context(trace=True, handlers=("find",)))
    assert (await reply.completion())["llamafarm"]["trace"][0]["stage"] == "search"
    with pytest.raises(RequestError, match="does not let a request choose the agent handler 'find'"):
        await gateway.ask(farm, CHAT, {"messages": [HI], "handler": "find"}, context())
    with pytest.raises(RequestError, match="Chats go through agent handlers: embeddings does not"):
        await gateway.ask(farm, EMBEDDINGS, {"input": "Hi"}, context(handlers=("find",)))
    with pytest.raises(PluginError, match=r"^The agent handler 'fnid' is not installed"):
        await gateway.ask(farm, CHAT, {"messages": [HI]}, context(handlers=("fnid",)))


async def test_a_handler_that_raises_is_named_and_no_traceback_is_in_the_message():
    async def run(turn, ask):
        raise KeyError("colour")

    plugins = ScriptedPlugins(ScriptedProvider(), handlers=(handler("paint", run),))
    with pytest.raises(PluginError, match="The agent handler 'paint' failed: KeyError: 'colour'"):
        await Gateway(plugins).ask(project(entry(handler="paint")), CHAT, {"messages": [HI]}, context())


async def test_a_provider_that_raises_is_named():
    plugins = ScriptedPlugins(ScriptedProvider(ZeroDivisionError("oops")))
    with pytest.raises(UpstreamError, match="The provider 'scripted' failed: ZeroDivisionError: oops"):
        await Gateway(plugins).ask(project(), CHAT, {"messages": [HI]}, context())


async def test_a_provider_that_raises_in_the_middle_of_an_answer_is_named():
    plugins = ScriptedPlugins(ScriptedProvider(ScriptedReply("Hello there.", error=ZeroDivisionError("oops"))))
    reply = await Gateway(plugins).ask(project(), CHAT, {"messages": [HI], "stream": True}, context())
    with pytest.raises(UpstreamError, match="model 'small' \\(provider 'scripted'\\) failed: ZeroDivisionError"):
        async for _ in reply.frames():
            pass


class Speaking(ScriptedProvider):
    """Says these pieces, and remembers whether its content was closed."""

    def __init__(self, *pieces):
        super().__init__()
        self.pieces = pieces

    async def speak(self, request, call):
        call.headers["x-ratelimit-remaining-requests"] = "9"
        content = Content("audio/wav", self._pieces(), self.aclose)
        content.headers["X-Acme"] = "1"
        return content

    async def _pieces(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


async def test_a_content_keeps_its_type_its_bytes_and_what_is_told_in_headers():
    provider = Speaking(b"a", b"b")
    content = await Gateway(ScriptedPlugins(provider)).ask(project(), SPEECH, {"input": "Hi"}, context())
    assert content.media_type == "audio/wav"
    assert content.headers == {"X-Acme": "1", "x-ratelimit-remaining-requests": "9"}
    assert await content.read() == b"ab"
    assert provider.closed


async def test_an_error_in_the_middle_of_a_content_that_is_not_ours_names_the_model_and_closes_it():
    provider = Speaking(b"a", ZeroDivisionError("oops"))
    content = await Gateway(ScriptedPlugins(provider)).ask(project(), SPEECH, {"input": "Hi"}, context())
    with pytest.raises(UpstreamError, match="model 'small' \\(provider 'scripted'\\) failed: ZeroDivisionError"):
        await content.read()
    assert provider.closed


async def test_a_service_is_made_sure_of_once_and_then_trusted():
    service = FakeService()
    gateway = Gateway(with_service(ScriptedPlugins(ScriptedProvider()), service))
    for _ in range(3):
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    assert service.ensured == 1


async def test_a_service_that_has_gone_is_started_again_and_the_request_repeated_once():
    service = FakeService()
    provider = ScriptedProvider("one", ConnectionFailed("refused"), "two")
    gateway = Gateway(with_service(ScriptedPlugins(provider), service))
    await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    assert await text(await gateway.ask(project(), CHAT, {"messages": [HI]}, context())) == "two"
    assert service.ensured == 2


@pytest.mark.parametrize(("state", "asked"), [("stopped", 2), ("running", 1)])
async def test_a_connection_that_breaks_before_an_answer_is_repeated_where_the_runtime_has_died(state, asked):
    service = FakeService(state=state)
    provider = ScriptedProvider(ConnectionBroken("broke"), "two")
    gateway = Gateway(with_service(ScriptedPlugins(provider), service))
    with nullcontext() if asked == 2 else pytest.raises(ConnectionBroken):
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    assert len(provider.requests) == asked


async def test_a_runtime_that_stays_away_is_asked_twice_and_no_more():
    provider = ScriptedProvider(ConnectionFailed("refused"))
    gateway = Gateway(with_service(ScriptedPlugins(provider), FakeService()))
    with pytest.raises(ConnectionFailed):
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    assert len(provider.requests) == 2


async def test_a_refusal_is_never_repeated():
    provider = ScriptedProvider(RateLimited("later", retry_after=3.0))
    gateway = Gateway(with_service(ScriptedPlugins(provider), FakeService()))
    with pytest.raises(RateLimited):
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    assert len(provider.requests) == 1


async def test_a_service_that_does_not_start_is_its_own_error_and_is_tried_again_next_time():
    service = FakeService(ServiceError("It died: out of memory."))
    gateway = Gateway(with_service(ScriptedPlugins(ScriptedProvider()), service))
    for _ in range(2):
        with pytest.raises(ServiceError, match="out of memory"):
            await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    assert service.ensured == 2


async def test_a_service_that_is_not_up_by_the_deadline_is_a_timeout():
    gateway = Gateway(with_service(ScriptedPlugins(ScriptedProvider()), FakeService(wait=asyncio.Event())))
    with pytest.raises(ProviderTimeout):
        deadline = asyncio.get_running_loop().time() + 0.01
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context(deadline=deadline))


async def test_closing_the_gateway_closes_its_providers():
    provider = ScriptedProvider()
    gateway = Gateway(ScriptedPlugins(provider))
    await gateway.ask(project(), CHAT, {"messages": [HI]}, context())
    await gateway.aclose()
    await gateway.aclose()
    assert provider.closed


async def test_a_project_that_was_read_again_gets_new_handlers():
    built = []

    def build(_: object) -> SimpleNamespace:
        built.append("passing")
        return SimpleNamespace(run=lambda turn, ask: ask(turn))

    spec = AgentHandlerSpec("passing", "made for a test", build)
    gateway = Gateway(ScriptedPlugins(ScriptedProvider(*["Hello."] * 3), handlers=(spec,)))
    old, new = project(entry(handler="passing")), project(entry(handler="passing"))
    for asked, built_so_far in [(old, 1), (old, 1), (new, 2)]:
        await gateway.ask(asked, CHAT, {"messages": [HI]}, context())
        assert len(built) == built_so_far


# sessions


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "sessions.db", patience=0.05)


async def test_a_session_is_begun_and_continued(store):
    provider = ScriptedProvider("Hello.", "Fine.")
    gateway = Gateway(ScriptedPlugins(provider), sessions=store)
    first = await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session="new"))
    await text(first)
    key = first.headers["X-Session-ID"]
    again = {"role": "user", "content": "How are you?"}
    second = await gateway.ask(project(), CHAT, {"messages": [again]}, context(session=key))
    assert second.headers["X-Session-ID"] == key
    assert await text(second) == "Fine."
    assert provider.requests[1]["messages"] == [HI, {"role": "assistant", "content": "Hello."}, again]
    assert len(await store.of("default/shop").messages(key)) == 4


async def test_a_session_of_another_project_is_not_found(store):
    gateway = Gateway(ScriptedPlugins(ScriptedProvider()), sessions=store)
    session = await store.of("default/other").create()
    with pytest.raises(UsageError) as refusal:
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session=session.id))
    assert (refusal.value.status, refusal.value.code) == (404, "session_not_found")


async def test_a_second_turn_waits_in_vain_while_the_first_runs_and_works_once_it_has_ended(store):
    gate = threading.Event()
    provider = ScriptedProvider(ScriptedReply("Hello there.", gate=gate), "Fine.")
    gateway = Gateway(ScriptedPlugins(provider), sessions=store)
    first = await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session="new"))
    key = first.headers["X-Session-ID"]
    with pytest.raises(RequestError) as refusal:
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session=key))
    assert (refusal.value.status, refusal.value.code) == (409, "session_busy")
    gate.set()
    await text(first)
    assert await text(await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session=key))) == "Fine."


async def test_a_turn_that_is_closed_early_frees_its_session_and_keeps_nothing(store):
    gate = threading.Event()
    gateway = Gateway(
        ScriptedPlugins(ScriptedProvider(ScriptedReply("Hello there.", gate=gate), "Fine.")), sessions=store
    )
    first = await gateway.ask(project(), CHAT, {"messages": [HI], "stream": True}, context(session="new"))
    key = first.headers["X-Session-ID"]
    await anext(first.frames())
    await first.aclose()
    assert await store.of("default/shop").messages(key) == []
    assert await text(await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session=key))) == "Fine."


async def test_a_first_turn_that_is_refused_leaves_no_empty_session(store):
    gateway = Gateway(ScriptedPlugins(ScriptedProvider(RateLimited("later"))), sessions=store)
    with pytest.raises(RateLimited):
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session="new"))
    assert await store.of("default/shop").list() == []


async def test_a_later_turn_that_is_refused_leaves_the_session_as_it_was(store):
    gateway = Gateway(ScriptedPlugins(ScriptedProvider("Hello.", RateLimited("later"), "Fine.")), sessions=store)
    first = await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session="new"))
    await text(first)
    key = first.headers["X-Session-ID"]
    with pytest.raises(RateLimited):
        await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session=key))
    assert len(await store.of("default/shop").messages(key)) == 2
    await gateway.ask(project(), CHAT, {"messages": [HI]}, context(session=key))


async def test_only_chats_have_sessions(store):
    gateway = Gateway(ScriptedPlugins(ScriptedProvider()), sessions=store)
    with pytest.raises(RequestError, match="embeddings has none"):
        await gateway.ask(project(), EMBEDDINGS, {"input": "x"}, context(session="new"))


@pytest.mark.parametrize(
    ("parts", "model", "asked"),
    [
        (["text"], None, "texts"),
        (["image_url", "text"], None, "image"),
        (["image_url", "input_audio"], None, "image audio"),
        (["video_url"], None, "texts"),
        (["image_url"], "texts", "texts"),
    ],
)
async def test_a_message_with_a_picture_goes_to_a_model_that_takes_it(parts, model, asked):
    entries = [Seer(name=name, provider="scripted", model=name) for name in ("texts", "image", "image audio")]
    provider = ScriptedProvider()
    message = {"role": "user", "content": [{"type": kind} for kind in parts]}
    request = {"messages": [message], **({"model": model} if model else {})}
    reply = await Gateway(ScriptedPlugins(provider)).ask(project(*entries), CHAT, request, context())
    await text(reply)
    assert provider.requests[-1]["model"] == asked


async def test_a_handler_knows_what_is_known_of_any_model_of_the_project():
    seen = []

    async def run(turn, ask):
        seen.extend([(await turn.describe()).id, (await turn.describe("large")).id])
        with pytest.raises(UsageError, match="'tiny'"):
            await turn.describe("tiny")
        return await ask(turn)

    gateway = Gateway(ScriptedPlugins(ScriptedProvider("Hello."), handlers=(handler("look", run),)))
    both = project(entry(handler="look"), entry("large"))
    await (await gateway.ask(both, CHAT, {"messages": [HI]}, context())).aclose()
    assert seen == ["runtime-small", "runtime-large"]
