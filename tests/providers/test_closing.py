"""A client that goes away: the upstream's connection is closed before another event is handled, for each provider."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from llamafarm.handlers.base import Ask, Turn
from llamafarm.providers.reply import Reply
from llamafarm.records import AgentHandlerSpec
from llamafarm_kit.testing import ScriptedUpstream
from llamafarm_kit.testing.scripted import ScriptedPlugins
from runtime_servers import serving, wait_until
from upstreams import MODEL, PLUGINS, api, project
from waiting import SPEECH, WIRES, Waiting

pytestmark = pytest.mark.anyio
BOUND = 20.0
ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "Hel|<hang>"}], "stream": True}
SAID = {"model": MODEL, "input": "Hello", "voice": "alloy"}


@dataclass
class Watch:
    """An agent handler that counts what passes. closed: set when the reply that it passed on was closed."""

    handled: list[bytes] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    async def run(self, turn: Turn, ask: Ask) -> Reply:
        return Watched(self, await ask(turn))

    @property
    def spec(self) -> AgentHandlerSpec:
        return AgentHandlerSpec("watch", "counts the frames", lambda _: self)


class Watched:
    def __init__(self, watch: Watch, inner: Reply) -> None:
        self._watch = watch
        self._inner = inner

    @property
    def headers(self) -> Mapping[str, str]:
        return self._inner.headers

    async def completion(self) -> Any:
        return await self._inner.completion()

    async def chunks(self) -> AsyncGenerator[Any, None]:
        raise NotImplementedError
        yield

    async def frames(self) -> AsyncGenerator[bytes, None]:
        async for frame in self._inner.frames():
            self._watch.handled.append(frame)
            yield frame

    async def aclose(self) -> None:
        await self._inner.aclose()
        self._watch.closed.set()


async def begin_and_go(url: str, body: Mapping[str, Any]) -> bytes:
    """Read the first bytes of an answer and close the connection; returns what was read."""
    async with httpx.AsyncClient(timeout=BOUND) as client, client.stream("POST", url, json=body) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for piece in answer.aiter_raw():
            if not piece.startswith(b":"):
                return piece
    raise AssertionError("the answer ended before it began")


@pytest.mark.parametrize("provider", WIRES)
async def test_closing_a_stream_closes_the_upstream_before_the_next_event_is_handled(provider, tmp_path):
    wire, watch = WIRES[provider], Watch()
    runtime = Waiting(wire)
    plugins = ScriptedPlugins(handlers=(watch.spec,), installed=PLUGINS)
    async with ScriptedUpstream(runtime) as upstream:
        base_url = f"http://127.0.0.1:{upstream.port}{wire.base}"
        with api(project(provider, "tiny", base_url, handler="watch"), tmp_path, plugins) as root:
            assert b"Hel" in await begin_and_go(f"{root}/chat/completions", ASKED)
            await asyncio.wait_for(runtime.gone.wait(), BOUND)
            assert await asyncio.to_thread(watch.closed.wait, BOUND)
            assert runtime.quiet, "the gateway has sent something after its request"
            assert [b"Hel" in frame for frame in watch.handled] == [True]
        assert [one.path for one in upstream.requests].count(wire.path) == 1


async def test_closing_a_sound_closes_the_upstream(tmp_path):
    runtime = Waiting(SPEECH)
    async with ScriptedUpstream(runtime) as upstream:
        with api(project("openai", "tiny", upstream.base_url), tmp_path) as root:
            assert SPEECH.first.startswith(await begin_and_go(f"{root}/audio/speech", SAID))
            await asyncio.wait_for(runtime.gone.wait(), BOUND)
            assert runtime.quiet


async def test_closing_a_stream_of_the_universal_runtime_cancels_its_sequence(tmp_path):
    with serving() as runtime:
        await asyncio.to_thread(runtime.host_is, "ready")
        with api(project("universal", "echo/model", f"{runtime.url}/v1"), tmp_path) as root:
            await begin_and_go(f"{root}/chat/completions", ASKED)
            await asyncio.to_thread(wait_until, lambda: _told(runtime, "Cancel"), "the sequence is cancelled")
            assert _told(runtime, "Cancel") == _told(runtime, "Generate")[:1]


def _told(runtime: Any, command: str) -> list[str]:
    """The requests that the engine host was told of so, without the questions for its log."""
    text = runtime.chat("<log>").json()["choices"][0]["message"]["content"]
    return [entry["request_id"] for entry in json.loads(text) if entry["command"] == command]
