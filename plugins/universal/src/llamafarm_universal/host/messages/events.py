"""What the engine host answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llamafarm_universal.host.messages.commands import ModelRef


@dataclass(frozen=True)
class Ready:
    """device: where models go by default. details: its name, memory in bytes, library versions."""

    device: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadProgress:
    """done and total: bytes of all files, while downloading. file: the one that comes now, the index-th of count."""

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
    """What is known of a loaded model. engine: which one executes it. context_length: tokens."""

    ref: ModelRef
    engine: str
    device: str
    dtype: str
    parameters: int
    memory_bytes: int
    context_length: int | None = None
    dimensions: int | None = None
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Loaded:
    request_id: str
    model: LoadedModel


@dataclass(frozen=True)
class Models:
    """All models that are loaded now."""

    loaded: tuple[LoadedModel, ...]


@dataclass(frozen=True)
class Accepted:
    """The prompt fits and is queued: from here on the answer is a stream. prompt_tokens: of all inputs together."""

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


@dataclass(frozen=True)
class Piece:
    """Text that the index-th sequence went on with; it may be empty where only logprobs are reported."""

    request_id: str
    index: int
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Finished:
    """The index-th sequence has ended. completion_tokens: its own."""

    request_id: str
    index: int
    reason: Literal["stop", "length"]
    completion_tokens: int


@dataclass(frozen=True)
class Counted:
    """prompt_tokens: what Accepted would say of the same prompt, were it short enough."""

    request_id: str
    prompt_tokens: int


@dataclass(frozen=True)
class Embedded:
    """vectors: one for each input, little-endian float32 bytes. prompt_tokens: of all inputs together."""

    request_id: str
    vectors: tuple[bytes, ...]
    prompt_tokens: int


@dataclass(frozen=True)
class Unloaded:
    request_id: str


@dataclass(frozen=True)
class Pulled:
    """The model's files are there. fetched: whether anything had to be downloaded. size_bytes: of all its files."""

    request_id: str
    fetched: bool
    size_bytes: int


@dataclass(frozen=True)
class Removed:
    """freed_bytes: what the files took."""

    request_id: str
    freed_bytes: int


FailureKind = Literal[
    "model_not_found",
    "not_supported",
    "context_length",
    "invalid_request",
    "load_failed",
    "out_of_memory",
    "busy",
    "in_use",
    "internal",
]


@dataclass(frozen=True)
class Failed:
    """kind: decides the HTTP status. hint: what to do next."""

    request_id: str
    kind: FailureKind
    message: str
    hint: str | None = None
    param: str | None = None


Event = (
    Ready
    | Models
    | LoadProgress
    | Loaded
    | Accepted
    | Piece
    | Finished
    | Counted
    | Embedded
    | Unloaded
    | Pulled
    | Removed
    | Failed
)
