"""A server of the official package as a source of tools, over stdio and HTTP, and what becomes of it when it fails."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil
import pytest
import uvloop
from llamafarm import ToolResult
from llamafarm.errors import ToolSourceError
from llamafarm_mcp.config import McpServer
from llamafarm_mcp.source import McpSource

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["stdio", "http"])
def source(request, make):
    return make() if request.param == "stdio" else make(url=request.getfixturevalue("address"))


async def process_of(source) -> psutil.Process:
    return psutil.Process(int((await source.call("pid", {})).content))


async def test_tools_are_listed_and_called(source):
    tools = {tool.name: tool for tool in await source.list()}
    assert tools["weigh"].description == "The weight of a cow."
    assert tools["weigh"].parameters["required"] == ["cow"]
    assert await source.call("weigh", {"cow": "Rosa"}) == ToolResult("Rosa weighs 640 kg.")
    together = await asyncio.gather(*(source.call("weigh", {"cow": str(number)}) for number in range(8)))
    assert [result.content for result in together] == [f"{number} weighs 640 kg." for number in range(8)]
    # What tools say of their own failure is a result
    assert (await source.call("fail", {"reason": "tired"})).is_error
    assert (await source.call("weigh", {})).is_error
    assert await source.call("nope", {}) == ToolResult("Unknown tool: nope", is_error=True)
    # Pictures are named, large texts are whole
    assert (await source.call("look", {})).content == "A cow:\n[image/png, 9 bytes, not shown]"
    assert len((await source.call("big", {"megabytes": 3})).content) == 3 << 20


async def test_a_call_that_is_cancelled_ends_at_the_server(source, tmp_path):
    log = tmp_path / "log"
    await source.list()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await source.call("hang", {"log": str(log)})
    async with asyncio.timeout(30):
        while not log.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    assert not (await source.call("weigh", {"cow": "Rosa"})).is_error


async def test_a_server_that_dies_in_a_call_is_an_error_and_the_next_turn_has_a_new_one(make):
    source = make(env={"BARN": "red"})
    await source.list()
    first = await process_of(source)
    with pytest.raises(ToolSourceError) as caught:
        await source.call("die", {"word": "Moo, I die."})
    assert caught.value.message.startswith("The MCP server 'barn' broke the connection off. It wrote:\n")
    assert caught.value.message.endswith("Moo, I die.")
    assert "mcp_servers.barn" in str(caught.value.hint)
    assert await source.list()
    second = await process_of(source)
    assert second.pid != first.pid
    second.send_signal(signal.SIGKILL)
    assert await source.list(), "what ended between two turns is not told"
    third = await process_of(source)
    await source.aclose()
    await source.aclose()
    assert not any(process.is_running() for process in (first, second, third))


async def test_a_program_sees_its_folder_and_the_environment_that_it_is_given_and_may_have_many_tools(
    make, tmp_path, monkeypatch
):
    monkeypatch.setenv("LF_TEST_SECRET", "not for servers")
    source = make(env={"BARN": "red", "MORE_TOOLS": "200"})
    assert len(await source.list()) == 208
    content = (await source.call("environment", {})).content
    assert f'"folder": "{tmp_path}"' in content
    assert '"barn": "red"' in content
    assert '"secret": null' in content


async def test_one_that_cannot_be_reached_says_why_and_what_to_do(make, tmp_path):
    async def error_of(source) -> str:
        with pytest.raises(ToolSourceError) as caught:
            await source.list()
        return str(caught.value)

    assert "broke the connection off. It wrote:\nThere is no barn." in await error_of(make("dead"))
    assert "cannot be started: No such file or directory: no-such-program" in await error_of(
        make(command="no-such-program", args=[])
    )
    silent = await error_of(make("silent", connect_timeout=0.3))
    assert "did not answer within 0.3 s.\n`connect_timeout` of the server gives it longer." in silent
    assert "cannot be reached: All connection attempts failed" in await error_of(make(url="http://127.0.0.1:9/mcp"))


def test_a_program_that_is_not_there_is_named_on_the_event_loop_of_servers_too(tmp_path):
    async def ask() -> None:
        await McpSource("barn", McpServer(command="no-such-program"), tmp_path).list()

    with pytest.raises(ToolSourceError, match="No such file or directory: no-such-program"):
        uvloop.run(ask())


async def test_a_refusal_over_http_is_told_with_its_status(make, refusing):
    for status, words in {
        401: "HTTP 401 Unauthorized.\nIt wants credentials",
        404: "HTTP 404 Not Found.\nIs `url` the",
    }.items():
        with pytest.raises(ToolSourceError) as caught:
            await make(url=refusing(status), headers={"Authorization": "Bearer moo"}).list()
        assert f"refused with {words}" in str(caught.value)


async def test_an_answer_that_no_memory_should_hold_is_an_error(make, address):
    source = make(url=address)
    result = await source.call("big", {"megabytes": 40})
    assert result.is_error
    assert "larger than 32 MiB" in result.content
    assert not (await source.call("weigh", {"cow": "Rosa"})).is_error


async def test_a_turn_that_goes_away_while_a_server_starts_leaves_nothing(make):
    source = make("silent")
    task = asyncio.create_task(source.list())
    own = psutil.Process(os.getpid())
    before = set(own.children())
    async with asyncio.timeout(30):
        while set(own.children()) <= before:  # noqa: ASYNC110 - a process tells nobody that it has begun
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert set(own.children()) <= before
