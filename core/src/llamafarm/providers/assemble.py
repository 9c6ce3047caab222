"""Chunks put together to a whole answer, and a whole answer taken apart into chunks.

Source: OpenAI's API reference, "The chat completion chunk object": texts are continued, tool calls are told apart by
`index`, what names a thing comes once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llamafarm.wire.reading import ChunkReader

_NAMES = frozenset({"role", "id", "type", "index", "name"})


class Assembler:
    """Puts the chunks of one streamed answer together, of chats and of text completions."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._reader = ChunkReader()

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take the next chunk; fields that are not known are kept. Raises ValueError where its choices are none."""
        read = self._reader.read(dict(chunk))
        for key, value in read.items():
            if key != "choices" and (value is not None or key not in self._head):
                self._head[key] = value
        for choice in read["choices"]:
            self._add_choice(choice)

    def whole(self) -> dict[str, Any]:
        """The answer as it would have come without streaming."""
        text = self._head.get("object") == "text_completion"
        choices = [_whole_choice(self._choices[index], text=text) for index in sorted(self._choices)]
        kind = "text_completion" if text else "chat.completion"
        return {**self._head, "object": kind, "choices": choices}

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        whole = self._choices.setdefault(choice["index"], {"index": choice["index"]})
        _merge(whole, {key: value for key, value in choice.items() if key not in ("index", "finish_reason")})
        if choice.get("finish_reason") is not None:
            whole["finish_reason"] = choice["finish_reason"]


def put_together(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The answer that these chunks are, as it would have come without streaming."""
    assembler = Assembler()
    for chunk in chunks:
        assembler.add(chunk)
    return assembler.whole()


def taken_apart(answer: Mapping[str, Any], *, usage: bool) -> Iterator[dict[str, Any]]:
    """The chunks that a whole chat answer would have come in: contents, ends, and `usage` where it is asked for."""
    text = answer.get("object") == "text_completion"
    kind = "text_completion" if text else "chat.completion.chunk"
    head = {key: value for key, value in answer.items() if key not in ("choices", "usage", "object")}
    head = {**head, "object": kind}
    for choice in answer.get("choices") or ():
        if text:
            yield {**head, "choices": [choice]}
            continue
        rest = {key: value for key, value in choice.items() if key != "message"}
        yield {**head, "choices": [{**rest, "delta": _delta(choice.get("message") or {}), "finish_reason": None}]}
        end = {"index": choice.get("index", 0), "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield {**head, "choices": [end]}
    if usage and answer.get("usage") is not None:
        yield {**head, "choices": [], "usage": answer["usage"]}


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not calls:
        return dict(message)
    return {**message, "tool_calls": [{"index": index, **call} for index, call in enumerate(calls)]}


def _whole_choice(parts: dict[str, Any], *, text: bool) -> dict[str, Any]:
    choice = {key: value for key, value in parts.items() if key != "delta"}
    choice.setdefault("finish_reason", None)
    if text:
        choice.setdefault("text", "")
        return choice
    message = {"role": "assistant", "content": None, **parts.get("delta", {})}
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
    choice["message"] = message
    return choice


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        old = into.get(key)
        if old is None:
            into[key] = _fresh(value)
        elif value is None or (key in _NAMES and old):
            continue
        elif isinstance(old, str) and isinstance(value, str):
            into[key] = old + value
        elif isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            _merge_list(old, value)
        else:
            into[key] = value


def _merge_list(old: list[Any], new: list[Any]) -> None:
    """Items with an `index` continue the item of that index; others follow."""
    for item in new:
        same = [it for it in old if _index(it) is not None and _index(it) == _index(item)]
        if same:
            _merge(same[0], item)
        else:
            old.append(_fresh(item))


def _index(item: Any) -> Any:
    return item.get("index") if isinstance(item, dict) else None


def _fresh(value: Any) -> Any:
    """A copy that later chunks may change; lists pass through the merge, since one may hold pieces of one item."""
    if isinstance(value, dict):
        copied: dict[str, Any] = {}
        _merge(copied, value)
        return copied
    if isinstance(value, list):
        items: list[Any] = []
        _merge_list(items, value)
        return items
    return value
