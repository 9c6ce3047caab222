"""Chat completions: request, answer and streamed chunks.

Source: OpenAI's API reference, "Chat completions", with the fields that common servers add.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
"""Why an answer ended."""


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
    """A piece of a tool call: `index` tells the calls of one answer apart, and the arguments grow."""

    index: int
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: NotRequired[FunctionCallDelta]


class Message(TypedDict):
    """One message of a conversation.

    role: `system`, `developer`, `user`, `assistant` or `tool`. content: a text, or parts such as
    `{"type": "image_url", ...}`; null where there are only tool calls. tool_call_id: the call that a tool's message
    answers. reasoning: what the model thought before it answered, where a server tells it apart.

    Source: OpenAI's API reference, "Create chat completion", `messages`; `reasoning` is vLLM's and OpenRouter's.
    """

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
    include_obfuscation: bool


class TextRequest(TypedDict):
    """What every request for a text may hold. A field that is absent and one that is null are different things.

    model: to a handler the model entry's name, to a provider the runtime's own id. max_tokens: tokens of the answer at
    most. temperature: 0 to 2. top_p: 0 to 1. presence_penalty, frequency_penalty: -2 to 2. stop: texts that end the
    answer. n: how many answers.
    """

    model: NotRequired[str]
    stream: NotRequired[bool]
    stream_options: NotRequired[StreamOptions | None]
    temperature: NotRequired[float | None]
    top_p: NotRequired[float | None]
    max_tokens: NotRequired[int | None]
    n: NotRequired[int | None]
    stop: NotRequired[str | list[str] | None]
    seed: NotRequired[int | None]
    presence_penalty: NotRequired[float | None]
    frequency_penalty: NotRequired[float | None]
    logit_bias: NotRequired[dict[str, float] | None]
    user: NotRequired[str | None]


class ChatRequest(TextRequest):
    """What is asked of a chat model. max_completion_tokens: OpenAI's newer name of max_tokens.

    Fields that are not here pass through unchanged, where the provider forwards them.

    Source: OpenAI's API reference, "Create chat completion".
    """

    messages: list[Message]
    max_completion_tokens: NotRequired[int | None]
    logprobs: NotRequired[bool | None]
    top_logprobs: NotRequired[int | None]
    response_format: NotRequired[dict[str, Any] | None]
    tools: NotRequired[list[Tool] | None]
    tool_choice: NotRequired[str | dict[str, Any] | None]
    parallel_tool_calls: NotRequired[bool | None]
    reasoning_effort: NotRequired[str | None]
    metadata: NotRequired[dict[str, str] | None]
    store: NotRequired[bool | None]


class PromptTokensDetails(TypedDict):
    """Of the tokens of a prompt."""

    cached_tokens: int


class Usage(TypedDict):
    """Token counts of one request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: NotRequired[PromptTokensDetails]


class Choice(TypedDict):
    """One of the answers to a request."""

    index: int
    message: Message
    finish_reason: FinishReason | None
    logprobs: NotRequired[dict[str, Any] | None]


class ChatCompletion(TypedDict):
    """A whole chat answer.

    Source: OpenAI's API reference, "The chat completion object".
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    """Seconds since 1970."""
    model: str
    choices: list[Choice]
    usage: NotRequired[Usage | None]
    system_fingerprint: NotRequired[str | None]


class Delta(TypedDict, total=False):
    """What a chunk adds to the message of its choice."""

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
    """One piece of a streamed chat answer; the pieces of one answer have the same `id`.

    The first delta of a choice has the role, its last chunk the finish reason. usage: on one last chunk without
    choices, where the request has `stream_options: {"include_usage": true}`.

    Source: OpenAI's API reference, "The chat completion chunk object".
    """

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    """Seconds since 1970."""
    model: str
    choices: list[ChunkChoice]
    """Empty on the last chunk of a stream that carries `usage`."""
    usage: NotRequired[Usage | None]


def media_kinds(request: Mapping[str, Any]) -> set[str]:
    """What the messages of a request hold beside texts: `image`, `audio`, `video`."""
    contents = [message.get("content") for message in request["messages"]]
    types = {str(part.get("type")) for content in contents if isinstance(content, list) for part in content}
    return {kind for kind in ("image", "audio", "video") if any(kind in name for name in types)}
