"""One agent handler, between a caller and a model that plays a script: what the handler contract tries it on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from llamafarm import AgentHandler, Call, Reply, ToolSource, ToolSources, Turn
from llamafarm.handlers.base import TurnModel
from llamafarm.project import Project
from llamafarm.providers.assemble import put_together
from llamafarm.wire import CHAT, Operation, sse

from llamafarm_kit.testing.scripted import POLL_SECONDS, ScriptedProvider, ScriptedReply, Step

Way = Literal["frames", "chunks", "completion"]
"""The three ways to read a reply."""
Result = TypeVar("Result")


class Model:
    """The end of the chain: a scripted provider that remembers every turn it was asked.

    blocked: the number of the question, counted from 0, that never gets an answer. stuck: whether it has come.
    """

    def __init__(self, *script: Step, blocked: int | None = None) -> None:
        self.provider = ScriptedProvider(*script)
        self.turns: list[Turn] = []
        self.stuck = False
        self._questions = 0
        self._blocked = blocked

    async def __call__(self, turn: Turn) -> Reply:
        self.turns.append(turn)
        return await self.answer(turn.request, turn.call)

    async def answer(self, request: Any, call: Call) -> Reply:
        self._questions += 1
        if self._questions - 1 == self._blocked:
            self.stuck = True
            await asyncio.Event().wait()
        return await self.provider.chat(request, call)

    @property
    def waiting(self) -> bool:
        """Whether the model has said all that it says before its gate opens, or does not answer at all."""
        return self.stuck or any(reply.waiting for reply in self.provider.replies)

    def check_closed(self) -> None:
        """Fail where a reply that was asked for is still open."""
        open_ = [number for number, reply in enumerate(self.provider.replies, 1) if not reply.closed]
        assert not open_, f"of {len(self.provider.replies)} replies that it asked for, still open: {open_} (from 1)"


@dataclass
class Bench:
    """The handler, built and started once as the gateway does, and the turns that it gets.

    answer: what the model says to a request. patience: seconds that anything may take before it counts as hanging.
    fields: the handler's request fields that each turn has, validated. tool_sources: those of the project, by name.
    """

    handler: AgentHandler
    project: Project
    question: str
    answer: Callable[[Mapping[str, Any]], str]
    patience: float
    fields: Mapping[str, Any] = field(default_factory=dict)
    tool_sources: Mapping[str, ToolSource] = field(default_factory=dict)

    def model(self, *script: Step, blocked: int | None = None) -> Model:
        """A model with this script; without one it says what `answer` says."""
        return Model(*(script or (self.answer,)), blocked=blocked)

    def turn(self, model: Model, *, stream: bool = True, question: str | None = None, **fields: Any) -> Turn:
        """A turn without a session. Its call ends `patience` seconds from now. fields: further ones of its request."""
        entry = self.project.entry()
        request: Any = {
            "messages": [{"role": "user", "content": question or self.question}],
            **({"stream": True} if stream else {}),
            **fields,
        }
        call = Call(entry, "request-1", asyncio.get_running_loop().time() + self.patience)

        async def ask_model(operation: Operation, request: Any, _model: str | None) -> Any:
            asked = {**request, "model": entry.model}
            if operation is CHAT:
                return await model.answer(asked, call)
            return await getattr(model.provider, operation.method)(asked, call)

        known = TurnModel(entry.model)
        return Turn(
            self.project,
            entry,
            request,
            call,
            fields=self.fields,
            model=known,
            tool_sources=ToolSources(self.tool_sources),
            ask_model=ask_model,
        )

    async def run(self, model: Model, *, stream: bool = True, turn: Turn | None = None) -> Reply:
        """Let the handler answer one turn."""
        return await self.soon(self.handler.run(turn or self.turn(model, stream=stream), model))

    async def said(self, model: Model, way: Way, *, turn: Turn | None = None) -> Any:
        """Let the handler answer one turn, read it in that way, and close it."""
        reply = await self.run(model, stream=way != "completion", turn=turn)
        try:
            return await self.soon(read(reply, way))
        finally:
            await self.soon(reply.aclose())

    async def asks(self) -> int:
        """How often the handler asks the model in one turn."""
        model = self.model()
        await self.said(model, "frames")
        return len(model.provider.replies)

    async def soon(self, what: Awaitable[Result]) -> Result:
        """Wait for something that must not hang."""
        try:
            async with asyncio.timeout(self.patience):
                return await what
        except TimeoutError:
            raise AssertionError(f"it hangs: nothing within {self.patience:g} s") from None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until that is so."""

        async def poll() -> None:
            while not condition():  # noqa: ASYNC110 - what is waited for is not ours, so it can set no event
                await asyncio.sleep(POLL_SECONDS)

        await self.soon(poll())


async def read(reply: Reply, way: Way) -> Any:
    """Read a reply to its end: the bytes, the list of chunks, or the whole answer."""
    if way == "completion":
        return await reply.completion()
    if way == "chunks":
        return [chunk async for chunk in reply.chunks()]
    return b"".join([frame async for frame in reply.frames()])


async def left_as_it_was(bench: Bench, model: Model) -> None:
    """Run a turn in a task, let its reader go away in the middle, and check that nothing stays behind.

    A handler that hands the answer on as it comes has given the first frame by then, and its reply is closed; one that
    waits for the whole answer is cancelled while it waits.
    """
    before = asyncio.all_tasks()
    opened: list[Any] = []
    task = asyncio.create_task(_begin(bench.handler.run(bench.turn(model), model), opened))
    await bench.until(lambda: task.done() or model.waiting)
    task.cancel()
    await bench.soon(asyncio.wait([task]))
    for part in reversed(opened):
        await bench.soon(part.aclose())
    assert task.cancelled() or task.exception() is None, f"being cancelled, it raised {task.exception()!r}"
    model.check_closed()
    assert not (left := asyncio.all_tasks() - before), f"tasks that it left behind: {left}"


async def _begin(run: Awaitable[Reply], opened: list[Any]) -> None:
    """Read the first frame. opened: takes what must be closed afterwards, the reply first."""
    opened.append(await run)
    opened.append(opened[0].frames())
    await anext(opened[1])


def whole(said: Any, way: Way) -> Any:
    """The choices of an answer, however it was read."""
    if way == "completion":
        return said["choices"]
    return put_together(_chunks(said) if way == "frames" else said)["choices"]


def _chunks(said: bytes) -> list[Any]:
    events = [sse.parse(frame) for frame in said.replace(b"\r\n", b"\n").split(b"\n\n")]
    return [json.loads(event.data) for event in events if event and event.data.strip() != "[DONE]"]


def odd_frames(text: str) -> list[bytes]:
    """An answer as SSE that no encoder of ours would write: comments, odd spacing, fields that nobody defined."""
    head = '"id":"odd-1",  "object":"chat.completion.chunk", "created":1700000000,"model":"scripted"'
    first = json.dumps({"role": "assistant", "content": text}, indent=None, separators=(" , ", " :"))
    return [
        b": the runtime's own comment\n\n",
        f'data:{{{head},"choices":[{{"index":0,"delta":{first},"finish_reason":null}}],"own":{{"b":1,"a":2}}}}\r\n\r\n'.encode(),
        f'id: 7\ndata:  {{{head},"choices":[{{"delta":{{}},"finish_reason":"stop","index":0}}]}}\n\n'.encode(),
        sse.DONE,
    ]


def odd_reply(text: str) -> ScriptedReply:
    """A reply of `odd_frames`."""
    return ScriptedReply(frames=odd_frames(text))
