"""A provider that answers from a script: for the tests of handlers, and of whatever stands before a provider.

provider = ScriptedProvider("Hello there.", RateLimited("later"))
plugins = ScriptedPlugins(provider)
gateway = Gateway(plugins)
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llamafarm import (
    AgentHandlerSpec,
    Call,
    ConfigFragment,
    Endpoint,
    EntryBlock,
    Health,
    ModelEntry,
    ModelInfo,
    ProviderSpec,
    Reply,
    RouteSpec,
    Section,
    ToolSourceSpec,
)
from llamafarm.errors import PluginError
from llamafarm.providers.assemble import put_together
from llamafarm.wire import sse

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

POLL_SECONDS = 0.005


class ScriptedReply(Reply):
    """Streams `text` word by word, or `chunks`, or `frames` as they are.

    gate: where given, the words after the first `before_gate` wait until it is set. error: raised in the place of the
    finish. closed: whether somebody has closed it. waiting: whether it has come to the gate. reads: how often somebody
    has begun to read it; a real answer can be read once.
    """

    def __init__(
        self,
        text: str = "",
        *,
        chunks: list[dict[str, Any]] | None = None,
        frames: Sequence[bytes] | None = None,
        gate: threading.Event | None = None,
        before_gate: int = 1,
        error: Exception | None = None,
        kind: str = "chat.completion.chunk",
    ) -> None:
        self.closed = False
        self.waiting = False
        self.reads = 0
        self.sent = 0
        self._chunks = chunks if chunks is not None else _parsed(frames or ()) or _chunks(text, kind)
        self._frames = frames
        self._gate = gate
        self._before_gate = before_gate
        self._error = error

    async def completion(self) -> Any:
        """The words as a whole answer."""
        self.reads += 1
        return put_together([chunk async for chunk in self._sent()])

    async def chunks(self) -> AsyncGenerator[Any, None]:
        """One chunk for each word, and one for the finish; raises `error` in its place."""
        self.reads += 1
        async for chunk in self._sent():
            yield chunk

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The chunks as SSE, ending with `data: [DONE]`; or the frames that were given."""
        self.reads += 1
        if self._frames is not None:
            for frame in self._frames:
                yield frame
            return
        async for chunk in self._sent():
            yield sse.encode(chunk)
        yield sse.DONE

    async def aclose(self) -> None:
        """Remember that it was closed; it may be closed twice."""
        self.closed = True

    async def _sent(self) -> AsyncGenerator[Any, None]:
        for at, chunk in enumerate(self._chunks):
            if at == self._before_gate:
                await self._wait()
            last = at == len(self._chunks) - 1
            if last and self._error is not None:
                raise self._error
            self.sent += 1
            yield chunk

    async def _wait(self) -> None:
        """Wait for the gate, which may be in the hands of another thread."""
        while self._gate is not None and not self._gate.is_set():
            self.waiting = True
            await asyncio.sleep(POLL_SECONDS)


Answer = str | ScriptedReply | Exception
Step = Answer | Callable[[dict[str, Any]], Answer]


