"""What an author says of an agent handler, and the places that the contract tries it in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
from llamafarm import AgentHandlerSpec, Reply
from llamafarm.config.load import load_project
from llamafarm.gateway import Context, Gateway
from llamafarm.handlers.link import Link
from llamafarm.handlers.select import build_link
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm.sessions import SessionStore
from llamafarm.wire import CHAT
from pydantic import TypeAdapter

from llamafarm_kit.testing.bench import Bench, Model
from llamafarm_kit.testing.contract import Contract
from llamafarm_kit.testing.examples import values
from llamafarm_kit.testing.scripted import ScriptedPlugins


@dataclass(frozen=True)
class Road:
    """The whole road to the model: gateway, handler chain, sessions."""

    gateway: Gateway
    sessions: SessionStore
    project: Project
    model: Model
    fields: Mapping[str, Any] = field(default_factory=dict)

    async def ask(self, question: str, *, session: str | None = None, **fields: Any) -> Reply:
        """Send one request, as the API and the command line do."""
        request = {"messages": [{"role": "user", "content": question}], **self.fields, **fields}
        reply: Any = await self.gateway.ask(self.project, CHAT, request, Context("request-1", session=session))
        return reply  # type: ignore[no-any-return]

    async def history(self, session: str) -> list[Any]:
        """What the session keeps."""
        return [*await (await self.sessions.of(self.project.identity).open(session)).history()]


class HandlerCase(Contract):
    """An agent handler as its author describes it; see AgentHandlerContract."""

    handler: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    config: ClassVar[Mapping[str, Any]] = {}
    files: ClassVar[Mapping[str, str]] = {}
    fields: ClassVar[Mapping[str, Any]] = {}
    sends: ClassVar[Mapping[str, Any]] = {}
    question: ClassVar[str] = "How are the cows today?"
    changes: ClassVar[str | None] = None
    patience: ClassVar[float] = 20.0

    pytestmark = pytest.mark.anyio

    @property
    def spec(self) -> AgentHandlerSpec:
        """The handler's record, from the plugin that is installed."""
        return _installed().agent_handler(self.handler)

    def answer(self, request: Mapping[str, Any]) -> str:
        """What the model says to a request: by default what it was asked last."""
        return str(request["messages"][-1]["content"])

    @pytest.fixture
    def project(self, tmp_path: Path) -> Project:
        """A project with one model entry that goes through the handler."""
        return self.load(tmp_path, self.options)

    @pytest.fixture
    async def bench(self, project: Project) -> AsyncIterator[Bench]:
        """The handler by itself, started, and closed at the end."""
        link = self.link(project)
        await link.start()
        yield self.bench_of(link, project)
        await link.aclose()

    def bench_of(self, link: Link, project: Project) -> Bench:
        """The place where a handler is tried, once it has been started."""
        sent = {name: TypeAdapter(self.spec.fields[name]).validate_python(value) for name, value in self.sends.items()}
        return Bench(link.handler, project, self.question, self.answer, self.patience, sent)

    def link(self, project: Project) -> Link:
        """The handler, built from its options for the entry of the project."""
        return build_link(self.spec.name, project, project.entry(), self.plugins())

    @pytest.fixture
    async def road(self, project: Project, tmp_path: Path) -> AsyncIterator[Road]:
        """The handler in its place, between a request and a model."""
        model = Model(self.answer)
        sessions = SessionStore(tmp_path / "sessions.db")
        gateway = Gateway(self.plugins(model), sessions=sessions)
        yield Road(gateway, sessions, project, model, self.sends)
        await gateway.aclose()

    def plugins(self, model: Model | None = None) -> Any:
        """What is installed, and the provider `scripted` with the model behind it."""
        provider = (model or Model()).provider
        return ScriptedPlugins(provider, handlers=(self.spec,), installed=_installed())

    def load(self, folder: Path, options: Mapping[str, Any]) -> Project:
        """Read a llamafarm.yaml with these options. Raises ConfigError."""
        name = self.spec.name
        entry = {"name": "cow", "provider": "scripted", "model": "scripted-cow", "handler": [name]}
        content = {"runtime": {"models": [entry]}, **({"handlers": {name: options}} if options else {}), **self.config}
        for file, text in self.files.items():
            (folder / file).write_text(text, encoding="utf-8")
        path = folder / "llamafarm.yaml"
        path.write_text(json.dumps(content), encoding="utf-8")
        return load_project(path, self.plugins())

    def example_fields(self) -> dict[str, Any]:
        """A value for each of the handler's request fields: the author's, or one that its type allows."""
        made = {name: _example(kind) for name, kind in self.spec.fields.items() if name not in self.fields}
        return {**made, **self.fields}


@cache
def _installed() -> PluginManager:
    """The plugins that are installed: looking for them takes longer than most tests."""
    return PluginManager()


def _example(kind: Any) -> Any:
    schema = TypeAdapter(kind).json_schema()
    return values(schema, schema.get("$defs", {}))[0]
