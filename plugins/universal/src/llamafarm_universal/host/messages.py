"""The seam between the server process and the engine host: plain picklable values, no tensors and no OpenAI shapes.

The server sends commands, the host answers each with events that carry the command's `request_id`:

    Load      -> LoadProgress*, Loaded | Failed
    Generate  -> LoadProgress*, Accepted, Piece*, Finished (one for each of `n` sequences) | Failed, at any point
    Embed     -> LoadProgress*, Accepted, Embedded | Failed
    Unload    -> Unloaded | Failed
    Pull      -> LoadProgress*, Pulled | Failed
    Remove    -> Removed | Failed
    Cancel    -> nothing more for that request, and its slot is free within one step
    Stop      -> the host ends

A request's last event is Loaded, Unloaded, Pulled, Removed, Embedded, Failed or its n-th Finished. `Ready` is sent
once, at the start, and `Models` whenever a model has been loaded or has gone, for whatever reason. A `Failed` with an
empty request id in place of `Ready` says why the host cannot start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Device = Literal["auto", "cuda", "mps", "cpu"]
Dtype = Literal["auto", "fp16", "bf16", "fp32"]


@dataclass(frozen=True)
class LoadSettings:
    """What changes how a model is loaded: copies of one model are told apart by these and nothing else.

    model_type: overrides the engine that the model's own configuration asks for (`text`, `embedding`, …).
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    trust_remote_code: bool = False
    model_type: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class ModelRef:
    """A model to use: a Hugging Face id, a local folder, or `package:NAME/FOLDER` inside an installed distribution."""

    id: str
    settings: LoadSettings = field(default_factory=LoadSettings)


@dataclass(frozen=True)
class ChatPrompt:
    """Messages for the model's own chat template; tool calls hold their arguments as objects."""

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    template_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TextPrompt:
    """A text, or token ids, to continue as it stands."""

    text: str | tuple[int, ...]


@dataclass(frozen=True)
class Sampling:
    """How one request chooses its tokens. None: the model's own generation configuration, else the plain default.

    max_tokens: None is as many as the context holds. stop: texts that end the answer and are not part of it.
    seed: makes the sequence repeatable, whatever else runs. logprobs: how many alternatives to report for each token
    (0: the chosen one only), None for none.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = None


@dataclass(frozen=True)
class Load:
    request_id: str
    ref: ModelRef


@dataclass(frozen=True)
class Generate:
    """n: how many sequences; the i-th uses seed + i where a seed is given."""

    request_id: str
    ref: ModelRef
    prompt: ChatPrompt | TextPrompt
    sampling: Sampling = field(default_factory=Sampling)
    n: int = 1


@dataclass(frozen=True)
class Embed:
    """inputs: texts or token ids. dimensions: keep this many and normalise again, where the model allows it."""

    request_id: str
    ref: ModelRef
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None


@dataclass(frozen=True)
class Unload:
    """The model goes once its running requests have ended; a model that is not loaded is a failure."""

    request_id: str
    ref: ModelRef


@dataclass(frozen=True)
class Pull:
    """Have the model's files on this machine, without loading it. Cancelling ends the download; what has come stays."""

    request_id: str
    ref: ModelRef


@dataclass(frozen=True)
class Remove:
    """Delete a hub model's files, in all revisions, once its running requests have ended and it is unloaded.

    From then on cancelling does not stop it. A model that is being loaded or fetched is a failure.
    """

    request_id: str
    model: str


@dataclass(frozen=True)
class Cancel:
    request_id: str


@dataclass(frozen=True)
class Stop:
    pass


Command = Load | Generate | Embed | Unload | Pull | Remove | Cancel | Stop


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
    """One token with the natural logarithm of its probability, and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


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
    | Embedded
    | Unloaded
    | Pulled
    | Removed
    | Failed
)
