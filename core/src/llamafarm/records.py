"""The records that hooks return: types and functions, never live objects, so that registering costs nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel
    from starlette.requests import Request
    from starlette.responses import Response

    from llamafarm.farm.farm import Farm
    from llamafarm.handlers.base import AgentHandler
    from llamafarm.handlers.tool_sources import ToolSource
    from llamafarm.project import Project
    from llamafarm.providers.base import Endpoint, Provider
    from llamafarm.providers.entry import ModelEntry
    from llamafarm.providers.parameters import Parameters
    from llamafarm.services.base import Service
    from llamafarm.wire.operations import Operation

KeyPath = tuple[str | int, ...]
"""Where something stands: `("databases", 0, "name")`."""


@dataclass(frozen=True)
class ProviderSpec:
    """A provider: how its entries look, and how to reach the runtime behind one.

    name: what `provider` of a model entry says. summary: one line, for lists. entry: the schema of its model entries,
    with `extra="forbid"`. endpoint: what the connections of an entry are pooled by. connect: makes the client; it
    imports what it needs inside. service: the runtime's service, or None where the entry's address is not one that
    LlamaFarm may start. parameters: what it does with each field of a request; None means that everything is sent as
    it is. foreseen: what the runtime of an entry will do with them beside, as far as is known without asking it; the
    parameters of the entry are held to it when llamafarm.yaml is read. at_hand: the name of a model that is for an
    operation and on this machine already, a small one first; None where there is none. It fetches nothing.
    """

    name: str
    summary: str
    entry: type[ModelEntry]
    endpoint: Callable[[Any], Endpoint]
    connect: Callable[[Endpoint], Provider]
    service: Callable[[Any], Service | None] | None = None
    parameters: Parameters | None = None
    foreseen: Callable[[Any], Parameters] | None = None
    at_hand: Callable[[Operation], str | None] | None = None


@dataclass(frozen=True)
class ChatFlag:
    """An option of `lf chat` that sets a request field of an agent handler.

    flag: as it is typed, such as `--rag-top-k`. field: the request field, one of the handler's. help: one line.
    metavar: what stands for its value in the help. value: what a flag that takes no value sets the field to; None means
    that it takes one, of the field's type.
    """

    flag: str
    field: str
    help: str
    metavar: str = "VALUE"
    value: bool | int | str | None = None


@dataclass(frozen=True)
class AgentHandlerSpec:
    """An agent handler: what it is called, and how one is made.

    name: what `handler` in llamafarm.yaml says. summary: one line, for lists. build: makes one from its validated
    options (None where it has no options model), once for each model entry. options: the pydantic model of its options
    in llamafarm.yaml, with `extra="forbid"`. fields: the request fields that are its own, each with the type that
    pydantic validates it by; they are taken out of the body before a provider sees it. check: says, from its options,
    the project and a model entry that goes through it, what it needs and they lack; each text is an error of
    llamafarm.yaml at that entry. flags: the options of `lf chat` that set its fields.
    """

    name: str
    summary: str
    build: Callable[[Any], AgentHandler]
    options: type[BaseModel] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Any, Project, ModelEntry], Iterable[str]] | None = None
    flags: tuple[ChatFlag, ...] = ()


@dataclass(frozen=True)
class ToolSourceSpec:
    """A kind of tool source: where tools come from that LlamaFarm itself calls.

    name: what the kind is called, for lists. summary: one line, for lists. names: the sources of this kind that a
    project declares, which no other source of the project may be called. connect: makes one of them; it opens nothing
    and imports what it needs inside.
    """

    name: str
    summary: str
    names: Callable[[Project], Iterable[str]]
    connect: Callable[[Project, str], ToolSource]


@dataclass(frozen=True)
class RouteSpec:
    """A route of the API.

    path: such as `/acme/cows/{name}`, below `/v1` and below `/v1/projects/{namespace}/{project}`; the last parameter
    may take all the rest, `{name:path}`. methods: of HTTP. summary: one line, for lists. endpoint: answers a request
    with a response of starlette, for a project that is open; it imports what it needs inside. scope: who may ask.
    `public`: anybody, without a key; `use`: who may ask models; `admin`: who may change what the server keeps.
    """

    path: str
    methods: tuple[str, ...]
    summary: str
    endpoint: Callable[[Request, Farm], Awaitable[Response]]
    scope: Literal["public", "use", "admin"] = "use"

    @property
    def name(self) -> str:
        """How messages and lists call it, such as `GET /acme/cows/{name}`."""
        return f"{', '.join(self.methods)} {self.path}"


@dataclass(frozen=True)
class Section:
    """A top-level section of llamafarm.yaml; a handler finds it, validated, in `turn.project.sections[key]`."""

    key: str


@dataclass(frozen=True)
class EntryBlock:
    """A block of a model entry; provider=None: of every provider's entries.

    Whoever reads it finds it, validated, in `entry.blocks[key]`.
    """

    key: str
    provider: str | None = None


AtHand = Callable[["Operation"], tuple[str, str] | None]
"""The provider and the name of a model that is for an operation and on this machine already."""


@dataclass(frozen=True)
class Example:
    """What `lf init` writes for a section that is asked for, by an option of its key.

    text: lines of llamafarm.yaml that work as they are, the section's own among them. try_it: the commands that come
    next. remark: what is to be known before they are typed.
    """

    text: str
    try_it: tuple[str, ...] = ()
    remark: str | None = None


@dataclass(frozen=True)
class ConfigFragment:
    """A pydantic model (with `extra="forbid"`, or a RootModel) that a plugin adds to the schema of llamafarm.yaml.

    at: where it stands. The others are for sections alone. entries: from the validated section and the model entries of
    the file, the fields of entries that come with the section, each with the path in it that mistakes are told at; they
    are entries of the project like those of `runtime.models`, and nobody's default. check: from the section and the
    project, what the section needs of the rest of the file and lacks, each with its path in the section; each is an
    error of llamafarm.yaml. example: what `lf init` writes
    where the section is asked for, on a machine with these models.
    """

    at: Section | EntryBlock
    model: type[BaseModel]
    entries: Callable[[Any, Sequence[ModelEntry]], Iterable[tuple[KeyPath, Mapping[str, Any]]]] | None = None
    check: Callable[[Any, Project], Iterable[tuple[KeyPath, str]]] | None = None
    example: Callable[[AtHand], Example] | None = None
