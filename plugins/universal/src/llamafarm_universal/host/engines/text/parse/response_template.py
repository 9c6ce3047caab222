"""Answers of models that bring a response template, transformers' own description of how they write.

Its form: the guide "Response parsing" of transformers. It serves models that write as no family here does: calls come
when they are complete, and nothing holds them to the tools.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from llamafarm_universal.host.engines.text.parse.calls import Parameters, call_of
from llamafarm_universal.host.engines.text.parse.part import Part

log = logging.getLogger(__name__)
_REASONING = ("reasoning_content", "reasoning", "thinking")
_CALLS = "tool_calls"


@dataclass(frozen=True)
class ResponseTemplate:
    """How a model writes: the regions of its answers, by the fields of a message that they become."""

    value: Mapping[str, Any]

    @classmethod
    def of(cls, tokenizer: Any) -> ResponseTemplate | None:
        """That of a tokenizer; None where it has none that can be used."""
        value = getattr(tokenizer, "response_template", None)
        if value is None:
            return None
        try:
            from transformers.utils.chat_parsing import ResponseParser

            ResponseParser(value, prefix="")
        except Exception as error:  # noqa: BLE001 - whatever an author has written there
            log.warning("The response template of this model is not used: %s", error)
            return None
        return cls(value)

    @property
    def implicit(self) -> str | None:
        """The field of what stands in no marks."""
        fields = self.value["fields"].items()
        return next((name for name, field in fields if not {"open", "open_pattern"} & field.keys()), None)

    @property
    def calls(self) -> str:
        """What calls are marked with, among other signs; empty where it knows no calls."""
        return self._text_of(_CALLS)

    @property
    def reasoning(self) -> str:
        return self._text_of(*_REASONING)

    def marks(self, tokens: Collection[str]) -> frozenset[str]:
        """The tokens that its regions begin or end with."""
        text = self._text_of(*self.value["fields"])
        return frozenset(token for token in tokens if token in text)

    def _text_of(self, *fields: str) -> str:
        """All texts of some fields, patterns as what they stand for."""
        known = self.value["fields"]
        return " ".join(_unescaped(known[field]) for field in fields if field in known)


def _unescaped(value: Any) -> str:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return " ".join(map(_unescaped, value))
    return re.sub(r"\\(.)", r"\1", value) if isinstance(value, str) else ""


class ResponseTemplateStage:
    """Tells the regions of an answer apart. A region that cannot be read as a call is text, and so is all behind it.

    What is neither a call nor reasoning is text, whatever field of a message it would become. White space around calls
    and reasoning only separates them, so that it is left out.
    """

    def __init__(self, template: ResponseTemplate, prompt_end: str, tools: Parameters) -> None:
        from transformers.utils.chat_parsing import ResponseParser

        offered = [{"function": {"name": name, "parameters": parameters}} for name, parameters in tools.items()]
        self._parser: Any = ResponseParser(dict(template.value), prefix=prompt_end, tools=offered)
        self._reads_calls = bool(tools)
        self._implicit = template.implicit
        self._pending = ""  # what has been written and not yet told
        self._space = ""  # what is text if more text follows
        self._separating = self._called = False
        self._end = 0

    def feed(self, part: Part) -> list[Part]:
        parts: list[Part] = []
        for place, sign in enumerate(part.text, part.end - len(part.text) + 1):
            self._end = place
            self._pending += sign
            parts += self._read(partial(self._parser.feed, sign)) if self._parser else self._rest()
        return _joined(parts)

    def finish(self) -> list[Part]:
        parts = self._read(lambda: self._parser.finalize()[1]) if self._parser else []
        space, self._space = self._space, ""
        return [*parts, Part("text", space, self._end)] if space and not self._called else parts

    def _read(self, read: Callable[[], list[dict[str, Any]]]) -> list[Part]:
        try:
            events = read()
            parts = [part for event in events for part in self._told_by(event)]
        except (ValueError, KeyError, TypeError):
            self._parser = None
            return self._rest()
        if events and events[-1]["type"] == "region_close" and events[-1]["field"] == self._implicit:
            self._pending = ""  # a mark of its own; else it is the next region's
        return parts

    def _told_by(self, event: Mapping[str, Any]) -> list[Part]:
        field, kind = event["field"], event["type"]
        if kind == "region_chunk" and field != _CALLS:
            self._pending = self._pending[self._pending.find(event["text"]) + len(event["text"]) :]
            return self._thought(event["text"]) if field in _REASONING else self._text(event["text"])
        if kind == "region_close" and field == _CALLS:
            return self._calls(event["value"])
        if field not in (_CALLS, self._implicit):
            self._pending = ""  # a mark
        return []

    def _calls(self, value: Any) -> list[Part]:
        calls = [call_of(item) for item in (value if isinstance(value, list) else [value])]
        if not self._reads_calls or None in calls:
            return self._rest()
        self._pending = self._space = ""
        self._separating = self._called = True
        return [call.part(self._end) for call in calls if call]

    def _rest(self) -> list[Part]:
        """All that has not been told, marks included, as text."""
        pending, self._pending = self._pending, ""
        return self._text(pending)

    def _thought(self, text: str) -> list[Part]:
        self._separating = True
        return [Part("reasoning", text, self._end)]

    def _text(self, text: str) -> list[Part]:
        text = self._space + text
        if self._separating:
            text = text.lstrip()
        certain = len(text.rstrip())
        self._space = text[certain:]
        self._separating = self._separating and not certain
        return [Part("text", text[:certain], self._end)] if certain else []


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Neighbours of one channel as one part; calls are left alone."""
    joined: list[Part] = []
    for part in parts:
        if joined and joined[-1].channel == part.channel != "tool_call":
            part = Part(part.channel, joined.pop().text + part.text, part.end)
        joined.append(part)
    return joined
