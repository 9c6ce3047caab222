"""Text completions: a prompt in, its continuation out.

Source: OpenAI's API reference, "Completions (legacy)".
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from llamafarm.wire.chat import StreamOptions, Usage


class CompletionRequest(TypedDict):
    """A prompt to be continued.

    prompt: a text or its token ids, or a list of either: one answer for each. suffix: what follows the continuation.
    echo: begin the answer with the prompt. best_of: how many are made, of which the `n` best come back. max_tokens:
    tokens of the continuation at most. logprobs: of how many tokens at each place, 0 to 5.

    Source: OpenAI's API reference, "Create completion (legacy)".
    """

    prompt: str | list[str] | list[int] | list[list[int]]
    model: NotRequired[str]
    stream: NotRequired[bool]
    stream_options: NotRequired[StreamOptions | None]
    suffix: NotRequired[str | None]
    echo: NotRequired[bool | None]
    best_of: NotRequired[int | None]
    temperature: NotRequired[float | None]
    top_p: NotRequired[float | None]
    max_tokens: NotRequired[int | None]
    n: NotRequired[int | None]
    stop: NotRequired[str | list[str] | None]
    seed: NotRequired[int | None]
    presence_penalty: NotRequired[float | None]
    frequency_penalty: NotRequired[float | None]
    logit_bias: NotRequired[dict[str, float] | None]
    logprobs: NotRequired[int | None]
    user: NotRequired[str | None]


class CompletionChoice(TypedDict):
    """One of the continuations of a text, or a piece of it."""

    index: int
    text: str
    finish_reason: str | None
    logprobs: NotRequired[dict[str, Any] | None]


class Completion(TypedDict):
    """The answer, and each chunk of a streamed one: both have the same shape."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: NotRequired[Usage | None]
