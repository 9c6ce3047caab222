"""Chunks put together to a whole answer, and a whole answer taken apart into chunks.

Source: OpenAI's API reference, "The chat completion chunk object": texts are continued, tool calls are told apart by
`index`, what names a thing comes once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llamafarm.wire.reading import ChunkReader

_SHARED = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_NAMES = frozenset({"role", "id", "type", "index", "name"})


class Assembler:
    """Puts the chunks of one streamed answer together, of chats and of text completions."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._reader = ChunkReader()

    def add(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """Take the next chunk, and return it as it was read; fields that are not known are kept.

        Raises ValueError where its choices are none.
        """
        read = self._reader.read(dict(chunk))
        for key, value in read.items():
            if key != "choices" and (value is not None or key not in self._head):
                self._head[key] = joined(self._head.get(key), value)
        for choice in read["choices"]:
            whole = self._choices.setdefault(choice["index"], {})
            end = choice.get("finish_reason") or whole.get("finish_reason")
            _merge(whole, choice)
            whole["finish_reason"] = end
        return read

    def whole(self) -> dict[str, Any]:
        """The answer as it would have come without streaming."""
        text = self._head.get("object") == "text_completion"
        choices = [_whole_choice(self._choices[index], text=text) for index in sorted(self._choices)]
        kind = "text_completion" if text else "chat.completion"
        return {**self._head, "object": kind, "choices": choices}


def put_together(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The answer that these chunks are, as it would have come without streaming."""
    assembler = Assembler()
    for chunk in chunks:
        assembler.add(chunk)
    return assembler.whole()


def taken_apart(answer: Mapping[str, Any], *, usage: bool) -> Iterator[dict[str, Any]]:
    """The chunks that a whole chat answer would have come in: contents and ends, what stands beside them, and `usage`.

    usage: whether the token counts are asked for. Fields that the wire does not know come once, in one chunk.
    """
    text = answer.get("object") == "text_completion"
    head = {**shared(answer), "object": "text_completion" if text else "chat.completion.chunk"}
    for choice in answer.get("choices") or ():
        if text:
            yield {**head, "choices": [choice]}
            continue
        rest = {key: value for key, value in choice.items() if key != "message"}
        yield {**head, "choices": [{**rest, "delta": _delta(choice.get("message") or {}), "finish_reason": None}]}
        end = {"index": choice.get("index", 0), "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield {**head, "choices": [end]}
    beside = {key: value for key, value in answer.items() if key not in (*_SHARED, "choices", "usage")}
    if beside:
        yield {**head, "choices": [], **beside}
    if usage and answer.get("usage") is not None:
        yield {**head, "choices": [], "usage": answer["usage"]}


def joined(there: Any, added: Any) -> Any:
    """What is added; where both are objects, with what stands there already."""
    both = isinstance(there, Mapping) and isinstance(added, Mapping)
    return {**there, **added} if both else added


def shared(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an answer, or of a chunk, that all chunks of it have."""
    return {name: answer[name] for name in _SHARED if name in answer}


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not calls:
        return dict(message)
    return {**message, "tool_calls": [{"index": index, **call} for index, call in enumerate(calls)]}


def _whole_choice(parts: dict[str, Any], *, text: bool) -> dict[str, Any]:
    choice = {key: value for key, value in parts.items() if key != "delta"}
    if text:
        choice.setdefault("text", "")
        return choice
    message = {"role": "assistant", "content": None, **parts.get("delta", {})}
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
    choice["message"] = message
    return choice


def _merge(whole: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for key, value in piece.items():
        if not (key in _NAMES and whole.get(key)):
            whole[key] = _continued(whole.get(key), value)


def _continued(old: Any, new: Any) -> Any:
    """What was there and what comes, in objects and lists of our own: texts grow, and null says nothing."""
    if new is None:
        return old
    if isinstance(new, dict):
        whole = old if isinstance(old, dict) else {}
        _merge(whole, new)
        return whole
    if isinstance(new, list):
        items = old if isinstance(old, list) else []
        _merge_list(items, new)
        return items
    return old + new if isinstance(old, str) and isinstance(new, str) else new


def _merge_list(items: list[Any], new: list[Any]) -> None:
    """Items with an `index` continue the item of that index; others follow."""
    for item in new:
        index = _index(item)
        same = [old for old in items if index is not None and _index(old) == index]
        if same:
            _merge(same[0], item)
        else:
            items.append(_continued(None, item))


def _index(item: Any) -> Any:
    return item.get("index") if isinstance(item, dict) else None
