"""What goes wrong, for each provider: how it is brought about with the provider's own fake, and what is asked then."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from lemonade_server import LemonadeServer
from llamafarm_kit.testing import Asked, Exchange, OpenAIScenes, Peer, Scene, Script, ScriptedUpstream
from llamafarm_kit.testing.upstream import answering, silent
from llamafarm_universal.server.settings import Settings as RuntimeSettings
from runtime_servers import serving

PLUGINS = Path(__file__).parents[2] / "plugins"
HI = {"messages": [{"role": "user", "content": "Hi"}]}
SHORT = {"timeouts": {"first_byte": 0.3}}
TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
Runtime = Callable[[], AbstractAsyncContextManager[str]]
"""Brings a runtime up that behaves so; gives the base URL of its model entry."""


@dataclass(frozen=True)
class Condition:
    """runtime: what is behind the entry. model, entry: of the entry. asked: the chat. late: whether a streamed answer
    has begun before it goes wrong."""

    runtime: Runtime
    model: str = "tiny"
    entry: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=lambda: HI)
    late: bool = False


def played(script: Script, path: str = "/v1") -> Runtime:
    """A server that answers every request so."""

    @asynccontextmanager
    async def up() -> AsyncIterator[str]:
        async with ScriptedUpstream(script) as upstream:
            yield upstream.base_url.removesuffix("/v1") + path

    return up


def nobody(path: str = "/v1") -> Runtime:
    """An address at which nobody listens, and nobody else can while it is in use here."""

    @asynccontextmanager
    async def up() -> AsyncIterator[str]:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{held.getsockname()[1]}{path}"

    return up


def recorded(plugin: str, name: str) -> Exchange:
    """A recorded answer, whatever is asked."""
    found = Exchange.load(PLUGINS / plugin / "tests" / "recordings" / f"{name}.json")
    return replace(found, method=None, path=None, sent={})


def either(whole: Exchange, streamed: Exchange) -> Script:
    """The one or the other, as is asked."""

    async def script(asked: Asked, peer: Peer) -> None:
        await (streamed if asked.content and asked.body.get("stream") else whole)(asked, peer)

    return script


def of_ollama() -> dict[str, Condition]:
    def plays(script: Script, **more: Any) -> Condition:
        return Condition(played(script, ""), **more)

    killed = either(recorded("ollama", "runner-killed-not-streamed"), recorded("ollama", "runner-killed-mid-stream"))
    return {
        "wrong key": plays(Exchange.any(401, '{"error": "unauthorized"}')),
        "wrong model": plays(recorded("ollama", "chat-missing-model"), model="nope"),
        "context too long": plays(recorded("ollama", "too-long-truncate-false")),
        "rate limit": plays(recorded("ollama", "queue-full")),
        "server down": Condition(nobody(""), entry={"timeouts": {"connect": 2}}),
        "server dies in the middle": plays(killed, late=True),
        "time-out": plays(silent, entry=SHORT),
        "invalid parameter": plays(recorded("ollama", "tools-on-plain-model"), asked={**HI, "tools": [TOOL]}),
    }


def of_lemonade() -> dict[str, Condition]:
    def plays(script: Script, **more: Any) -> Condition:
        return Condition(played(_alive(script)), **more)

    def answers(name: str, **more: Any) -> Condition:
        return plays(recorded("lemonade", name), **more)

    long = either(recorded("lemonade", "chat-too-long"), recorded("lemonade", "chat-too-long-stream"))
    return {
        "wrong key": answers("auth-wrong-key"),
        "wrong model": answers("chat-missing-model", model="No-Such-Model"),
        "context too long": plays(long),
        "server down": Condition(nobody()),
        "server dies in the middle": plays(OpenAIScenes()[Scene.BROKEN], late=True),
        "time-out": plays(silent, entry=SHORT),
        "invalid parameter": answers("chat-temperature-string"),
    }


def _alive(script: Script) -> Script:
    """The same server, which tells that it is there and has the model: only the chat goes wrong."""
    well = LemonadeServer()

    async def play(asked: Asked, peer: Peer) -> None:
        await (script if asked.method == "POST" else well)(asked, peer)

    return play


def _openai_error(status: int, message: str, code: str | None, kind: str, param: str | None = None) -> Script:
    """OpenAI's error object, as its API reference has it."""
    return answering({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


def of_openai() -> dict[str, Condition]:
    def refuses(status: int, message: str, code: str | None, kind: str = "invalid_request_error", **more: Any) -> Any:
        return Condition(played(_openai_error(status, message, code, kind, **more)), model="gpt-9")

    too_long = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    busy = "Rate limit reached for gpt-9 in organization org-1 on requests per min (RPM): Limit 3, Used 3, Requested 1."
    return {
        "wrong key": refuses(401, "Incorrect API key provided: sk-wrong.", "invalid_api_key"),
        "wrong model": refuses(
            404, "The model `gpt-9` does not exist or you do not have access to it.", "model_not_found"
        ),
        "context too long": refuses(400, too_long, "context_length_exceeded", param="messages"),
        "rate limit": refuses(429, busy, "rate_limit_exceeded", "requests"),
        "server down": Condition(nobody()),
        "server dies in the middle": Condition(played(OpenAIScenes()[Scene.BROKEN]), late=True),
        "time-out": Condition(played(silent), entry=SHORT),
        "invalid parameter": refuses(
            400, "Invalid value for 'seed': must be an integer.", "invalid_value", param="seed"
        ),
    }


def of_universal() -> dict[str, Condition]:
    def real(**more: Any) -> Condition:
        return Condition(runtime(), **{"model": "echo/model", **more})

    return {
        "wrong key": Condition(runtime(api_key="right"), entry={"api_key": "wrong"}),
        "wrong model": real(model="package:nowhere/phi"),
        "context too long": real(model="refuse/context_length"),
        "rate limit": Condition(busy(), "echo/model", {"timeouts": {"total": 1.5}}),  # less than it asks to wait
        "server down": Condition(played(answering("<h1>Another program</h1>", 404))),
        "server dies in the middle": real(asked={"messages": [{"role": "user", "content": "Hel|<die>"}]}, late=True),
        "time-out": real(model="never/accepts", entry=SHORT),
        "invalid parameter": real(asked={**HI, "logprobs": True, "top_logprobs": 99}),
    }


def runtime(**settings: Any) -> Runtime:
    """A real runtime server, whose engine host plays a script."""

    @asynccontextmanager
    async def up() -> AsyncIterator[str]:
        with serving(RuntimeSettings(**settings), target="speaking_host:run") as running:
            await asyncio.to_thread(running.host_is, "ready")
            yield f"{running.url}/v1"

    return up


def busy() -> Runtime:
    """The same, while it answers as many requests as it may."""

    @asynccontextmanager
    async def up() -> AsyncIterator[str]:
        async with runtime(max_requests=1)() as url, httpx.AsyncClient() as client:
            body = {"model": "echo/model", "messages": [{"role": "user", "content": "Hel|<hang>"}], "stream": True}
            async with client.stream("POST", f"{url}/chat/completions", json=body):
                yield url

    return up


CONDITIONS: Mapping[str, Mapping[str, Condition]] = {
    "ollama": of_ollama(),
    "lemonade": of_lemonade(),
    "openai": of_openai(),
    "universal": of_universal(),
}
"""By provider and by what goes wrong; one that is missing cannot occur there."""
