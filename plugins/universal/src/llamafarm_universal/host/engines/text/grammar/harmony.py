"""The grammar of answers in channels, as gpt-oss writes them: OpenAI's harmony format."""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm_universal.host.engines.text.grammar.lark import ANY, Lark, choice, regex
from llamafarm_universal.host.engines.text.grammar.tools import Tool, json_arguments
from llamafarm_universal.host.engines.text.parse.shape import NAME

_NEXT = "<|end|><|start|>assistant"


def harmony(lark: Lark, tools: Sequence[Tool], answer: str | None, *, required: bool) -> str:
    """Any reasoning and preambles, and then a call or the final message. answer: what that is; None: any text."""
    text = regex(ANY)
    before = [f"{lark.text(f'<|channel|>{name}<|message|>')} {text} {lark.text(_NEXT)}" for name in _BEFORE]
    last = [f"{lark.text(_CALL, {NAME: tool.name})} {json_arguments(tool)}" for tool in tools]
    if not required:
        last.append(f"{lark.text(_FINAL)} {answer or text}")
    return f"{lark.rule('before', choice(before))}* {lark.rule('last', choice(last))}"


_BEFORE = ("analysis", "commentary")
_CALL = f"<|channel|>commentary to=functions.{NAME} <|constrain|>json<|message|>"
_FINAL = "<|channel|>final<|message|>"
