"""How models write their calls: by families, chosen by what a model's template and special tokens contain."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from llamafarm_universal.host.engines.text.parse import shape
from llamafarm_universal.host.engines.text.parse.arguments import arguments_reader
from llamafarm_universal.host.engines.text.parse.calls import Call, CallMarks, Parameters, call_of
from llamafarm_universal.host.engines.text.parse.harmony import MARKS as HARMONY_MARKS
from llamafarm_universal.host.engines.text.parse.json_text import parsed
from llamafarm_universal.host.engines.text.parse.response_template import ResponseTemplate
from llamafarm_universal.host.engines.text.parse.shape import CallShape
from llamafarm_universal.host.engines.text.parse.thinking import ThinkingMarks


@dataclass(frozen=True)
class Format:
    """How a model writes reasoning and calls. calls: None where it has channels instead (harmony).

    response: the model's own description, where it writes as none of the families here does; answers that are held to
    a format are written as the family says nevertheless. response_marks: its marks that are tokens.
    """

    thinking: ThinkingMarks
    calls: CallMarks | None
    response: ResponseTemplate | None = None
    response_marks: frozenset[str] = frozenset()

    def thinks(self, template: str) -> bool:
        """Whether a model with that chat template is known to reason before it answers."""
        if self.response:
            return bool(self.response.reasoning)
        return self.calls is None or self.thinking.open in template

    def marks(self, *, with_tools: bool) -> frozenset[str]:
        """The texts that a parser must see: where they are special tokens, these are shown to it."""
        if self.response:
            return self.response_marks
        if self.calls is None:
            return HARMONY_MARKS
        marks = {self.thinking.open, self.thinking.close, *self.thinking.inner}
        return frozenset(marks | {self.calls.open, *self.calls.ends, *self.calls.inner} if with_tools else marks)


def format_of(template: str, tokens: Collection[str], response: ResponseTemplate | None = None) -> Format:
    """The format of a model: of the family that its response template describes, else its chat template, or its tokens.

    template: its chat template; tokens: those that were added to its vocabulary by name.
    """
    known = _family(template, tokens)
    if response is None:
        return known
    described = f"{response.calls} {response.reasoning}"
    family = _family(described, [token for token in tokens if token in described])
    if not _describes(response, family):
        return replace(known, response=response, response_marks=response.marks(tokens))
    if family.calls is None:
        return family
    thinking = family.thinking if response.reasoning else known.thinking
    return Format(thinking, family.calls if response.calls else known.calls)


def _describes(response: ResponseTemplate, family: Format) -> bool:
    """Whether a family writes as a response template says."""
    if family.calls is None:
        return True
    calls = not response.calls or family.calls.open in response.calls
    return calls and (not response.reasoning or family.thinking.open in response.reasoning)


def _family(template: str, tokens: Collection[str]) -> Format:
    if {"<|channel|>", "<|message|>"} <= set(tokens):
        return Format(THINK, None)
    return Format(_thinking(template, tokens), _calls(template, tokens))


def _thinking(template: str, tokens: Collection[str]) -> ThinkingMarks:
    if GEMMA_THINK.inner[0] in tokens or GEMMA_THINK.open in template:
        return GEMMA_THINK
    return MISTRAL_THINK if MISTRAL_THINK.open in tokens or MISTRAL_THINK.open in template else THINK


def _calls(template: str, tokens: Collection[str]) -> CallMarks:
    if MISTRAL.open in tokens or MISTRAL.open in template:
        return MISTRAL_ARGS if "[ARGS]" in template or "[ARGS]" in tokens else MISTRAL
    if DEEPSEEK.open in tokens or DEEPSEEK.open in template:
        return DEEPSEEK_FENCED if "```json" in template else DEEPSEEK
    for gemma in (GEMMA, GEMMA_4):
        if gemma.open in tokens or gemma.open in template:
            return gemma
    if HERMES.open not in template and LLAMA.open in tokens:
        return LLAMA
    if "<arg_key>" in template:
        return GLM
    return QWEN_CODER if "<function=" in template else HERMES


def _read_hermes(text: str, shape: CallShape, parameters: Parameters) -> list[Call]:
    """`{"name": …, "arguments": {…}}`, or as the model's own template has it, or Qwen's."""
    call = call_of(parsed(text)) or _read_notation(text, shape, parameters)
    return _listed(call or _read_notation(text, QWEN_CODER.shape, parameters))


def _read_gemma(text: str, shape: CallShape, parameters: Parameters) -> list[Call]:
    """`call:NAME{KEY:<escape>VALUE<escape>}`."""
    return _listed(_read_notation(text, shape, parameters))


def _read_notation(text: str, shape: CallShape, parameters: Parameters) -> Call | None:
    """A call whose arguments are written in a notation of their own; None where the text is anything else."""
    name, at = shape.name_in(text, at_once=True) or ("", 0)
    if not name:
        return None
    reader, arguments, text = arguments_reader(shape, parameters.get(name)), "", text + _END
    while (reading := reader.read(text[at:])).is_progress:
        at += reading.size
        arguments += reading.json
        if reading.ended:
            is_whole = text[at:-1].strip() in ("", shape.tail.strip())
            return call_of({"name": name, "arguments": arguments}) if is_whole else None
    return None


def _read_mistral(text: str, _shape: CallShape, _parameters: Parameters) -> list[Call]:
    """`[{"name": …, "arguments": {…}}, …]`, or the newer `NAME[ARGS]{…}` (with `[CALL_ID]…` before `[ARGS]`)."""
    name, mark, arguments = text.partition("[ARGS]")
    if mark:
        return _listed(call_of({"name": name.partition("[CALL_ID]")[0].strip(), "arguments": arguments}))
    values = parsed(text)
    calls = [call_of(value) for value in values] if isinstance(values, list) else [call_of(values)]
    return [] if None in calls else [call for call in calls if call]


def _read_llama(text: str, _shape: CallShape, _parameters: Parameters) -> list[Call]:
    """`{"name": …, "parameters": {…}}`; several have a semicolon between them."""
    calls: list[Call] = []
    rest = text.strip()
    while rest:
        try:
            value, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            return []
        call = call_of(value)
        if call is None:
            return []
        calls.append(call)
        rest = rest[end:].lstrip("; \n\t")
    return calls


def _read_deepseek(text: str, _shape: CallShape, _parameters: Parameters) -> list[Call]:
    """`<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>`.

    Before V3.1 it is `function<｜tool▁sep｜>NAME` and the arguments in a fence.
    """
    calls = [
        call_of({"name": match["old_name"] or match["name"], "arguments": match["old"] or match["arguments"]})
        for match in _DEEPSEEK_CALL.finditer(text)
    ]
    return [] if None in calls else [call for call in calls if call]


def _listed(call: Call | None) -> list[Call]:
    return [] if call is None else [call]


_END = "\0"  # no notation has it: whatever comes before it is complete
_DEEPSEEK_INNER = ("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>")
_DEEPSEEK_CALL = re.compile(
    r"<｜tool▁call▁begin｜>(?:"
    r"function<｜tool▁sep｜>(?P<old_name>[^\n]+)\n```json\n(?P<old>.*?)\n```"
    r"|(?P<name>.*?)<｜tool▁sep｜>(?P<arguments>.*?)"
    r")\s*(?:<｜tool▁call▁end｜>|$)",
    re.DOTALL,
)

THINK = ThinkingMarks("<think>", "</think>")
MISTRAL_THINK = ThinkingMarks("[THINK]", "[/THINK]")
GEMMA_THINK = ThinkingMarks("<|channel>thought", "<channel|>", inner=("<|channel>",))
HERMES = CallMarks("<tool_call>", "</tool_call>", _read_hermes, shape.HERMES)
QWEN_CODER = replace(HERMES, shape=shape.QWEN_CODER)
GLM = replace(HERMES, shape=shape.GLM, inner=("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"))
GEMMA = CallMarks("<start_function_call>", "<end_function_call>", _read_gemma, shape.GEMMA, inner=("<escape>",))
GEMMA_4 = CallMarks("<|tool_call>", "<tool_call|>", _read_gemma, shape.GEMMA_4, inner=('<|"|>',))
MISTRAL = CallMarks("[TOOL_CALLS]", None, _read_mistral, shape.MISTRAL, inner=("[ARGS]", "[CALL_ID]"))
MISTRAL_ARGS = replace(MISTRAL, shape=shape.MISTRAL_ARGS)
LLAMA = CallMarks("<|python_tag|>", None, _read_llama, shape.LLAMA, bare=True)
_DEEPSEEK_CLOSE = "<｜tool▁calls▁end｜>"
DEEPSEEK = CallMarks("<｜tool▁calls▁begin｜>", _DEEPSEEK_CLOSE, _read_deepseek, shape.DEEPSEEK, inner=_DEEPSEEK_INNER)
DEEPSEEK_FENCED = replace(DEEPSEEK, shape=shape.DEEPSEEK_FENCED)
PLAIN = CallMarks("<tool_call>", None, _read_llama, shape.PLAIN, bare=True)
"""For models whose templates know no tools."""
