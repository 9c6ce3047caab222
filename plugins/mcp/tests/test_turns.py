"""Turns in which a model calls tools of a server: whatever the server does, the answer says it and nothing is left."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from llamafarm.config import load_project
from llamafarm.errors import ConfigError, ToolSourceError
from llamafarm.gateway import Context, Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.wire import CHAT
from llamafarm_kit.testing import ScriptedPlugins, ScriptedProvider, ScriptedReply

pytestmark = pytest.mark.anyio
PROGRAM = Path(__file__).with_name("server.py")
Ask = Callable[..., Awaitable[dict[str, Any]]]


def calling(name: str, **arguments: Any) -> ScriptedReply:
    """An answer that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    head = {"id": "scripted-1", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    delta = {"role": "assistant", "content": None, "tool_calls": [call]}
    return ScriptedReply(
        chunks=[
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        ]
    )


def result(request: Any) -> str:
    """The model says what the tool said."""
    return str(request["messages"][-1]["content"])


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    """Asks a model that calls a tool and says its result; at the end no process and no task may be left."""
    children = set(psutil.Process().children())
    gateways: list[Gateway] = []

    async def ask(*script: Any, server: Any = None, **options: Any) -> dict[str, Any]:
        program = server or {"command": sys.executable, "args": [str(PROGRAM)]}
        config = {
            "mcp_servers": {"barn": program},
            "handlers": {"tools": options},
            "runtime": {"models": [{"name": "cow", "provider": "scripted", "model": "cow", "handler": "tools"}]},
        }
        path = tmp_path / "llamafarm.yaml"
        path.write_text(json.dumps(config))
        plugins: Any = ScriptedPlugins(ScriptedProvider(*script), installed=PluginManager(environ={}))
        gateway = Gateway(plugins)
        gateways.append(gateway)
        request = {"messages": [{"role": "user", "content": "How is Rosa?"}]}
        reply: Any = await gateway.ask(load_project(path, plugins), CHAT, request, Context("r"))
        try:
            answer: dict[str, Any] = await reply.completion()
        finally:
            await reply.aclose()
        return answer

    yield ask
    for gateway in gateways:
        await gateway.aclose()
    assert set(psutil.Process().children()) <= children
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("mcp")] == []


def said(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


async def test_a_result_becomes_the_answer(ask: Ask) -> None:
    answer = await ask(calling("weigh", cow="Rosa"), result)
    assert said(answer) == "Rosa weighs 640 kg."
    [row] = answer["llamafarm"]["tool_calls"]
    assert (row["name"], row["source"], row["ok"]) == ("weigh", "barn", True)


async def test_a_server_that_dies_in_a_call_is_told_to_the_model_and_is_there_for_the_next_call(ask: Ask) -> None:
    answers: list[str] = []

    def again(request: Any) -> Any:
        answers.append(result(request))
        return calling("weigh", cow="Rosa")

    answer = await ask(calling("die", word="Moo, I die."), again, result)
    assert answers[0].startswith("Error: The MCP server 'barn' broke the connection off. It wrote:")
    assert "Moo, I die." in answers[0]
    assert said(answer) == "Rosa weighs 640 kg."
    assert [row["ok"] for row in answer["llamafarm"]["tool_calls"]] == [False, True]


async def test_a_call_that_hangs_ends_at_its_limit_at_the_server_too(ask: Ask, tmp_path: Path) -> None:
    log = tmp_path / "log"
    answer = await ask(calling("hang", log=str(log)), result, call_timeout=1.5)
    assert said(answer).startswith("Error: no result came within")
    async with asyncio.timeout(30):
        while not log.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)


async def test_a_client_that_goes_away_ends_the_call(ask: Ask, tmp_path: Path) -> None:
    log = tmp_path / "log"
    turn = asyncio.ensure_future(ask(calling("hang", log=str(log)), result))
    async with asyncio.timeout(30):
        while not (tmp_path / "log.begun").exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
        turn.cancel()
        await asyncio.wait([turn])
        while not log.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    assert turn.cancelled()


async def test_a_large_result_is_cut_and_says_so(ask: Ask) -> None:
    text = said(await ask(calling("big", megabytes=10), result, max_result=1000))
    assert text.startswith("m" * 1000 + "\n[The last 10,484,760 of 10,485,760 characters")
    assert len(text) < 1200


async def test_two_hundred_tools_are_refused_with_what_chooses_among_them(ask: Ask) -> None:
    server = {"command": sys.executable, "args": [str(PROGRAM)], "env": {"MORE_TOOLS": "192"}}
    with pytest.raises(ConfigError, match="have 200 tools") as caught:
        await ask("Hello.", server=server)
    assert "`sources`" in str(caught.value.hint)
    chosen = await ask(calling("weigh", cow="Rosa"), result, server=server, sources={"barn": ["w*"]})
    assert said(chosen) == "Rosa weighs 640 kg."


async def test_a_server_that_is_not_there_is_an_error_before_the_model_is_asked(ask: Ask) -> None:
    with pytest.raises(ToolSourceError, match="'barn' cannot be started: No such file or directory"):
        await ask("Hello.", server={"command": "no-such-program"})
