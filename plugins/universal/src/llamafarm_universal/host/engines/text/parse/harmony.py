"""Channels in an answer, as gpt-oss writes them: OpenAI's harmony format.

<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary to=functions.NAME
<|constrain|>json<|message|>{…}<|call|>, or <|channel|>final<|message|>…<|return|>
"""

from __future__ import annotations

import re
from typing import Literal

from llamafarm_universal.host.engines.text.parse.calls import Call, call_of
from llamafarm_universal.host.engines.text.parse.part import Held, Part, first_of, held_back
from llamafarm_universal.messages import Channel

_BODY = "<|message|>"
_ENDS = ("<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>")
MARKS = frozenset({_BODY, "<|constrain|>", *_ENDS})
_BEGINS = ("<|channel|>", "<|start|>", "<|constrain|>", _BODY, "to=")
_RECIPIENT = re.compile(r"to=(?:functions\.)?([^\s<]+)")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")


class HarmonyStage:
    """Tells messages of an answer apart by their channels: analysis is reasoning, a recipient makes a call.

    prefix: what the prompt has of this answer already, from its last `<|start|>` on. streams: whether calls are told
    while they are written, since a grammar holds the answer to their form.
    """

    def __init__(self, prefix: str, *, with_tools: bool, streams: bool = False) -> None:
        self._held = Held()
        self._with_tools = with_tools
        self._streams = streams
        self._kind: Literal["header", "text", "reasoning", "call", "arguments"] = "header"
        self._name = ""
        self._first = True
        _, _, begun = prefix.rpartition("<|start|>assistant")
        self.feed(Part("text", begun if begun != prefix else "", 0))

    def feed(self, part: Part) -> list[Part]:
        self._held.add(part)
        parts: list[Part] = []
        while (more := self._read_header() if self._kind == "header" else self._read_body()) is not None:
            parts += more
        return parts

    def finish(self) -> list[Part]:
        if self._kind == "header":  # it has no message, unless the answer had no channels at all
            return []
        return self._end_body(len(self._held.text))

    def _read_header(self) -> list[Part] | None:
        text = self._held.text
        if self._first and not _may_begin(text.lstrip()):
            self._first, self._kind = False, "text"
            return []
        at = text.find(_BODY)
        if at < 0:
            return None
        self._first = False
        self._enter(text[:at])
        self._held.drop(at + len(_BODY))
        return [Call(self._name, "").part(self._held.end)] if self._kind == "arguments" else []

    def _enter(self, header: str) -> None:
        channel, recipient = _CHANNEL.search(header), _RECIPIENT.search(header)
        self._name = recipient[1] if recipient else ""
        if self._name and self._with_tools:
            self._kind = "arguments" if self._streams else "call"
        else:
            self._kind = "reasoning" if channel and channel[1] == "analysis" else "text"

    def _read_body(self) -> list[Part] | None:
        text = self._held.text
        found = first_of(text, _ENDS)
        if found is None:
            if self._kind == "call":
                return None
            certain = len(text) - held_back(text, _ENDS)
            return self._held.take(certain, self._channel) or None
        at, mark = found
        parts = self._end_body(at)
        self._held.drop(len(mark) if mark in _ENDS[:3] else 0)
        self._kind = "header"
        return parts

    def _end_body(self, at: int) -> list[Part]:
        """The message ends there. A call that cannot be read is text."""
        if self._kind == "call" and (call := call_of({"name": self._name, "arguments": self._held.text[:at].strip()})):
            self._held.drop(at)
            return [call.part(self._held.end)]
        return self._held.take(at, self._channel)

    @property
    def _channel(self) -> Channel:
        return self._kind if self._kind in ("reasoning", "arguments") else "text"


def _may_begin(text: str) -> bool:
    """Whether a text is, or may become, the header of a message."""
    return any(text.startswith(mark) or mark.startswith(text) for mark in _BEGINS)
