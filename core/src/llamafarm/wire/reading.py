"""Chunks and answers as servers send them, in the wire's own shape: what is left out is absent, never a crash.

Everything that looks inside an answer reads it through here, so that all of them understand the same streams. Sources:
OpenAI's API reference; what Azure, Gemini's compatible API, Mistral, Ollama and llama.cpp were seen to send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

THINKING_PARTS = frozenset({"thinking", "reasoning"})


class ChunkReader:
    """Reads the chunks of one stream, in their order. A chunk that needs no change comes back as it is."""

    def __init__(self) -> None:
        self._calls: dict[int, list[_Call]] = {}

    def read(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """The chunk with a list of choices that each have a delta. Raises ValueError where `choices` is no list."""
        if chunk.get("choices") is None:
            return {**chunk, "choices": []}
        return _with_choices(chunk, self._choice)

    def _choice(self, at: int, choice: dict[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        index = choice.get("index")
        if not isinstance(index, int):
            changes["index"] = index = at
        if choice.get("finish_reason") == "":
            changes["finish_reason"] = None
        if "text" not in choice:
            given = choice.get("delta")
            delta = self._delta(given if isinstance(given, dict) else {}, index)
            if delta is not given:
                changes["delta"] = delta
        return {**choice, **changes} if changes else choice

    def _delta(self, delta: dict[str, Any], choice: int) -> dict[str, Any]:
        read = with_text(delta)
        if not delta.get("tool_calls"):
            return read
        known = self._calls.setdefault(choice, [])
        calls = _objects(delta["tool_calls"])
        pieces = [_continued(call, known, at, alone=len(calls) == 1) for at, call in enumerate(calls)]
        return {**read, "tool_calls": pieces}


class _Call:
    """A tool call of which pieces have come. index: as the server counts, else in the order of their coming."""

    def __init__(self, index: int, identifier: str | None) -> None:
        self.index = index
        self.identifier = identifier
        self.named = False


def _continued(piece: dict[str, Any], known: list[_Call], at: int, *, alone: bool) -> dict[str, Any]:
    """A piece of a tool call with its index, and with the name only where it comes for the first time."""
    call = _call_of(piece, known, at, alone=alone)
    function = _function(piece)
    if call.named:
        function.pop("name", None)
    call.named = call.named or bool(function.get("name"))
    return {**piece, "index": call.index, "function": function}


def _function(call: Mapping[str, Any]) -> dict[str, Any]:
    """The function of a call, its arguments as a JSON text."""
    function = dict(call.get("function") or {})
    if isinstance(function.get("arguments"), dict):
        function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    return function


def _call_of(piece: Mapping[str, Any], known: list[_Call], at: int, *, alone: bool) -> _Call:
    """The call that a piece continues: by its index, else by its id, else by its place; a single piece the last one."""
    index, identifier = piece.get("index"), piece.get("id") or None
    if isinstance(index, int):
        same = [call for call in known if call.index == index]
    elif identifier is not None:
        same = [call for call in known if call.identifier == identifier]
    else:
        same = known[-1:] if alone else known[at : at + 1]
    if same:
        return same[0]
    free = max((call.index for call in known), default=-1) + 1
    known.append(_Call(index if isinstance(index, int) else free, identifier))
    return known[-1]


def read_completion(answer: dict[str, Any]) -> dict[str, Any]:
    """A whole answer whose messages have a text as their text and JSON texts as the arguments of tool calls.

    One that needs no change comes back as it is. Raises ValueError where `choices` is no list of objects.
    """
    return _with_choices(answer, lambda _, choice: choice if "text" in choice else _with_message(choice))


def _with_choices(answer: dict[str, Any], read: Callable[[int, dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """An answer or chunk with its choices as `read` returns them; it itself where that changes none of them."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ValueError(f"`choices` is not a list of objects: {str(choices)[:200]}")
    after = [read(at, choice) for at, choice in enumerate(choices)]
    unchanged = all(new is old for new, old in zip(after, choices, strict=True))
    return answer if unchanged else {**answer, "choices": after}


def _with_message(choice: dict[str, Any]) -> dict[str, Any]:
    given = choice.get("message")
    message = with_text(given) if isinstance(given, dict) else {"role": "assistant", "content": None}
    calls = _objects(message.get("tool_calls"))
    if any(isinstance((call.get("function") or {}).get("arguments"), dict) for call in calls):
        message = {**message, "tool_calls": [{**call, "function": _function(call)} for call in calls]}
    return choice if message is given else {**choice, "message": message}


def with_text(message: dict[str, Any]) -> dict[str, Any]:
    """A message or delta whose content, where it comes in parts, is one text, and thinking its `reasoning`."""
    parts = message.get("content")
    if not isinstance(parts, list):
        return message
    text = "".join(_text_of(part) for part in parts if not _is_thinking(part))
    thinking = "".join(_text_of(part) for part in parts if _is_thinking(part))
    reasoning = {"reasoning": (message.get("reasoning") or "") + thinking} if thinking else {}
    return {**message, "content": text, **reasoning}


def _is_thinking(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in THINKING_PARTS


def _text_of(part: Any) -> str:
    """The text of a part; thinking may be a list of parts itself, as Mistral sends it."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(map(_text_of, part))
    if not isinstance(part, dict):
        return ""
    return next((_text_of(part[key]) for key in ("text", "thinking", "reasoning") if part.get(key)), "")


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
