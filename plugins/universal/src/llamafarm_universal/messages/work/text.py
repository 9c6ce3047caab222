"""Works of text models: a prompt to continue, or to count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


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

    max_tokens: None is as many as the context holds. stop: texts that end the answer and are not part of it;
    stop_token_ids: tokens that do, beside the model's own, which ignore_eos takes for tokens like others. Nothing of
    all that ends the answer before min_tokens. seed: makes the sequence repeatable, whatever else runs. logprobs: how
    many alternatives to report for each token (0: the chosen one only), None for none.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    min_tokens: int | None = None
    seed: int | None = None
    logprobs: int | None = None


@dataclass(frozen=True)
class Generate:
    """Continue a prompt. n: how many sequences; the i-th uses seed + i where a seed is given.

    cache_salt: only requests of the same one share what the model remembers of their beginnings.
    parallel_tool_calls: without them an answer ends with its first call. An answer to a chat is told in channels.
    Each sequence is told in pieces, and ends with a Finished whose usage counts its own tokens.
    """

    operation: ClassVar[str] = "generate"

    prompt: ChatPrompt | TextPrompt
    sampling: Sampling = field(default_factory=Sampling)
    n: int = 1
    parallel_tool_calls: bool = True
    cache_salt: str = ""

    @property
    def answers(self) -> int:
        return self.n


@dataclass(frozen=True)
class Count:
    """Say how many tokens the prompt has, in the usage of the only Finished; the model does not run."""

    operation: ClassVar[str] = "count"
    answers: ClassVar[int] = 1

    prompt: ChatPrompt
