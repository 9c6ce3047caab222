"""POST /v1/chat/completions, and the length of its prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from llamafarm.web import EventStream, json_answer
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import Blob, ChatPrompt, Count, ModelRef
from llamafarm_universal.server.caller import caller_of
from llamafarm_universal.server.chat_answer import Answer, frames, whole
from llamafarm_universal.server.encoding import finished
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.generation import generate
from llamafarm_universal.server.media import media_spooled
from llamafarm_universal.server.parts import check_taken, sources_in, without_sources
from llamafarm_universal.server.sampling import chat_sampling, check_stream_options
from llamafarm_universal.server.structure import structure_of, tool_choice_of


async def chat(request: Request, parsed: Parsed) -> Response:
    check_stream_options(parsed)
    runtime, caller = runtime_of(request), caller_of(request)
    ref = runtime.handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    async with _prompt_of(request, parsed, ref) as prompt:  # what is accepted has been read: its files can go
        generation = await generate(
            runtime,
            caller,
            ref,
            (prompt,),
            chat_sampling(parsed),
            parsed.get("n", 1),
            parallel_tool_calls=parsed.get("parallel_tool_calls", True),
            structure=structure_of(parsed),
        )
    answer = Answer(generation, f"chatcmpl-{caller.request_id}", runtime.handles.label(ref))
    if not parsed.get("stream"):
        try:
            return json_answer(await whole(answer), headers=ignored_header(parsed))
        finally:
            generation.close()
    return EventStream(
        frames(answer, include_usage=parsed.get("stream_options", {}).get("include_usage", False)),
        close=generation.close,
        keep_alive=runtime.settings.keep_alive_seconds,
        headers=ignored_header(parsed),
    )


async def count(request: Request, parsed: Parsed) -> Response:
    """POST /v1/chat/completions/input_tokens: how many tokens the prompt of this very request has.

    Source of the route and of its answer: llama.cpp's server, which has them after OpenAI's for responses.
    """
    runtime = runtime_of(request)
    ref = runtime.handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    async with _prompt_of(request, parsed, ref) as prompt:
        event = await finished(request, ref, Count(prompt))
    return json_answer({"object": "chat.completion.input_tokens", "input_tokens": event.usage.prompt_tokens})


@asynccontextmanager
async def _prompt_of(request: Request, parsed: Parsed, ref: ModelRef) -> AsyncIterator[ChatPrompt]:
    """The prompt of a request, with its pictures and sounds in the spool until the end.

    Raises LlamaFarmError for one that cannot be had, or that a loaded model does not take.
    """
    prompt = chat_prompt(parsed)
    sources = [source for message in prompt.messages for source in sources_in(message)]
    if not sources:
        yield prompt
        return
    check_taken(prompt.messages, runtime_of(request).residency.find(ref))
    async with media_spooled(request, sources) as (media, folder):
        blobs = tuple(blob for blob in media if isinstance(blob, Blob))
        yield replace(prompt, messages=without_sources(prompt.messages), media=blobs, folder=folder)


def chat_prompt(parsed: Parsed) -> ChatPrompt:
    """What the chat template gets to see of a request, and which of its tools may be called.

    The parts of messages that are no texts still have their sources.
    """
    tools = () if parsed.get("tool_choice") == "none" else tuple(map(_shown, parsed.get("tools", ())))
    options = parsed.get("chat_template_kwargs", {})
    return ChatPrompt(parsed.values["messages"], tools, options, tool_choice_of(parsed))


def _shown(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool as models know it: `strict` is for this server."""
    return {**tool, "function": {name: item for name, item in tool["function"].items() if name != "strict"}}
