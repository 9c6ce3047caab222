"""What an engine host and the store of models' files answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from llamafarm_universal.messages.blob import Blob
from llamafarm_universal.messages.facts import FileFacts
from llamafarm_universal.messages.machine import Machine
from llamafarm_universal.messages.model import ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.messages.statistics import Stats


@dataclass(frozen=True)
class Ready:
    """device: where models go by default; none of the store. details: its name, memory in bytes, library versions."""

    device: str
    details: Mapping[str, Any] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)


@dataclass(frozen=True)
class LoadProgress:
    """done and total: bytes of all files, while downloading. file: the one that comes now, the index-th of count."""

    is_last: ClassVar[bool] = False

    request_id: str
    stage: Literal["downloading", "loading"]
    text: str
    done: int | None = None
    total: int | None = None
    file: str | None = None
    index: int | None = None
    count: int | None = None


@dataclass(frozen=True)
class LoadedModel:
    """What is known of a loaded model.

    task: what it does. engine: what executes it. operations: the works that it can be given. context_length: tokens.
    features: what users may ask of it. not_applied: settings of its author that change answers elsewhere, and not here.
    likeness: the cosine of a quantised model's answers to those of the same weights with all bits; None for others.
    optimizations: what saves memory while it works, by the names that its library gives it.
    """

    ref: ModelRef
    task: str
    engine: str
    device: str
    dtype: str
    parameters: int
    memory_bytes: int
    operations: frozenset[str] = frozenset()
    context_length: int | None = None
    dimensions: int | None = None
    features: frozenset[str] = frozenset()
    not_applied: tuple[str, ...] = ()
    likeness: float | None = None
    optimizations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    is_last: ClassVar[bool] = True

    request_id: str
    model: LoadedModel


@dataclass(frozen=True)
class Accepted:
    """The prompt fits and is queued: from here on the answer is a stream. prompt_tokens: of all inputs together."""

    is_last: ClassVar[bool] = False

    request_id: str
    prompt_tokens: int
    model: LoadedModel


@dataclass(frozen=True)
class TokenLogprob:
    """One token with the natural logarithm of its probability, and the likeliest alternatives.

    token: the bytes that it adds to the text, which may be no whole character; so are the alternatives told.
    """

    token: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...] = ()


Channel = Literal["text", "reasoning", "tool_call", "arguments"]


@dataclass(frozen=True)
class Piece:
    """Text that the index-th answer went on with; it may be empty where only logprobs are reported.

    channel: what the text is: said; thought; the beginning of a call as a JSON object, its `name` and, as a JSON text,
    of its `arguments` what is there; or how the arguments of the last call go on.
    """

    is_last: ClassVar[bool] = False

    request_id: str
    index: int
    text: str
    channel: Channel = "text"
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far the index-th answer is, where it does not grow as text: done of total steps."""

    is_last: ClassVar[bool] = False

    request_id: str
    index: int
    done: int
    total: int


@dataclass(frozen=True)
class Preview:
    """How the index-th answer looks before it is finished. number: 0 of the first one. value: a picture's file."""

    is_last: ClassVar[bool] = False

    request_id: str
    index: int
    number: int
    value: Blob


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer. cached_tokens: those of the prompt that had been read for an earlier one."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True)
class Finished:
    """The index-th answer has ended. value: what the work asked for where that is no text that grows."""

    is_last: ClassVar[bool] = True

    request_id: str
    index: int = 0
    reason: Literal["stop", "length"] = "stop"
    usage: Usage = field(default_factory=Usage)
    value: Any = None


@dataclass(frozen=True)
class Unloaded:
    is_last: ClassVar[bool] = True

    request_id: str


@dataclass(frozen=True)
class Located:
    """The model's files are there."""

    is_last: ClassVar[bool] = True

    request_id: str
    plan: LoadPlan


@dataclass(frozen=True)
class Pulled:
    """The model's files are there. fetched: whether anything had to be downloaded. size_bytes: of all its files."""

    is_last: ClassVar[bool] = True

    request_id: str
    fetched: bool
    size_bytes: int


@dataclass(frozen=True)
class Stored:
    """What is on the disk of a model. complete: it can be loaded. size_bytes: of its files, partial ones too."""

    complete: bool
    size_bytes: int


@dataclass(frozen=True)
class Described:
    """stored: by the models' ids, of those of which there is anything."""

    is_last: ClassVar[bool] = True

    request_id: str
    stored: Mapping[str, Stored]


@dataclass(frozen=True)
class Inspected:
    """facts: of those models whose files are here."""

    is_last: ClassVar[bool] = True

    request_id: str
    facts: Mapping[ModelRef, FileFacts]


@dataclass(frozen=True)
class Removed:
    """freed_bytes: what the files took."""

    is_last: ClassVar[bool] = True

    request_id: str
    freed_bytes: int


FailureKind = Literal[
    "model_not_found",
    "not_supported",
    "context_length",
    "invalid_request",
    "unsupported_content",
    "too_large",
    "out_of_space",
    "load_failed",
    "out_of_memory",
    "busy",
    "too_late",
    "in_use",
    "internal",
]


@dataclass(frozen=True)
class Failed:
    """kind: decides the HTTP status. hint: what to do next. ends_host: the process that says so ends then."""

    is_last: ClassVar[bool] = True

    request_id: str
    kind: FailureKind
    message: str
    hint: str | None = None
    param: str | None = None
    ends_host: bool = False


HostAnswer = LoadProgress | Loaded | Accepted | Progress | Preview | Piece | Finished | Unloaded | Failed
StoreAnswer = LoadProgress | Located | Pulled | Described | Inspected | Removed | Failed
Answer = HostAnswer | StoreAnswer
"""What belongs to a request. `is_last`: whether the request, or the answer of that index, ends with it."""
Event = Ready | Stats | Answer
