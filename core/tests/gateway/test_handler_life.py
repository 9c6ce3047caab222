"""A handler is built once for each entry, starts with its first turn, and is closed when its project is done with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from llamafarm.errors import PluginError, RequestError
from llamafarm.gateway import Context, Gateway
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.records import AgentHandlerSpec
from llamafarm.wire.operations import CHAT
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider

pytestmark = pytest.mark.anyio
HI = {"messages": [{"role": "user", "content": "Hi"}]}


class Diary:
    """A handler that writes down its life. fails: how many times its start raises."""

    def __init__(self, log: list[str], fails: int = 0) -> None:
        self.log = log
        self.fails = fails

    async def start(self) -> None:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise OSError("no such file")
        self.log.append("started")

    async def run(self, turn, ask):
        self.log.append("ran")
        return await ask(turn)

    async def aclose(self) -> None:
        self.log.append("closed")


def farm(path: Path | None = None, **given) -> Project:
    entry = ModelEntry(name="m", provider="scripted", model="x", handler="diary", **given)
    return Project("shop", "default", path, (entry,))


def gateway_of(log: list[str], **given) -> Gateway:
    spec = AgentHandlerSpec("diary", "made for a test", lambda _: Diary(log, **given))
    providers = {"scripted": ScriptedProvider(*["Hello."] * 9), "other": ScriptedProvider("Hello.")}
    return Gateway(ScriptedPlugins(providers=providers, handlers=(spec,)))


async def ask(gateway: Gateway, project: Project, **fields):
    return await gateway.ask(project, CHAT, {**HI, **fields}, Context("r"))


async def until(log: list[str], length: int) -> None:
    async with asyncio.timeout(10):
        while len(log) < length:  # noqa: ASYNC110 - a plain list tells nobody that it has grown
            await asyncio.sleep(0)


async def test_it_starts_with_its_first_turn_once_for_turns_that_come_together_and_closes_with_the_gateway():
    log: list[str] = []
    gateway, project = gateway_of(log), farm()
    replies = await asyncio.gather(*(ask(gateway, project) for _ in range(3)))
    assert log == ["started", "ran", "ran", "ran"]
    for reply in replies:
        await reply.aclose()
    await gateway.aclose()
    await gateway.aclose()
    assert log[4:] == ["closed"]


async def test_one_that_never_ran_is_not_closed():
    log: list[str] = []
    gateway, project = gateway_of(log), farm()
    with pytest.raises(RequestError, match="No sessions are kept here"):
        await gateway.ask(project, CHAT, HI, Context("r", session="new"))
    await gateway.aclose()
    assert log == []


async def test_a_start_that_fails_fails_its_turn_and_is_tried_again():
    log: list[str] = []
    gateway, project = gateway_of(log, fails=1), farm()
    with pytest.raises(PluginError, match="The agent handler 'diary' failed: OSError: no such file"):
        await ask(gateway, project)
    await (await ask(gateway, project)).aclose()
    assert log == ["started", "ran"]
    await gateway.aclose()


async def test_a_project_that_is_read_again_closes_the_old_handlers_once_the_last_answer_has_ended(tmp_path):
    log: list[str] = []
    gateway = gateway_of(log)
    old, new = farm(tmp_path / "llamafarm.yaml"), farm(tmp_path / "llamafarm.yaml")
    running = await ask(gateway, old)
    await (await ask(gateway, new)).aclose()
    assert log == ["started", "ran", "started", "ran"]
    await running.completion()
    await until(log, 5)
    assert log[4:] == ["closed"]
    await gateway.aclose()
    assert log[5:] == ["closed"]


async def test_a_provider_that_no_entry_leads_to_any_more_is_closed_and_one_that_is_still_used_is_not():
    log: list[str] = []
    gateway = gateway_of(log)
    project = farm()
    provider = gateway._dispatcher.lease(project.entry()).provider
    await (await ask(gateway, project)).aclose()
    again = farm()
    await (await ask(gateway, again)).aclose()
    await until(log, 5)
    assert not provider.closed
    elsewhere = ModelEntry(name="m", provider="other", model="x")
    await (await ask(gateway, Project("shop", "default", None, (elsewhere,)))).aclose()
    await until(log, 6)
    async with asyncio.timeout(10):
        while not provider.closed:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    await gateway.aclose()


async def test_a_handler_that_does_not_close_is_told_in_the_log_and_harms_nobody(caplog):
    class Stuck(Diary):
        async def aclose(self) -> None:
            raise RuntimeError("stuck")

    spec = AgentHandlerSpec("diary", "made for a test", lambda _: Stuck([]))
    gateway = Gateway(ScriptedPlugins(ScriptedProvider("Hello."), handlers=(spec,)))
    await (await ask(gateway, farm())).aclose()
    await gateway.aclose()
    assert "The agent handler 'diary' failed: RuntimeError: stuck" in caplog.text


async def test_a_handler_that_is_chosen_and_configured_is_one():
    log: list[str] = []
    gateway, project = gateway_of(log), farm(allow_handlers=["simple"])
    await (await ask(gateway, project)).aclose()
    await (await ask(gateway, project, handler=["diary", "simple"])).aclose()
    assert log == ["started", "ran", "ran"]
    await gateway.aclose()
