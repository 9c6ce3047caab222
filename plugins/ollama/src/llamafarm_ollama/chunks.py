"""From Ollama's lines to the chunks of the OpenAI wire, for answers that stream and for whole ones: those are one line.

Source: Ollama's API (0.33), "Generate a chat completion" and "Generate a completion".
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any

from llamafarm.http import Answer, HttpUpstream

_FINISHES = {"stop": "stop", "length": "length"}
_KEPT = frozenset({"done_reason", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"})
"""What the last chunk carries on as `ollama`; durations in nanoseconds."""
Line = Mapping[str, Any]


class Shape:
    """What all chunks of one answer have in common; subclasses say how a line looks in it."""

    kind = ""
    prefix = ""

    def __init__(self, model: str) -> None:
        self._head = {"id": f"{self.prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self.begun = False

    def said(self, line: Line) -> Iterator[dict[str, Any]]:
        """The chunks of what a line says, if it says anything."""
        raise NotImplementedError

    def finish(self, line: Line) -> dict[str, Any]:
        """The chunk with the finish reason."""
        raise NotImplementedError

    def usage(self, line: Line) -> dict[str, Any]:
        """The chunk with the token counts; Ollama leaves out those that are zero."""
        prompt, answer = line.get("prompt_eval_count", 0), line.get("eval_count", 0)
        counts = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        return {**self._chunk([]), "usage": counts}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._head, "object": self.kind, "choices": choices}

    def _end(self, choice: dict[str, Any], line: Line) -> dict[str, Any]:
        return {**self._chunk([choice]), "ollama": {name: line[name] for name in line if name in _KEPT}}


class ChatShape(Shape):
    """Chunks of a chat. Tool calls come whole, on lines of their own or on the last one."""

    kind = "chat.completion.chunk"
    prefix = "chatcmpl"

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.calls = 0

    def said(self, line: Line) -> Iterator[dict[str, Any]]:
        """One chunk, with text, reasoning, tool calls and logprobs."""
        delta = self._delta(line.get("message") or {})
        logprobs = line.get("logprobs")
        if not self.begun:
            delta = {"role": "assistant", **(delta or {"content": ""})}
        if delta or logprobs:
            self.begun = True
            choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": None}
            yield self._chunk([{**choice, "logprobs": {"content": logprobs}} if logprobs else choice])

    def finish(self, line: Line) -> dict[str, Any]:
        """Ollama says `stop` after tool calls as well."""
        reason = _FINISHES.get(line.get("done_reason", ""), "stop")
        reason = "tool_calls" if self.calls and reason == "stop" else reason
        return self._end({"index": 0, "delta": {}, "finish_reason": reason}, line)

    def _delta(self, message: Line) -> dict[str, Any]:
        delta: dict[str, Any] = {}
        if message.get("thinking"):
            delta["reasoning"] = message["thinking"]
        if message.get("content"):
            delta["content"] = message["content"]
        if message.get("tool_calls"):
            delta["tool_calls"] = [self._call(call) for call in message["tool_calls"]]
        return delta

    def _call(self, call: Line) -> dict[str, Any]:
        function = call["function"]
        arguments = json.dumps(function.get("arguments") or {}, ensure_ascii=False)
        made = {
            "index": self.calls,
            "id": call.get("id") or f"call_{uuid.uuid4().hex}",
            "type": "function",
            "function": {"name": function["name"], "arguments": arguments},
        }
        self.calls += 1
        return made


class TextShape(Shape):
    """Chunks of a text completion."""

    kind = "text_completion"
    prefix = "cmpl"

    def said(self, line: Line) -> Iterator[dict[str, Any]]:
        """One chunk, with text; what a model thinks outside of `raw` goes into `reasoning`."""
        choice: dict[str, Any] = {"index": 0, "text": line.get("response") or "", "finish_reason": None}
        if line.get("thinking"):
            choice["reasoning"] = line["thinking"]
        if choice["text"] or "reasoning" in choice:
            yield self._chunk([choice])

    def finish(self, line: Line) -> dict[str, Any]:
        """`stop` or `length`."""
        reason = _FINISHES.get(line.get("done_reason", ""), "stop")
        return self._end({"index": 0, "text": "", "finish_reason": reason}, line)


async def chunks_of(
    lines: AsyncIterator[dict[str, Any]], shape: Shape, upstream: HttpUpstream, answer: Answer, *, usage: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks of an answer, with its token counts at the end where `usage` asks for them.

    The answer is read to its end, so that its connection can be used again, and closed. Raises ProviderError where a
    line is an error or none of Ollama's, and where the answer ends without `done: true`.
    """
    async with answer:
        done = False
        async for line in lines:
            if done:
                continue
            check(line, upstream, answer)
            try:
                said = list(shape.said(line))
            except (AttributeError, KeyError, TypeError):
                raise answer.broken(f"holds a line that is none of Ollama's: {str(line)[:200]}") from None
            for chunk in said:
                yield chunk
            if line["done"]:
                done = True
                yield shape.finish(line)
                if usage:
                    yield shape.usage(line)
        if not done:
            raise answer.broken("ended without `done: true`: it is not complete")


def check(line: Line, upstream: HttpUpstream, answer: Answer) -> None:
    """Raise the error that a line is; one that is neither an error nor part of an answer breaks the protocol."""
    if line.get("error"):
        raise upstream.in_band(answer.url, line)
    if not isinstance(line.get("done"), bool):
        raise answer.broken(f"holds a line that is none of Ollama's: {str(line)[:200]}")