class ScriptedProvider:
    """Gives one answer of its script for each request, the last one again and again.

    An answer is a text, a ScriptedReply, an exception that is raised, or a function from the request to one of these.
    requests, calls: what has come. replies: what it has given, to be closed by whoever got it.
    """

    def __init__(self, *script: Step, health: Health | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.calls: list[Call] = []
        self.replies: list[ScriptedReply] = []
        self.closed = False
        self._script = list(script) or ["Hello there."]
        self._health = health or Health(True, "It answers.")

    async def chat(self, request: Any, call: Call) -> ScriptedReply:
        """The next answer of the script, as a chat."""
        return self._next(request, call, "chat.completion.chunk")

    async def complete(self, request: Any, call: Call) -> ScriptedReply:
        """The next answer of the script, as a text completion."""
        return self._next(request, call, "text_completion")

    async def embed(self, request: Any, call: Call) -> Any:
        """One vector for each text: the number of its characters."""
        self._take(request, call)
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        rows = [{"object": "embedding", "index": at, "embedding": [float(len(text))]} for at, text in enumerate(texts)]
        return {"object": "list", "model": request["model"], "data": rows}

    async def describe(self, model: str) -> ModelInfo:
        """Nothing is known of the model but its id."""
        return ModelInfo(model)

    async def list_models(self) -> list[ModelInfo]:
        """It has none to list."""
        return []

    async def health(self) -> Health:
        """The health that the test gave it."""
        return self._health

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _next(self, request: Any, call: Call, kind: str) -> ScriptedReply:
        self._take(request, call)
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        reply = ScriptedReply(answer, kind=kind) if isinstance(answer, str) else answer
        self.replies.append(reply)
        return reply

    def _take(self, request: Any, call: Call) -> None:
        self.requests.append(dict(request))
        self.calls.append(call)


class ScriptedPlugins:
    """Stands where the plugin manager does, with the records that a test gives it.

    Every provider in `providers` is a live object, known by its key; the handler `simple` is always there. installed:
    who is asked for what the test did not give, such as the sections of a plugin that is installed.
    """

    def __init__(
        self,
        *provider: Any,
        providers: Mapping[str, Any] | None = None,
        handlers: tuple[AgentHandlerSpec, ...] = (),
        tool_sources: tuple[ToolSourceSpec, ...] = (),
        routes: tuple[RouteSpec, ...] = (),
        installed: PluginManager | None = None,
    ) -> None:
        from llamafarm.handlers.plugin import register_agent_handlers

        live = {**({"scripted": provider[0]} if provider else {}), **(providers or {})}
        self.specs = {name: _spec(name, one) for name, one in live.items()}
        self._handlers = {spec.name: spec for spec in (*register_agent_handlers(), *handlers)}
        self._tool_sources = {spec.name: spec for spec in tool_sources}
        self._routes = routes
        self.warnings: list[str] = []
        self._installed = installed

    def provider(self, name: str) -> ProviderSpec:
        """The provider of that name. Raises PluginError."""
        if name not in self.specs:
            if self._installed:
                return self._installed.provider(name)
            raise PluginError(f"The provider {name!r} is not installed.")
        return self.specs[name]

    def agent_handler(self, name: str) -> AgentHandlerSpec:
        """The agent handler of that name. Raises PluginError."""
        if name not in self._handlers:
            if self._installed:
                return self._installed.agent_handler(name)
            raise PluginError(f"The agent handler {name!r} is not installed.", code="plugin_not_installed")
        return self._handlers[name]

    def without(self, _names: Iterable[str]) -> ScriptedPlugins:
        """The same: what a test gives is not disabled."""
        return self

    def agent_handlers(self) -> dict[str, AgentHandlerSpec]:
        """The handlers that the test gave, and `simple`, by name."""
        return dict(self._handlers)

    def tool_sources(self) -> dict[str, ToolSourceSpec]:
        """The kinds of tool sources that the test gave, and those of the installed plugins, by name."""
        return {**(self._installed.tool_sources() if self._installed else {}), **self._tool_sources}

    def routes(self) -> list[RouteSpec]:
        """The routes that the test gave, and those of the installed plugins."""
        return [*(self._installed.routes() if self._installed else ()), *self._routes]

    def fragment(self, at: Section | EntryBlock) -> ConfigFragment | None:
        """The fragment for that place, of an installed plugin."""
        return self._installed.fragment(at) if self._installed else None

    def fragments(self) -> list[ConfigFragment]:
        """The fragments of the installed plugins."""
        return self._installed.fragments() if self._installed else []

    def refuse_broken(self) -> None:
        """Nothing here is broken."""


def _spec(name: str, provider: Any) -> ProviderSpec:
    return ProviderSpec(
        name=name,
        summary="made for a test",
        entry=ModelEntry,
        endpoint=lambda entry: Endpoint(name, entry.base_url or "http://127.0.0.1:9/v1"),
        connect=lambda _: provider,
    )


def _parsed(frames: Sequence[bytes]) -> list[dict[str, Any]]:
    """The chunks in SSE frames."""
    events = [event for frame in frames if (event := sse.parse(frame)) and event.data != "[DONE]"]
    return [json.loads(event.data) for event in events]


def _chunks(text: str, kind: str) -> list[dict[str, Any]]:
    """The chunks of a whole answer: one for each word, then the finish reason."""
    head = {"id": "scripted-1", "object": kind, "created": 1700000000, "model": "scripted"}
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].removesuffix(" ")
    return [{**head, "choices": [_choice(kind, word, None)]} for word in words] + [
        {**head, "choices": [_choice(kind, "", "stop")]}
    ]


def _choice(kind: str, text: str, finish: str | None) -> dict[str, Any]:
    if kind == "text_completion":
        return {"index": 0, "text": text, "finish_reason": finish}
    delta = {"role": "assistant", "content": text} if finish is None else {}
    return {"index": 0, "delta": delta, "finish_reason": finish}
