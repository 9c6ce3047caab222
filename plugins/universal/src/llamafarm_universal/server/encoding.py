"""What is asked of encoders has one answer, a value: how it is asked for and sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from llamafarm.web import json_answer
from llamafarm.wire import dump
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import Finished, ModelRef, Usage, Work
from llamafarm_universal.server.caller import caller_of
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed


async def answered(request: Request, parsed: Parsed, work: Work, shape: Callable[[Any], dict[str, Any]]) -> Response:
    """Have the model of a request do `work`, and answer with the fields that `shape` makes of its value.

    `model` is added to them, and `usage` where they have none. Raises LlamaFarmError.
    """
    runtime = runtime_of(request)
    ref = runtime.handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    event = await finished(request, ref, work)
    model = runtime.handles.label(ref)
    # In a thread: thousands of vectors as decimal numbers take a second.
    content = await asyncio.to_thread(
        lambda: dump({"usage": _usage(event.usage), **shape(event.value), "model": model})
    )
    return json_answer(content, headers=ignored_header(parsed))


async def finished(request: Request, ref: ModelRef, work: Work) -> Finished:
    """What a model ends a work with that has one answer. Raises LlamaFarmError."""
    ticket = await runtime_of(request).submit(ref, (work,), caller_of(request))
    try:
        while not isinstance(event := await ticket.events.next(), Finished):
            pass
    finally:
        ticket.close()
    return event


def _usage(usage: Usage) -> dict[str, int]:
    return {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
