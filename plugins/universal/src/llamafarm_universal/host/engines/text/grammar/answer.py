"""The grammar of one answer: reasoning, which is free, and behind it what was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from llguidance.gbnf_to_lark import any_to_lark

from llamafarm_universal.host.engines.text.grammar.calls import Calls
from llamafarm_universal.host.engines.text.grammar.constraint import not_compiled
from llamafarm_universal.host.engines.text.grammar.harmony import harmony
from llamafarm_universal.host.engines.text.grammar.lark import Lark, choice, literal, regex
from llamafarm_universal.host.engines.text.grammar.reasoning import Reasoning
from llamafarm_universal.host.engines.text.grammar.schema import json_rule
from llamafarm_universal.host.engines.text.grammar.tags import tags_rule
from llamafarm_universal.host.engines.text.grammar.tools import offered
from llamafarm_universal.host.engines.text.parse import Format
from llamafarm_universal.host.engines.text.parse.shape import CallShape
from llamafarm_universal.messages import ChatPrompt, Generate, Structure, TextPrompt

_GRAMMAR = "answer"
"""The name of a grammar that came with the request: it is one of its own, whose rules meet no others."""


def grammar_of(
    work: Generate, model_format: Format, template: str, prompt_end: str, special: Mapping[str, int]
) -> str | None:
    """The grammar of the answers to a request; None where nothing holds them to anything.

    model_format, template: how the model writes, and its chat template. prompt_end: the text that the prompt ends with.
    special: the ids of tokens that are no text, by their names. Raises RequestFailed.
    """
    if model_format.response and not work.structure:
        return None
    lark = Lark(special)
    answer = structured(lark, work.structure) if work.structure else None
    if isinstance(work.prompt, TextPrompt):
        start = answer
    elif model_format.calls is None:
        start = _in_channels(lark, work.prompt, answer)
    else:
        reasoning = Reasoning.of(model_format, template, prompt_end)
        body = _body(lark, work, model_format.calls.shape, answer, reasoning.begins_as)
        start = body and reasoning.before(lark, body)
    return start and _with_grammar(lark.source(start), work.structure)


def _in_channels(lark: Lark, prompt: ChatPrompt, answer: str | None) -> str | None:
    tools = offered(prompt)
    return harmony(lark, tools, answer, required=prompt.tool_choice.required) if tools or answer else None


def _body(lark: Lark, work: Generate, shape: CallShape, answer: str | None, not_text: Sequence[str]) -> str | None:
    """What comes behind reasoning: calls, an answer that is structured, text, or what of these is asked for."""
    assert isinstance(work.prompt, ChatPrompt)
    tools, chosen = offered(work.prompt), work.prompt.tool_choice
    if not tools:
        return answer
    several = work.parallel_tool_calls and not (chosen.required and len(chosen.names) == 1)
    calls = Calls(lark, shape, tools, several=several)
    if chosen.required:
        return calls.forced()
    return calls.beside(answer) if answer else calls.free(but=not_text)


def structured(lark: Lark, structure: Structure) -> str:
    """What matches a structured answer."""
    match structure.kind:
        case "json":
            return json_rule(structure.value, strict=structure.strict)
        case "regex":
            return lark.rule("ANSWER", regex(structure.value))
        case "choice":
            return choice([literal(text) for text in structure.value])
        case "grammar":
            return f"@{_GRAMMAR}"
        case "tags":
            return tags_rule(lark, structure.value)


def _with_grammar(source: str, structure: Structure | None) -> str:
    """The whole, with a grammar that the request brought."""
    grammars = [{"name": "all", "lark_grammar": source}]
    if structure is not None and structure.kind == "grammar":
        grammars.append({"name": _GRAMMAR, "lark_grammar": _as_lark(structure)})
    return json.dumps({"grammars": grammars})


def _as_lark(structure: Structure) -> str:
    """A grammar of the request in Lark; what is none is taken for GBNF, llama.cpp's."""
    try:
        return any_to_lark(str(structure.value))
    except Exception as error:  # the converter raises what it likes
        raise not_compiled(str(error), structure.field) from error
