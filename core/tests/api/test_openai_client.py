"""The official client of OpenAI works against both base URLs."""

from __future__ import annotations

import openai
import pytest
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm_kit.testing.scripted import ScriptedProvider

PREFIXES = ["", "/projects/default/shop"]


def client(server, prefix: str = "") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + prefix, api_key="none", max_retries=0)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_chat_is_answered_whole(serve, prefix):
    provider = ScriptedProvider("Hello from the farm.")
    with client(serve(provider), prefix) as api:
        answer = api.chat.completions.create(model="large", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "Hello from the farm."
    assert answer.choices[0].finish_reason == "stop"
    assert provider.requests == [{"model": "scripted-large", "messages": [{"role": "user", "content": "Hi"}]}]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_chat_is_streamed(serve, prefix):
    with client(serve(ScriptedProvider("Hello from the farm.")), prefix) as api:
        stream = api.chat.completions.create(model="small", messages=[{"role": "user", "content": "Hi"}], stream=True)
        words = [chunk.choices[0].delta.content for chunk in stream]
    assert words == ["Hello ", "from ", "the ", "farm.", None]


def test_variables_of_prompts_are_a_field_of_the_request(serve):
    prompts = {"shop": [{"role": "system", "content": "Serve {{name}} for {{price}}."}]}
    small = ModelEntry(name="small", provider="scripted", model="scripted-small")
    farm = Project("shop", "default", None, (small,), prompts=prompts)
    provider = ScriptedProvider("Hello.")
    with client(serve(provider, project=farm)) as api:
        asked = {"model": "small", "messages": [{"role": "user", "content": "Hi {{name}}"}]}
        api.chat.completions.create(**asked, extra_body={"variables": {"name": "{{price}}", "price": 1.5}})
        for wrong in ({"name": "Ada"}, {"name": ["Ada"]}, {"name": None}, "Ada", {"a b": "c"}):
            with pytest.raises(openai.BadRequestError) as caught:
                api.chat.completions.create(**asked, extra_body={"variables": wrong})
            assert caught.value.param == "variables"
    [request] = provider.requests
    assert [message["content"] for message in request["messages"]] == ["Serve {{price}} for 1.5.", "Hi {{name}}"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_completion_is_answered_whole_and_streamed(serve, prefix):
    with client(serve(ScriptedProvider("and so on")), prefix) as api:
        answer = api.completions.create(model="small", prompt="Once")
        stream = api.completions.create(model="small", prompt="Once", stream=True)
        words = [chunk.choices[0].text for chunk in stream]
    assert answer.choices[0].text == "and so on"
    assert "".join(words) == "and so on"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_embeddings_are_answered(serve, prefix):
    with client(serve(), prefix) as api:
        answer = api.embeddings.create(model="small", input=["a", "four"], encoding_format="float")
    assert [row.embedding for row in answer.data] == [[1.0], [4.0]]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_models_are_listed_with_the_default_marked(serve, prefix):
    with client(serve(), prefix) as api:
        rows = list(api.models.list())
        one = api.models.retrieve("large")
    assert [(row.id, row.default) for row in rows] == [("small", True), ("large", False)]
    assert one.provider == "scripted"


@pytest.mark.anyio
async def test_the_async_client_works_too(serve):
    server = serve(ScriptedProvider("Hello from the farm."))
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as api:
        messages = [{"role": "user", "content": "Hi"}]
        answer = await api.chat.completions.create(model="small", messages=messages)
        stream = await api.chat.completions.create(model="small", messages=messages, stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert answer.choices[0].message.content == "".join(words) == "Hello from the farm."


def test_an_unknown_model_is_an_error_of_the_clients_own_kind(serve):
    with client(serve()) as api, pytest.raises(openai.NotFoundError) as refusal:
        api.chat.completions.create(model="smal", messages=[{"role": "user", "content": "Hi"}])
    assert refusal.value.code == "model_not_found"
    assert "Did you mean small?" in refusal.value.message


def test_a_request_without_a_model_gets_the_default_one(serve):
    provider = ScriptedProvider()
    with client(serve(provider)) as api:
        api.chat.completions.create(model=None, messages=[{"role": "user", "content": "Hi"}])  # type: ignore[arg-type]
    assert provider.requests[0]["model"] == "scripted-small"
