"""Text completions: a prompt in, its continuation out.

Source: OpenAI's API reference, "Completions (legacy)".
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from llamafarm.wire.chat import TextRequest, Usage


class CompletionRequest(TextRequest):
    """A prompt to be continued.

    prompt: a text or its token ids, or a list of either: one answer for each. suffix: what follows the continuation.
    echo: begin the answer with the prompt. best_of: how many are made, of which the `n` best come back. logprobs: of
    how many tokens at each place, 0 to 5.

    Source: OpenAI's API reference, "Create completion (legacy)".
    """

    prompt: str | list[str] | list[int] | list[list[int]]
    suffix: NotRequired[str | None]
    echo: NotRequired[bool | None]
    best_of: NotRequired[int | None]
    logprobs: NotRequired[int | None]


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
