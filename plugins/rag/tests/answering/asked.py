"""A project with documents, a model that plays a script, and a retriever that finds what a test says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import llamafarm
from llamafarm.config.load import load_project
from llamafarm.gateway import Context, Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.sessions import SessionStore
from llamafarm.wire import CHAT
from llamafarm_kit.testing import ScriptedPlugins, ScriptedProvider, ScriptedReply
from llamafarm_rag.answering.checks import check_answering
from llamafarm_rag.answering.handler import RagHandler
from llamafarm_rag.answering.options import REQUEST_FIELDS, RagOptions
from llamafarm_rag.answering.sources import Source
from llamafarm_rag.database.passage import Passage
from llamafarm_rag.retrieval.result import Hit, Retrieval, Stage

QUESTION = "On which port does the runtime listen?"
PORT = "The Universal Runtime listens on port 11540."
STOP = "It stops by itself after 30 minutes without a request."
EMBEDDING = [{"name": "small", "type": "ModelEmbedder", "config": {"model": "cow"}}]
RAG = {
    "databases": [
        {
            "name": name,
            "type": "ChromaStore",
            "embedding_strategies": EMBEDDING,
            "retrieval_strategies": [
                {"name": strategy, "type": "BasicSimilarityStrategy"} for strategy in (f"near_{name}", "all")
            ],
        }
        for name in ("guides", "letters")
    ]
}
DATASETS = [{"name": "manuals", "database": "guides"}, {"name": "mail", "database": "letters"}]
SECTIONS = {"rag": RAG, "datasets": DATASETS}


@cache
def installed() -> PluginManager:
    """The plugins that are installed: looking for them takes longer than most tests."""
    return PluginManager()


def hit(text: str, *, file: str = "guide.md", score: float = 0.8, **more: Any) -> Hit:
    passage = Passage("id", text, file, "manuals", 0, more.pop("start", 0), more.pop("end", len(text)), **more)
    return Hit(passage, score, {"similarity": score})


def sources(*texts: str) -> list[Source]:
    return [Source(number, hit(text), text) for number, text in enumerate(texts, 1)]


class Found:
    """A retriever. asked: what it was asked for, and where."""

    def __init__(self, *hits: Hit | str) -> None:
        self.hits = tuple(each if isinstance(each, Hit) else hit(each) for each in hits)
        self.asked: list[Any] = []
        self.is_closed = False

    async def retrieve(self, question: Any, place: Any, turn: llamafarm.Turn) -> Retrieval:
        self.asked.append((question, place))
        queries = question.queries or (question.text,)
        stages = (Stage("nearest", 1.25, len(self.hits)),)
        return Retrieval(place.database.name, place.strategy.name, queries, self.hits, below=2, stages=stages)

    async def aclose(self) -> None:
        self.is_closed = True


def spec(retriever: Any) -> llamafarm.AgentHandlerSpec:
    """The handler's record, with another retriever."""
    return llamafarm.AgentHandlerSpec(
        "rag", "", lambda options: RagHandler(options, retriever), RagOptions, REQUEST_FIELDS, check_answering
    )


class Cow(ScriptedProvider):
    """A model that says how long its context is, and counts words as tokens."""

    def __init__(self, *script: Any, context_length: int | None = None, counts: Any = None) -> None:
        super().__init__(*script)
        self.context_length = context_length
        self.counted: list[int] = []
        self._counts = counts

    async def describe(self, model: str) -> llamafarm.ModelInfo:
        return llamafarm.ModelInfo(model, context_length=self.context_length)


class CountingCow(Cow):
    """It counts words as tokens, or raises what it is told."""

    async def count_tokens(self, request: Any, call: Any) -> int:
        if isinstance(self._counts, Exception):
            raise self._counts
        self.counted.append(sum(len(str(message["content"]).split()) for message in request["messages"]))
        return self.counted[-1]


