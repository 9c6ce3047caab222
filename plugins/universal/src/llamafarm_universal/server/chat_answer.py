"""From a generation to OpenAI's chat completion, whole or in chunks."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal

from llamafarm.wire import ChatChunk, ChatCompletion, Choice, Delta, FinishReason, Message, ToolCallDelta, Usage, sse

from llamafarm_universal.messages import Finished, Piece, TokenLogprob
from llamafarm_universal.server.generation import Generation

Reason = Literal["stop", "length"]


class Sequence:
    """One choice of an answer: its pieces as deltas of the wire."""

    def __init__(self) -> None:
        self._calls = 0
        self._role: Delta = {"role": "assistant"}

    def opening(self, event: Piece | Finished) -> Delta | None:
        """What comes before the first event of the choice: its role, where it begins with text, and says nothing yet.

        As OpenAI has it: one that begins with a call has its role in the same delta, and `content` is null there.
        """
        if not self._role or (isinstance(event, Piece) and event.channel != "text"):
            return None
        self._role = {}
        return {"role": "assistant", "content": ""}

    def delta(self, piece: Piece) -> Delta:
        """The piece, with the role where the choice begins with it."""
        begins, self._role = self._role, {}
        return {**begins, "content": None, **self._piece(piece)} if begins else self._piece(piece)

    def _piece(self, piece: Piece) -> Delta:
        match piece.channel:
            case "text":
                return {"content": piece.text} if piece.text else {}
            case "reasoning":
                return {"reasoning": piece.text}
            case "tool_call":
                self._calls += 1
                return {"tool_calls": [_call_delta(json.loads(piece.text), self._calls - 1)]}
            case "arguments":
                return {"tool_calls": [{"index": self._calls - 1, "function": {"arguments": piece.text}}]}

    def finish_reason(self, reason: Reason) -> FinishReason:
        return "tool_calls" if self._calls and reason == "stop" else reason


def _call_delta(function: Any, index: int) -> ToolCallDelta:
    return {"index": index, "id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}


IMPOSSIBLE = -9999.0


def finite(logprob: float) -> float:
    """Return a logarithm that JSON can say: tokens that are ruled out have minus infinity, here IMPOSSIBLE."""
    return max(logprob, IMPOSSIBLE)


def shown(token: bytes) -> str:
    r"""Return a token's text; one that is no whole character as OpenAI writes it, such as `bytes:\xf0\x9f`."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)


class Answer:
    """A generation that is told as a chat completion. model: the name that the request used."""

    def __init__(self, generation: Generation, answer_id: str, model: str) -> None:
        self.generation = generation
        self.id = answer_id
        self.model = model
        self.created = int(time.time())
        self.sequences = [Sequence() for _ in range(generation.choices)]


async def whole(answer: Answer) -> ChatCompletion:
    """Return the completion when its last sequence has ended."""
    choices = [_Collected(i) for i in range(len(answer.sequences))]
    async for index, event in answer.generation.events():
        sequence, collected = answer.sequences[index], choices[index]
        if isinstance(event, Piece):
            collected.add(sequence.delta(event), event.logprobs)
        else:
            collected.finish_reason = sequence.finish_reason(event.reason)
    return {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [collected.choice() for collected in choices],
        "usage": answer.generation.usage,
    }


class _Collected:
    """The deltas of one choice, put together."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[Any] = []
        self._logprobs: list[dict[str, Any]] = []
        self.finish_reason: FinishReason | None = None

    def add(self, delta: Delta, logprobs: tuple[TokenLogprob, ...]) -> None:
        self._content.append(delta.get("content") or "")
        self._reasoning.append(delta.get("reasoning") or "")
        for call in _as_dicts(delta):
            self._add_call({key: call[key] for key in call if key != "index"})
        self._logprobs += [_logprob(token) for token in logprobs]

    def _add_call(self, call: dict[str, Any]) -> None:
        """A call, or how the arguments of the last one go on."""
        if "id" in call:
            self._calls.append(call)
        else:
            self._calls[-1]["function"]["arguments"] += call["function"]["arguments"]

    def choice(self) -> Choice:
        content = "".join(self._content)
        message: Message = {"role": "assistant", "content": None if self._calls and not content else content}
        if reasoning := "".join(self._reasoning):
            message["reasoning"] = reasoning
        if self._calls:
            message["tool_calls"] = self._calls
        logprobs = {"content": self._logprobs, "refusal": None} if self._logprobs else None
        return {"index": self._index, "message": message, "finish_reason": self.finish_reason, "logprobs": logprobs}


async def frames(answer: Answer, *, include_usage: bool) -> AsyncGenerator[bytes, None]:
    """The stream: deltas, ends, the usage where it is asked for, and `[DONE]`."""
    async for index, event in answer.generation.events():
        if opening := answer.sequences[index].opening(event):
            yield _frame(answer, index, opening, include_usage=include_usage)
        yield _event_chunk(answer, index, event, include_usage=include_usage)
    if include_usage:
        yield sse.encode(_chunk(answer, [], usage=answer.generation.usage))
    yield sse.DONE


def _event_chunk(answer: Answer, index: int, event: Piece | Finished, *, include_usage: bool) -> bytes:
    sequence = answer.sequences[index]
    if isinstance(event, Finished):
        return _frame(answer, index, {}, reason=sequence.finish_reason(event.reason), include_usage=include_usage)
    return _frame(answer, index, sequence.delta(event), logprobs=event.logprobs, include_usage=include_usage)


def _frame(
    answer: Answer,
    index: int,
    delta: Delta,
    *,
    reason: FinishReason | None = None,
    logprobs: tuple[TokenLogprob, ...] = (),
    include_usage: bool,
) -> bytes:
    choice: Any = {"index": index, "delta": delta, "finish_reason": reason}
    if logprobs:
        choice["logprobs"] = {"content": [_logprob(token) for token in logprobs], "refusal": None}
    chunk = _chunk(answer, [choice])
    if include_usage:
        chunk["usage"] = None
    return sse.encode(chunk)


def _chunk(answer: Answer, choices: list[Any], *, usage: Usage | None = None) -> ChatChunk:
    chunk: ChatChunk = {
        "id": answer.id,
        "object": "chat.completion.chunk",
        "created": answer.created,
        "model": answer.model,
        "choices": choices,
    }
    if usage is not None:
        chunk["usage"] = usage
    return chunk


def _logprob(token: TokenLogprob) -> dict[str, Any]:
    top = [_entry(text, value) for text, value in token.top]
    return {**_entry(token.token, token.logprob), "top_logprobs": top}


def _entry(token: bytes, logprob: float) -> dict[str, Any]:
    return {"token": shown(token), "logprob": finite(logprob), "bytes": list(token)}


def _as_dicts(delta: Delta) -> list[Mapping[str, Any]]:
    return list(delta.get("tool_calls", ()))
