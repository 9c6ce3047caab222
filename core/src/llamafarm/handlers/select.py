"""Which agent handlers a model entry's conversations go through.

The first of these that says something decides:

1. `handler` of the model entry
2. `prompt_format` of the model entry: `structured` means the handler `structured`, `unstructured` means `simple`
3. `handler` of the project
4. `simple`

The first handler of a chain is the outermost: it sees the conversation as the client sent it, and the answer last.
`simple` is put first unless the chain names it, so that prompts apply exactly once and the session keeps what the user
wrote and what the user got, not what the other handlers said to the model in between. A chain that names `simple`
itself decides where it stands; every handler before it then sees the conversation without prompts and history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import TypeAdapter

from llamafarm.errors import ConfigError, PluginError
from llamafarm.handlers.base import AgentHandler
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.records import AgentHandlerSpec

SIMPLE = "simple"
BY_PROMPT_FORMAT = {"structured": ("structured",), "unstructured": (SIMPLE,)}


class HandlerSource(Protocol):
    """The part of the plugin manager that is needed here."""

    def agent_handler(self, name: str) -> AgentHandlerSpec: ...

    def agent_handlers(self) -> dict[str, AgentHandlerSpec]: ...


@dataclass(frozen=True)
class Link:
    """One handler of a chain, built. fields: what validates the request fields that are its own."""

    name: str
    handler: AgentHandler
    fields: Mapping[str, TypeAdapter[Any]]


def chain_names(project: Project, entry: ModelEntry) -> tuple[str, ...]:
    """The names of the chain, the outermost first. Raises ConfigError for a handler that is named twice."""
    names, origin = _chosen(project, entry)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"{origin} names the agent handler {twice!r} twice.", hint="Each handler runs once in a chain."
        )
    return names if SIMPLE in names else (SIMPLE, *names)


def build_chain(project: Project, entry: ModelEntry, plugins: HandlerSource) -> tuple[Link, ...]:
    """The chain of one entry, built.

    Raises ConfigError as `chain_names` does, and PluginError for a handler that is not installed or does not work.
    """
    return tuple(_link(name, project, entry, plugins) for name in chain_names(project, entry))


def _chosen(project: Project, entry: ModelEntry) -> tuple[tuple[str, ...], str]:
    """The names that the configuration gives, and which part of it gives them."""
    if entry.handlers:
        return entry.handlers, f"`handler` of the model entry {entry.name!r}"
    if entry.prompt_format:
        origin = f"`prompt_format: {entry.prompt_format}` of the model entry {entry.name!r}"
        return BY_PROMPT_FORMAT[entry.prompt_format], origin
    if project.handler:
        return project.handler, f"`handler` of the project {project.name!r}"
    return (SIMPLE,), "The default"


def _link(name: str, project: Project, entry: ModelEntry, plugins: HandlerSource) -> Link:
    try:
        spec = plugins.agent_handler(name)
    except PluginError as error:
        raise _explained(error, name, _chosen(project, entry)[1], plugins) from error
    options = project.handler_options.get(name)
    if options is None and spec.options is not None:
        options = spec.options()
    try:
        fields = {field: TypeAdapter(kind) for field, kind in spec.fields.items()}
        return Link(name, spec.build(options), fields)
    except Exception as error:
        raise PluginError(f"The agent handler {name!r} cannot be built: {type(error).__name__}: {error}") from error


def _explained(error: PluginError, name: str, origin: str, plugins: HandlerSource) -> PluginError:
    """The manager's error, with who asked for the handler, what is missing, and which ones there are."""
    available = f"Agent handlers that are installed: {', '.join(sorted(plugins.agent_handlers()))}."
    hint = "\n".join(filter(None, [error.hint, available]))
    return PluginError(f"{origin} needs the agent handler {name!r}. {error.message}", hint=hint)
