"""What the server asks of the engine host."""

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
class Count:
    """Say how many tokens the prompt has; the model does not run."""

    request_id: str
    ref: ModelRef
    prompt: ChatPrompt


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


Command = Load | Generate | Count | Embed | Unload | Pull | Remove | Cancel | Stop
