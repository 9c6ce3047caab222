"""Chat completions: request, answer and streamed chunks.

Source: OpenAI's API reference, "Chat completions", with the fields that common servers add.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class FunctionCall(TypedDict):
    name: str
    arguments: str
    """A JSON text, as the model wrote it."""


class ToolCall(TypedDict):
    id: str
    type: Literal["function"]
    function: FunctionCall


class FunctionCallDelta(TypedDict, total=False):
    name: str
    arguments: str


class ToolCallDelta(TypedDict):
    index: int
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: NotRequired[FunctionCallDelta]


class Message(TypedDict):
    role: str
    content: NotRequired[str | list[dict[str, Any]] | None]
    name: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    tool_call_id: NotRequired[str]
    refusal: NotRequired[str | None]
    reasoning: NotRequired[str | None]


class Tool(TypedDict):
    type: Literal["function"]
    function: dict[str, Any]
    """`name`, `description`, `parameters` (a JSON Schema), `strict`."""


class StreamOptions(TypedDict, total=False):
    include_usage: bool


class ChatRequest(TypedDict):
    messages: list[Message]
    model: NotRequired[str]
    stream: NotRequired[bool]
    stream_options: NotRequired[StreamOptions | None]
    temperature: NotRequired[float | None]
    top_p: NotRequired[float | None]
    max_tokens: NotRequired[int | None]
    max_completion_tokens: NotRequired[int | None]
    n: NotRequired[int | None]
    stop: NotRequired[str | list[str] | None]
    seed: NotRequired[int | None]
    presence_penalty: NotRequired[float | None]
    frequency_penalty: NotRequired[float | None]
    logit_bias: NotRequired[dict[str, float] | None]
    logprobs: NotRequired[bool | None]
    top_logprobs: NotRequired[int | None]
    response_format: NotRequired[dict[str, Any] | None]
    tools: NotRequired[list[Tool] | None]
    tool_choice: NotRequired[str | dict[str, Any] | None]
    parallel_tool_calls: NotRequired[bool | None]
    reasoning_effort: NotRequired[str | None]
    user: NotRequired[str | None]
    metadata: NotRequired[dict[str, str] | None]
    store: NotRequired[bool | None]


class Usage(TypedDict):
    """Token counts of one request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Choice(TypedDict):
    index: int
    message: Message
    finish_reason: FinishReason | None
    logprobs: NotRequired[dict[str, Any] | None]


class ChatCompletion(TypedDict):
    id: str
    object: Literal["chat.completion"]
    created: int
    """Seconds since 1970."""
    model: str
    choices: list[Choice]
    usage: NotRequired[Usage | None]
    system_fingerprint: NotRequired[str | None]


class Delta(TypedDict, total=False):
    role: str
    content: str | None
    tool_calls: list[ToolCallDelta]
    refusal: str | None
    reasoning: str | None


class ChunkChoice(TypedDict):
    index: int
    delta: Delta
    finish_reason: FinishReason | None
    logprobs: NotRequired[dict[str, Any] | None]


class ChatChunk(TypedDict):
    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    """Empty on the last chunk of a stream that carries `usage`."""
    usage: NotRequired[Usage | None]
