"""Reasoning before an answer that is held to a grammar: any text between its marks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llamafarm_universal.host.engines.text.grammar.lark import ANY, Lark, regex, text_like
from llamafarm_universal.host.engines.text.parse import Format
from llamafarm_universal.host.engines.text.parse.thinking import ThinkingMarks

_GAP = r"/[\x20\n]{1,4}/"
"""What may stand between reasoning and the answer."""


@dataclass(frozen=True)
class Reasoning:
    """marks: None where an answer has no reasoning. opened: whether the prompt ends within it already."""

    marks: ThinkingMarks | None = None
    opened: bool = False

    @classmethod
    def of(cls, model_format: Format, template: str, prompt_end: str) -> Reasoning:
        """That of an answer to a prompt that ends so. template: the model's chat template."""
        marks = model_format.thinking
        if marks.opened_by(prompt_end):
            return cls(marks, opened=True)
        return cls(None if marks.closed_by(prompt_end) or not model_format.thinks(template) else marks)

    @property
    def begins_as(self) -> list[str]:
        """The pattern of answers that begin with reasoning, which the text of an answer must not be taken for."""
        return [rf"\s*{re.escape(self.marks.open)}{ANY}"] if self.marks and not self.opened else []

    def before(self, lark: Lark, answer: str) -> str:
        """Reasoning and an answer behind it."""
        if self.marks is None:
            return answer
        thought = f"{self._thought(lark, self.marks)} ({_GAP})?"
        return f"{thought} ({answer})" if self.opened else f"({thought})? ({answer})"

    def _thought(self, lark: Lark, marks: ThinkingMarks) -> str:
        if lark.is_special(marks.close):
            return " ".join(["" if self.opened else lark.text(marks.open), regex(ANY), lark.text(marks.close)])
        begin = "" if self.opened else rf"\s*{re.escape(marks.open)}"
        return lark.rule("thought", lark.rule("THOUGHT", text_like(begin + ANY + re.escape(marks.close))), lazy=True)
