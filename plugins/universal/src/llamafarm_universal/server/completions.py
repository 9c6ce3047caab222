"""POST /v1/completions: prompts, continued as they stand."""

from __future__ import annotations

import time
from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator
from typing import Any

from llamafarm.web import EventStream, json_answer
from llamafarm.wire import Completion, CompletionChoice, sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import Piece, TextPrompt, TokenLogprob
from llamafarm_universal.server.best_of import best, made_for_each
from llamafarm_universal.server.caller import caller_of
from llamafarm_universal.server.chat_answer import finite, shown
from llamafarm_universal.server.endpoint import ignored_header, is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.generation import Generation, generate
from llamafarm_universal.server.sampling import check_stream_options, completion_sampling
from llamafarm_universal.server.structure import structure_of


async def complete(request: Request, parsed: Parsed) -> Response:
    check_stream_options(parsed)
    made = made_for_each(parsed)
    runtime, caller = runtime_of(request), caller_of(request)
    ref = runtime.handles.resolve(parsed.values["model"], trusted=is_trusted(request))
    generation = await generate(
        runtime,
        caller,
        ref,
        tuple(TextPrompt(prompt) for prompt in parsed.values["prompt"]),
        completion_sampling(parsed),
        made,
        structure=structure_of(parsed),
    )
    answer = _Answer(generation, f"cmpl-{caller.request_id}", runtime.handles.label(ref))
    if not parsed.get("stream"):
        try:
            choices = best(await _choices(answer), made, parsed)
            whole = {**answer.completion(choices), "usage": generation.usage}
            return json_answer(whole, headers=ignored_header(parsed))
        finally:
            generation.close()
    return EventStream(
        _frames(answer, include_usage=parsed.get("stream_options", {}).get("include_usage", False)),
        close=generation.close,
        keep_alive=runtime.settings.keep_alive_seconds,
        headers=ignored_header(parsed),
    )


class _Answer:
    """A generation that is told as a text completion."""

    def __init__(self, generation: Generation, answer_id: str, model: str) -> None:
        self.generation = generation
        self._id = answer_id
        self._model = model
        self._created = int(time.time())
        self.lengths = [0] * generation.choices
        """How many characters of each choice are out: where the next token begins in its text."""

    def completion(self, choices: list[CompletionChoice]) -> Completion:
        return {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }

    def choice(self, index: int, piece: Piece) -> CompletionChoice:
        choice: CompletionChoice = {"index": index, "text": piece.text, "finish_reason": None, "logprobs": None}
        if piece.logprobs:
            choice["logprobs"] = _logprobs(piece.logprobs, self.lengths[index])
        self.lengths[index] += len(piece.text)
        return choice


async def _choices(answer: _Answer) -> list[CompletionChoice]:
    """All choices, when the last one has ended."""
    choices: list[CompletionChoice] = [
        {"index": i, "text": "", "finish_reason": None, "logprobs": None} for i in range(answer.generation.choices)
    ]
    async for index, event in answer.generation.events():
        choice = choices[index]
        if isinstance(event, Piece):
            _append(choice, answer.choice(index, event))
        else:
            choice["finish_reason"] = event.reason
    return choices


async def _frames(answer: _Answer, *, include_usage: bool) -> AsyncGenerator[bytes, None]:
    usage: dict[str, Any] = {"usage": None} if include_usage else {}
    async for index, event in answer.generation.events():
        if isinstance(event, Piece):
            choice = answer.choice(index, event)
        else:
            choice = {"index": index, "text": "", "finish_reason": event.reason, "logprobs": None}
        yield sse.encode({**answer.completion([choice]), **usage})
    if include_usage:
        yield sse.encode({**answer.completion([]), "usage": answer.generation.usage})
    yield sse.DONE


def _append(choice: CompletionChoice, more: CompletionChoice) -> None:
    choice["text"] += more["text"]
    further = more.get("logprobs")
    if further is None:
        return
    known = choice.get("logprobs")
    choice["logprobs"] = further if known is None else {key: known[key] + further[key] for key in known}


def _logprobs(tokens: tuple[TokenLogprob, ...], start: int) -> dict[str, Any]:
    """OpenAI's older shape: parallel lists."""
    offsets: list[int] = []
    text = getincrementaldecoder("utf-8")(errors="replace")
    for token in tokens:
        offsets.append(start)
        start += len(text.decode(token.token))
    return {
        "tokens": [shown(token.token) for token in tokens],
        "token_logprobs": [finite(token.logprob) for token in tokens],
        "top_logprobs": [{shown(other): finite(value) for other, value in token.top} for token in tokens],
        "text_offset": offsets,
    }
