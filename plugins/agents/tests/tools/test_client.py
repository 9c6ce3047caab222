"""OpenAI's own client in conversations with functions of both kinds: with a session, and without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from llamafarm import ModelEntry, ToolSourceSpec
from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.gateway import Gateway
from llamafarm.project import Project
from llamafarm.sessions import SessionStore
from llamafarm.web import Server
from llamafarm_agents.tools.plugin import register_agent_handlers
from llamafarm_kit.testing import ScriptedPlugins, ScriptedProvider
from llamafarm_kit.testing.served import served
from turns import DAISY, QUESTION, SEND, Barn, calling

ENTRY = ModelEntry(name="cow", provider="scripted", model="cow", handler=["tools"])
MIXED = calling(("weigh", DAISY), ("send", '{"to": "Ada"}'), text="I do both.")


@pytest.fixture
def model() -> ScriptedProvider:
    return ScriptedProvider(MIXED, "Sent: 640 kg.")


@pytest.fixture
def barn() -> Barn:
    return Barn()


@pytest.fixture
def client(model: ScriptedProvider, barn: Barn, tmp_path) -> Iterator[openai.OpenAI]:
    source = ToolSourceSpec("barn", "A barn.", lambda _: ["barn"], lambda _project, _name: Closable(barn))
    plugins: Any = ScriptedPlugins(model, handlers=tuple(register_agent_handlers()), tool_sources=(source,))
    gateway = Gateway(plugins, sessions=SessionStore(tmp_path / "sessions.db"))
    settings = Settings(gateway, Projects(Project("farm", "default", None, (ENTRY,))), plugins, Limits())
    server = Server(create_app(settings), grace=5, announce=lambda _: None)
    with served(server) as root, openai.OpenAI(base_url=f"{root}/v1", api_key="none", max_retries=0) as made:
        yield made


class Closable:
    def __init__(self, barn: Barn) -> None:
        self.list, self.call = barn.list, barn.call

    async def aclose(self) -> None:
        pass


def answered(message: Any) -> dict[str, Any]:
    """The result of the client's own function."""
    [call] = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("send", {"to": "Ada"})
    return {"role": "tool", "tool_call_id": call.id, "content": "sent"}


def seen(model: ScriptedProvider) -> list[tuple[str, Any]]:
    return [(message["role"], message.get("content")) for message in model.requests[-1]["messages"]]


WHOLE = [("user", QUESTION["content"]), ("assistant", None), ("tool", "640 kg"),
         ("assistant", "I do both."), ("tool", "sent")]  # fmt: skip


def test_a_client_that_sends_its_whole_conversation(client, model, barn):
    messages: list[Any] = [QUESTION]
    first = client.chat.completions.create(model="cow", messages=messages, tools=[SEND]).choices[0]
    assert (first.finish_reason, first.message.content) == ("tool_calls", "I do both.")
    messages += [first.message, answered(first.message)]
    second = client.chat.completions.create(model="cow", messages=messages, tools=[SEND]).choices[0]
    assert (second.finish_reason, second.message.content) == ("stop", "Sent: 640 kg.")
    assert seen(model) == WHOLE
    assert len(barn.calls) == 1


def test_a_client_with_a_session_that_streams(client, model, barn):
    ask: Any = {"model": "cow", "tools": [SEND]}
    begun = client.chat.completions.with_raw_response.create(
        **ask, messages=[QUESTION], extra_headers={"X-Session-ID": "new"}
    )
    session = {"X-Session-ID": begun.headers["X-Session-ID"]}
    result = answered(begun.parse().choices[0].message)
    stream = client.chat.completions.create(**ask, messages=[result], stream=True, extra_headers=session)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Sent: 640 kg."
    assert seen(model) == WHOLE
    assert len(barn.calls) == 1


def test_a_stream_with_calls_is_put_together_by_the_client(client):
    with client.chat.completions.stream(model="cow", messages=[QUESTION], tools=[SEND]) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].finish_reason == "tool_calls"
    answered(answer.choices[0].message)
