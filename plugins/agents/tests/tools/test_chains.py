"""Together with the other agent handlers, in any order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import llamafarm
import pytest
from llamafarm import ModelEntry, ToolSourceSpec
from llamafarm.gateway import Context, Gateway
from llamafarm.project import Project
from llamafarm.sessions import SessionStore
from llamafarm.wire import CHAT
from llamafarm_agents.guard.options import GuardOptions
from llamafarm_agents.guard.plugin import register_agent_handlers as guard
from llamafarm_agents.structured.plugin import register_agent_handlers as structured
from llamafarm_agents.tools.plugin import register_agent_handlers as tools
from llamafarm_kit.testing import ScriptedPlugins, ScriptedProvider
from turns import DAISY, QUESTION, SEND, Barn, calling, said

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"kg": {"type": "integer"}}, "required": ["kg"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "weight", "schema": SCHEMA}}
CALLED = calling(("weigh", DAISY), text="I look.")
ANSWER = said({"content": '{"kg": '}, {"content": "640}"})


class Source:
    def __init__(self, barn: Barn) -> None:
        self.list, self.call = barn.list, barn.call

    async def aclose(self) -> None:
        pass


async def reply(names: tuple[str, ...], model: Any, barn: Barn, tmp_path: Any, **request: Any) -> tuple[Any, list[Any]]:
    """A whole answer or the chunks of a streamed one, and what the session keeps."""
    entry = ModelEntry(name="cow", provider="scripted", model="cow", handler=list(names))
    options = {"guard": GuardOptions(after=[{"check": "emails"}])}
    source = ToolSourceSpec("barn", "A barn.", lambda _: ["barn"], lambda _project, _name: Source(barn))
    specs = [spec for register in (guard, structured, tools) for spec in register()]
    plugins: Any = ScriptedPlugins(model, handlers=tuple(specs), tool_sources=(source,))
    sessions = SessionStore(tmp_path / "sessions.db")
    gateway = Gateway(plugins, sessions=sessions)
    project = Project("farm", "default", None, (entry,), handler_options=options)
    context = Context("r", session="new")
    try:
        answer: llamafarm.Reply = await gateway.ask(project, CHAT, {"messages": [QUESTION], **request}, context)
        try:
            read: Any = (
                [chunk async for chunk in answer.chunks()] if request.get("stream") else await answer.completion()
            )
        finally:
            await answer.aclose()
        session = await sessions.of(project.identity).open(context.headers["X-Session-ID"])
        return read, [*await session.history()]
    finally:
        await gateway.aclose()


@pytest.mark.parametrize("names", [*permutations(("tools", "structured", "guard"))], ids="-".join)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_tool_is_called_and_the_answer_fits_its_schema(names, stream, tmp_path):
    barn, model = Barn(), ScriptedProvider(CALLED, ANSWER)
    read, history = await reply(names, model, barn, tmp_path, response_format=FORMAT, stream=stream)
    assert barn.calls == [("weigh", {"cow": "Daisy"})]
    told = [chunk["llamafarm"] for chunk in read if "llamafarm" in chunk] if stream else [read["llamafarm"]]
    merged = {key: value for part in told for key, value in part.items()}
    assert merged["object"] == {"kg": 640}
    assert [row["name"] for row in merged["tool_calls"]] == ["weigh"]
    assert [message["role"] for message in history] == ["user", "assistant", "tool", "assistant"]
    assert all(answered.closed for answered in model.replies)


@pytest.mark.parametrize("names", [("tools", "guard"), ("guard", "tools")], ids="-".join)
async def test_what_sums_up_an_answer_comes_behind_its_end(names, tmp_path):
    read, history = await reply(names, ScriptedProvider(CALLED, "Ask ada@b.org."), Barn(), tmp_path, stream=True)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in read if chunk["choices"])
    assert text == "I look.\n\nAsk [e-mail]."
    assert [bool(chunk["choices"]) for chunk in read[-2:]] == [True, False]
    assert read[-2]["choices"][0]["finish_reason"] == "stop"
    assert history[-1]["content"] == text


async def test_a_session_goes_on_after_a_call_of_the_client(tmp_path):
    mixed = calling(("weigh", DAISY), ("send", "{}"))
    _, history = await reply(("tools",), ScriptedProvider(mixed), Barn(), tmp_path, tools=[SEND])
    calls = [[call["function"]["name"] for call in message.get("tool_calls") or ()] for message in history]
    assert calls == [[], ["weigh"], [], ["send"]]
