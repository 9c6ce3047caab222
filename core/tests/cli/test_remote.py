"""An API server in place of the project, as commands ask it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.cli.remote import RemoteFarm
from llamafarm.errors import ProviderError, RateLimited, UpstreamError
from llamafarm.gateway import Gateway
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.web.server import Server
from llamafarm.wire.operations import CHAT
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider, ScriptedReply
from llamafarm_kit.testing.served import served

ASKED = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.mark.parametrize(
    ("step", "stages"),
    [
        (RateLimited("Later."), ["provider"]),
        (ScriptedReply("Hello", error=UpstreamError("Out.")), ["provider", "accepted"]),
    ],
)
@pytest.mark.parametrize("trace", [True, False])
def test_an_error_has_the_trace_of_its_turn_where_it_was_asked_for(step, stages, trace):
    small = ModelEntry(name="small", provider="scripted", model="scripted-small")
    plugins = ScriptedPlugins(ScriptedProvider(step))
    projects = Projects(Project("shop", "default", None, (small,)))
    settings = Settings(Gateway(plugins), projects, plugins, Limits())

    async def ask(url: str) -> None:
        async with aclosing(RemoteFarm(url)) as farm, aclosing(await farm.ask(CHAT, ASKED, trace=trace)) as reply:
            [frame async for frame in reply.frames()]

    server = Server(create_app(settings), grace=5, announce=lambda url: None)
    with served(server) as root, pytest.raises(ProviderError) as caught:
        asyncio.run(ask(root))
    assert [row["stage"] for row in caught.value.trace] == (stages if trace else [])
