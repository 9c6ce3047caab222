"""Which agent handlers a model entry's conversations go through.

The first of these that says something decides:

1. what the operator chooses (`lf chat --handler`), or `handler` of the request, where `allow_handlers` of the model
   entry names all of them
2. `handler` of the model entry
3. `prompt_format` of the model entry: `structured` means the handler `structured`, `unstructured` means `simple`
4. `handler` of the project
5. `simple`

The first handler of a chain is the outermost: it sees the conversation as the client sent it, and the answer last.
`simple` is put first unless the chain names it, so that prompts apply exactly once and the session keeps what the user
wrote and what the user got, not what the other handlers said to the model in between. A chain that names `simple`
itself decides where it stands; every handler before it then sees the conversation without prompts and history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, TypeAdapter, ValidationError

from llamafarm.errors import ConfigError, PluginError, RequestError
from llamafarm.handlers.link import Link
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.records import AgentHandlerSpec

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

SIMPLE = "simple"
BY_PROMPT_FORMAT = {"structured": ("structured",), "unstructured": (SIMPLE,)}


def chain_names(
    project: Project, entry: ModelEntry, wanted: tuple[str, ...] = (), *, by_operator: bool = False
) -> tuple[str, ...]:
    """The names of the chain, the outermost first. wanted: those that a request chooses, or the operator, who may all.

    Raises RequestError for one that the entry does not allow, and ConfigError for a handler that is named twice.
    """
    names, origin = _chosen(project, entry)
    if wanted and wanted != names:
        if not by_operator:
            _check_allowed(wanted, names, entry)
        names, origin = wanted, "`handler` of the request"
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"{origin} names the agent handler {twice!r} twice.", hint="Each handler runs once in a chain."
        )
    return names if SIMPLE in names else (SIMPLE, *names)


def build_link(name: str, project: Project, entry: ModelEntry, plugins: PluginManager) -> Link:
    """One handler of an entry, built from its options.

    Raises PluginError for one that is not installed or does not work, and ConfigError for what it needs and has not.
    """
    try:
        spec = plugins.agent_handler(name)
    except PluginError as error:
        raise _explained(error, name, _chosen(project, entry), plugins) from error
    try:
        fields = {field: TypeAdapter(kind) for field, kind in spec.fields.items()}
        return Link(name, spec.build(_able_options(spec, project, entry)), fields)
    except ConfigError:
        raise
    except Exception as error:
        raise PluginError(f"The agent handler {name!r} cannot be built: {type(error).__name__}: {error}") from error


def options_for(spec: AgentHandlerSpec, project: Project, entry: ModelEntry) -> BaseModel | None:
    """What a handler of an entry is built from: the options of llamafarm.yaml, else their defaults, if it has any."""
    options = project.options_of(entry, spec.name)
    return spec.options() if options is None and spec.options is not None else options


def _able_options(spec: AgentHandlerSpec, project: Project, entry: ModelEntry) -> BaseModel | None:
    """The options of a handler that has what it needs. Raises ConfigError: of one just chosen nobody has told."""
    try:
        options = options_for(spec, project, entry)
    except ValidationError:
        hint = f"Write them in `handlers.{spec.name}` of llamafarm.yaml."
        raise ConfigError(f"The agent handler {spec.name!r} needs options.", hint=hint) from None
    for lack in spec.check(options, project, entry) if spec.check else ():
        raise ConfigError(f"The agent handler {spec.name!r} cannot work with the model {entry.name!r}: {lack}")
    return options


def check_fields(chain: tuple[Link, ...], entry: ModelEntry) -> None:
    """Raise ConfigError where two handlers of one chain take the same field of a request."""
    owners: dict[str, str] = {}
    for link in chain:
        for field in link.fields:
            if (other := owners.setdefault(field, link.name)) != link.name:
                raise ConfigError(
                    f"The agent handlers {other!r} and {link.name!r} of the model entry {entry.name!r} both take the "
                    f"field {field!r} of a request.",
                    hint="One chain can have only one of them.",
                )


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


def _check_allowed(wanted: tuple[str, ...], own: tuple[str, ...], entry: ModelEntry) -> None:
    allowed = {*entry.allow_handlers, *own}
    if foreign := [name for name in wanted if name not in allowed]:
        raise RequestError(
            f"The model entry {entry.name!r} does not let a request choose the agent handler {foreign[0]!r}.",
            hint=f"It allows: {', '.join(sorted(allowed))}. `allow_handlers` of the entry names them.",
            code="handler_not_allowed",
            param="handler",
        )


def _explained(
    error: PluginError, name: str, chosen: tuple[tuple[str, ...], str], plugins: PluginManager
) -> PluginError:
    """The manager's error, with what in llamafarm.yaml asked for the handler, what is missing, and which there are."""
    names, origin = chosen
    needed = f"{origin} needs the agent handler {name!r}. " if name in names else ""
    available = f"Agent handlers that are installed: {', '.join(sorted(plugins.agent_handlers()))}."
    hint = "\n".join(filter(None, [error.hint, available]))
    return PluginError(f"{needed}{error.message}", hint=hint)
