"""The provider contract: what surrounds a request (`Call`), and the methods that answer it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from llamafarm.providers.content import Content
from llamafarm.providers.entry import InstructorMode, ModelEntry, Timeouts
from llamafarm.wire.chat import ChatRequest
from llamafarm.wire.operations import OPERATIONS, Operation


def shown(url: str) -> str:
    """Return `url` as people may see it: without the user and the password that it may hold."""
    return re.sub(r"(?<=://)[^/]*@", "", url, count=1)


@dataclass(frozen=True)
class Endpoint:
    """One address of one runtime with its credentials: what connections are pooled by.

    base_url: normalised, without a final slash; messages show `address`. headers: sent with every request.
    """

    provider: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeouts: Timeouts = field(default_factory=lambda: Timeouts())

    def __post_init__(self) -> None:
        key = (self.api_key or "").strip()  # files with secrets end with a line end
        object.__setattr__(self, "api_key", key or None)

    @property
    def address(self) -> str:
        """Its URL as people may see it: without the user and the password that it may hold."""
        return shown(self.base_url)

    def named(self, model: str | None) -> str:
        """How messages name who was asked: the provider, and the model where one was asked for."""
        return f"{self.provider} (model {model})" if model else self.provider


Stage = Literal["starting", "downloading", "loading", "ready"]


@dataclass(frozen=True)
class Progress:
    """What is happening before the first token.

    done, total: bytes where the stage is `downloading`, of all files where the runtime tells, else of this one. file:
    what is being downloaded now; it is the `index`th, counted from 1, of `count`.
    """

    stage: Stage
    text: str
    done: int | None = None
    total: int | None = None
    file: str | None = None
    index: int | None = None
    count: int | None = None


def ignore_progress(progress: Progress) -> None:
    """The listener of those who do not watch."""


@dataclass(frozen=True)
class Call:
    """What surrounds one request to a provider.

    entry: the model entry that was chosen. request_id: ours, never the client's. deadline: on the event loop's clock,
    in seconds; None is no limit. progress: told what happens before the answer begins; it must return at once. trace:
    headers that tie the runtime's own records to this request. headers: those of the answer to the client; the provider
    adds what the runtime says to it, such as its limits. files_url: where the client gets files that the entry's
    runtime keeps, each under its name below it; None where there is no API in front of the runtime.
    """

    entry: ModelEntry
    request_id: str
    deadline: float | None = None
    progress: Callable[[Progress], None] = ignore_progress
    trace: Mapping[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    files_url: str | None = None


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model; None is unknown, never a guess.

    id: the runtime's own. features: names such as `chat`, `tools`, `vision`, `embeddings`, which people read.
    context_length: tokens. size_bytes: of its files. loaded: whether it is in memory now; memory_bytes: how much of it
    it takes there. downloaded: whether its files are where the runtime is. structured: by which mode its answers are
    held best to a schema; `json_schema` says that the runtime itself holds them. details: whatever else the runtime
    says, for people to read; `problem`: why it cannot be loaded.
    """

    id: str
    features: frozenset[str] | None = None
    context_length: int | None = None
    size_bytes: int | None = None
    loaded: bool | None = None
    memory_bytes: int | None = None
    downloaded: bool | None = None
    structured: InstructorMode | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """Whether a runtime answers. detail: its own words, or why not. latency: seconds."""

    ok: bool
    detail: str = ""
    version: str | None = None
    latency: float | None = None


class Provider(Protocol):
    """Talks to one endpoint. For each operation that it can do it also has that operation's method.

    `chat(request: ChatRequest, call: Call) -> Reply`, `embed(request: EmbeddingRequest, call: Call) ->
    EmbeddingResponse`, and so on: the operation table names them and what they return. Where the runtime's models can
    be fetched and deleted, it has `pull` and `remove`. One object serves all requests to the endpoint, many at once.
    What goes wrong at the runtime is raised as a ProviderError; nothing else is.
    """

    async def describe(self, model: str) -> ModelInfo:
        """What the runtime says of one model. Raises ModelNotFound, and ProviderError as the operations do."""

    async def list_models(self) -> list[ModelInfo]:
        """The models that the runtime has. Raises ProviderError."""

    async def health(self) -> Health:
        """Whether the runtime answers now; never raises for one that does not."""

    async def aclose(self) -> None:
        """Close all connections; calling twice does nothing."""


@runtime_checkable
class Pulls(Protocol):
    """A provider whose runtime can fetch models."""

    async def pull(self, call: Call) -> None:
        """Have the runtime fetch the model of `call.entry`, telling `call.progress`.

        One that was cut off goes on where it was; cancelling ends the runtime's work and leaves nothing broken. Raises
        ModelNotFound, and ProviderError.
        """


@runtime_checkable
class Removes(Protocol):
    """A provider whose runtime can delete models."""

    async def remove(self, call: Call) -> None:
        """Delete the files of the model of `call.entry` at the runtime. Raises ModelNotFound, and ProviderError."""


@runtime_checkable
class DescribesEntries(Protocol):
    """A provider that knows what the settings of an entry make of its model: a revision, an adapter."""

    async def describe_entry(self, entry: ModelEntry) -> ModelInfo:
        """What the runtime says of the model of an entry. Raises ModelNotFound, and ProviderError."""


async def described(provider: Provider, entry: ModelEntry) -> ModelInfo:
    """What the runtime says of the model of an entry. Raises ModelNotFound, and ProviderError."""
    if isinstance(provider, DescribesEntries):
        return await provider.describe_entry(entry)
    return await provider.describe(entry.model)


@runtime_checkable
class CountsTokens(Protocol):
    """A provider whose runtime can say how many tokens a conversation has."""

    async def count_tokens(self, request: ChatRequest, call: Call) -> int:
        """How many tokens the model of `call.entry` would read for this request. Raises ProviderError."""


@runtime_checkable
class CountsTextTokens(Protocol):
    """A provider whose runtime can say how many tokens texts have, as a model for embeddings reads them."""

    async def count_text_tokens(self, texts: Sequence[str], call: Call) -> list[int]:
        """How many tokens each text is to the model of `call.entry`, the special ones that it adds left out.

        Texts may be many thousands, empty, and longer than the model reads. Raises ProviderError.
        """


@runtime_checkable
class KeepsFiles(Protocol):
    """A provider whose runtime keeps files for a while, such as pictures whose address was asked for."""

    async def file(self, name: str, call: Call) -> Content:
        """A file that the runtime keeps. Raises UpstreamError (404) for one that it does not, and ProviderError."""


def operations(provider: type[Any] | Provider) -> tuple[Operation, ...]:
    """The operations that a provider can do: those whose method it has."""
    return tuple(row for row in OPERATIONS if callable(getattr(provider, row.method, None)))
