"""Grammars of tool calls: in the shape in which the model writes them, of the tools that were offered and no others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llamafarm_universal.host.engines.text.grammar.lark import ANY, Lark, choice, text_like
from llamafarm_universal.host.engines.text.grammar.tools import Tool, arguments
from llamafarm_universal.host.engines.text.parse.shape import NAME, CallShape

BARE = r'\s*\{\s*"(name|type)"' + ANY
"""How an answer begins that is a call without a mark."""


class Calls:
    """The rules of calls in one shape. several: whether more than one may be made."""

    def __init__(self, lark: Lark, shape: CallShape, tools: Sequence[Tool], *, several: bool) -> None:
        self._lark = lark
        self._shape = shape
        self._several = several
        lark.rule("call", choice([self._written(index, tool) for index, tool in enumerate(tools)]))
        listed = several and shape.between is not None
        lark.rule("calls", f"call ({lark.text(shape.between or '')} call)*" if listed else "call")
        lark.rule("marked", f"{lark.text(shape.open)} calls {lark.text(shape.close)}")

    def forced(self) -> str:
        """Nothing but calls."""
        block = self._lark.rule("block", f"{self._lark.text(self._shape.mark)} marked")
        blocks = f"{block} ({self._lark.text(' ')} {block})*" if self._has_several_blocks else block
        return choice(["calls", blocks]) if self._shape.bare else blocks

    def free(self, *, but: Sequence[str]) -> str:
        """Text, until a call begins. but: patterns of what the text is not."""
        mark, bare = self._shape.mark, self._shape.bare
        but = [*but, *([BARE] if bare else [])]
        # A mark that is one token is spelled in no other way: nobody would know it for a call.
        spelled = [ANY + re.escape(mark) + ANY] if self._lark.is_special(mark) else []
        self._lark.rule("TEXT", text_like(ANY, but=[*but, *spelled]))
        calls = self._lark.rule("block", f"{self._lead(but)} marked") + ("+" if self._has_several_blocks else "")
        goes_on = self._several and not self._shape.ends_answer
        return choice(["TEXT", f"{calls} TEXT?" if goes_on else calls, *(["calls"] if bare else [])])

    def beside(self, answer: str) -> str:
        """Calls with their mark, or what matches a rule."""
        return choice([f"{self._lark.text(self._shape.mark)} marked", answer])

    @property
    def _has_several_blocks(self) -> bool:
        return self._several and self._shape.between is None

    def _lead(self, but: Sequence[str]) -> str:
        """Text with the mark at its end."""
        mark = self._shape.mark
        if self._lark.is_special(mark):
            return f"TEXT? {self._lark.text(mark)}"
        self._lark.rule("LEAD", text_like(ANY + re.escape(mark), but=but))
        return self._lark.rule("lead", "LEAD", lazy=True)

    def _written(self, index: int, tool: Tool) -> str:
        """One call. Its head is one terminal, where it can be, which is told from text however that goes on."""
        head = self._lark.text(self._shape.head, {NAME: self._shape.written(tool.name)})
        if not self._lark.has_special(self._shape.head):
            head = self._lark.rule(f"HEAD_{index}", head)
        return f"{head} {arguments(self._lark, self._shape, tool)} {self._lark.text(self._shape.tail)}"
