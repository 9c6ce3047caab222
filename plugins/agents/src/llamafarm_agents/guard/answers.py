"""What models say, on its way to the reader."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import llamafarm
from llamafarm.errors import LlamaFarmError

from llamafarm_agents.guard.options import Check, LengthCheck
from llamafarm_agents.guard.scanner import Refusal, Scanner
from llamafarm_agents.usage import wants_usage

TEXTS = ("content", "reasoning", "reasoning_content", "refusal")
"""Where texts stand in what a model says."""
_WIRE = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier", "choices", "usage"})
"""The fields of an answer that are the wire's; others are what handlers say beside it."""


class Choices:
    """The choices of one answer. count: how many there are. refusal: what is said in the place of one.

    note: told of each text at its end, and of the check that has refused it.
    """

    def __init__(
        self, count: int, checks: Sequence[Check], refusal: str, note: Callable[[Scanner, str | None], None]
    ) -> None:
        self._count = count
        self._checks = checks
        self._refusal = refusal
        self._note = note
        self._scanners: dict[tuple[int, str], Scanner] = {}
        self._refused: set[int] = set()

    async def changed(self, chunks: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        """The chunks of an answer as they may be read; an answer whose choices have all been refused ends at once."""
        with checked_errors(self._checks, self._refusal):
            async for chunk in chunks:
                choices = [passed for choice in chunk.get("choices") or () if (passed := self._choice(choice))]
                if choices or not chunk.get("choices"):
                    yield {**of_the_wire(chunk), "choices": choices, **self._beside(chunk)}
                if len(self._refused) == self._count:
                    return

    def _choice(self, choice: Mapping[str, Any]) -> dict[str, Any] | None:
        index = choice.get("index", 0)
        if index in self._refused:
            return None
        last = choice.get("finish_reason") is not None
        try:
            return {**choice, "delta": self._delta(choice.get("delta") or {}, index, last=last)}
        except Refusal as refusal:
            self._refused.add(index)
            self._tell(index, refusal.check)
            return {**choice, "delta": {"content": self._refusal}, "finish_reason": "content_filter"}

    def _delta(self, delta: Mapping[str, Any], index: int, *, last: bool) -> dict[str, Any]:
        changed = dict(delta)
        for name in TEXTS:
            scanner = self._scanners.get((index, name))
            piece = delta.get(name)
            if scanner is None and not piece:
                continue
            if scanner is None:
                scanner = self._scanners[index, name] = Scanner(self._checks)
            changed[name] = scanner.scan(piece or "", last=last)
        if last:
            self._tell(index, None)
        return changed

    def _beside(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """What handlers say beside the answer, as the object that it holds; nothing where some of it is refused."""
        fields = {name: value for name, value in chunk.items() if name not in _WIRE}
        if self._refused or not fields:
            return {}
        scanner, refused_by = Scanner(self._checks), None
        try:
            fields = _scanned(fields, scanner)
        except Refusal as refusal:
            fields, refused_by = {}, refusal.check
        self._note(scanner, refused_by)
        return fields

    def _tell(self, index: int, refused_by: str | None) -> None:
        for (of, _), scanner in self._scanners.items():
            if of == index:
                self._note(scanner, refused_by)


@contextmanager
def checked_errors(checks: Sequence[Check], refusal: str) -> Iterator[None]:
    """Errors that are raised within tell no more than an answer may: they quote what a model said."""
    try:
        yield
    except LlamaFarmError as error:
        scanner = Scanner([check for check in checks if not isinstance(check, LengthCheck)])
        try:
            error.message = scanner.scan(error.message, last=True)
        except Refusal:
            error.message = refusal
        raise


def of_the_wire(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer or a chunk without what handlers say beside it."""
    return {name: value for name, value in answer.items() if name in _WIRE}


def _scanned(value: Any, scanner: Scanner) -> Any:
    """The same with each text and number looked through by itself; a number is only a text where it is redacted."""
    if isinstance(value, Mapping):
        return {scanner.scan(name, last=True): _scanned(part, scanner) for name, part in value.items()}
    if isinstance(value, list):
        return [_scanned(part, scanner) for part in value]
    if isinstance(value, str):
        return scanner.scan(value, last=True)
    if isinstance(value, int | float):
        text = json.dumps(value)
        passed = scanner.scan(text, last=True)
        return value if passed == text else passed
    return value


def refused(turn: llamafarm.Turn, refusal: str) -> llamafarm.JsonReply:
    """An answer that the model was never asked for."""
    message = {"role": "assistant", "content": refusal}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    answer = {
        "id": f"chatcmpl-{turn.call.request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": turn.entry.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "content_filter", "logprobs": None}],
        "usage": usage,
    }
    return llamafarm.JsonReply(answer, usage=wants_usage(turn))