@dataclass
class Barn:
    """The whole road: gateway, handlers, sessions. model: behind the entry `cow`. trace: of the last turn."""

    gateway: Gateway
    project: llamafarm.Project
    model: ScriptedProvider
    sessions: SessionStore
    retriever: Any
    trace: list[Any] = field(default_factory=list)
    session: str | None = None

    async def reply(self, *messages: Any, **request: Any) -> llamafarm.Reply:
        said = [{"role": "user", "content": QUESTION}] if not messages else [_message(each) for each in messages]
        context = Context("r", session=self.session, trace=True)
        reply: llamafarm.Reply = await self.gateway.ask(self.project, CHAT, {"messages": said, **request}, context)
        self.session = reply.headers.get("X-Session-ID") or self.session
        return reply

    async def answer(self, *messages: Any, **request: Any) -> Any:
        """The whole answer."""
        reply = await self.reply(*messages, **request)
        try:
            answer = await reply.completion()
        finally:
            await reply.aclose()
        self.trace = answer.get("llamafarm", {}).get("trace", [])
        return answer

    async def chunks(self, *messages: Any, **request: Any) -> list[Any]:
        """The chunks of a streamed one."""
        reply = await self.reply(*messages, stream=True, **request)
        try:
            return [chunk async for chunk in reply.chunks()]
        finally:
            await reply.aclose()

    @property
    def sent(self) -> Any:
        """The messages of the last request to the model."""
        return self.model.requests[-1]["messages"]

    @property
    def notes(self) -> dict[str, Any]:
        """All that the handler noted of the last turn."""
        rows = [row for row in self.trace if row["stage"] == "rag"]
        return {name: value for row in rows for name, value in row.items() if name not in ("stage", "seconds")}


def _message(each: Any) -> Any:
    return {"role": "user", "content": each} if isinstance(each, str) else each


@asynccontextmanager
async def barn(
    folder: Path,
    model: ScriptedProvider,
    *hits: Hit | str,
    options: Mapping[str, Any] | None = None,
    chain: Sequence[str] = ("rag",),
    handlers: Sequence[llamafarm.AgentHandlerSpec] = (),
    sections: Mapping[str, Any] | None = None,
    files: Mapping[str, Any] | None = None,
    tool_sources: Sequence[llamafarm.ToolSourceSpec] = (),
    **config: Any,
) -> AsyncIterator[Barn]:
    retriever = Found(*(hits or (PORT, STOP)))
    plugins: Any = ScriptedPlugins(
        model, handlers=(spec(retriever), *handlers), tool_sources=tuple(tool_sources), installed=installed()
    )
    content = {
        "runtime": {"models": [{"name": "cow", "provider": "scripted", "model": "cow", "handler": list(chain)}]},
        "handlers": {"rag": dict(options or {}), **config.pop("handler_options", {})},
        **(SECTIONS if sections is None else sections),
        **config,
    }
    for name, file in (files or {}).items():
        (folder / name).write_text(json.dumps(file))
    path = folder / "llamafarm.yaml"
    path.write_text(json.dumps(content))
    sessions = SessionStore(folder / "sessions.db")
    gateway = Gateway(plugins, sessions=sessions)
    try:
        yield Barn(gateway, load_project(path, plugins), model, sessions, retriever)
    finally:
        await gateway.aclose()


def text_of(answer: Any, choice: int = 0) -> Any:
    return answer["choices"][choice]["message"]["content"]


def streamed(chunks: Sequence[Any], choice: int = 0) -> str:
    deltas = [each["delta"] for chunk in chunks for each in chunk["choices"] if each["index"] == choice]
    return "".join(delta.get("content") or "" for delta in deltas)


def pieces(*texts: str, choice: int = 0, reason: str | None = "stop") -> ScriptedReply:
    """An answer in these pieces."""
    head = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    deltas = [{"index": choice, "delta": {"content": text}, "finish_reason": None} for text in texts]
    ends = [{"index": choice, "delta": {}, "finish_reason": reason}] if reason else []
    return ScriptedReply(chunks=[{**head, "choices": [each]} for each in (*deltas, *ends)])


def whole(text: str) -> Any:
    """A step of a script that says the text in one piece."""
    return lambda _: pieces(text)
