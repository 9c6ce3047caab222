"""The grammars of one model's answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.grammar.answer import grammar_of
from llamafarm_universal.host.engines.text.grammar.constraint import Constraint, Grammars
from llamafarm_universal.host.engines.text.grammar.tokens import adapt
from llamafarm_universal.host.engines.text.parse import Format
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary
from llamafarm_universal.messages import ChatPrompt, Generate


@dataclass(frozen=True)
class Hold:
    """What holds the answers to one request. new: makes the constraint of each.

    calls: whether it holds calls to their form, so that they can be told while they are written.
    """

    new: Callable[[], Constraint]
    calls: bool


class ModelGrammars:
    """model_format: how the model writes. rows: how many logits it gives. end_tokens: those with which its answers end.

    The tokenizer is adapted when the model is loaded: that takes about a second for 150,000 tokens, most of it in calls
    that let no other thread of the process run, which would hold up the answers that are being written.
    """

    def __init__(
        self, tokenizer: Any, vocabulary: Vocabulary, model_format: Format, rows: int, end_tokens: frozenset[int]
    ) -> None:
        self._template = str(tokenizer.chat_template or "")
        marks = model_format.marks(with_tools=True)
        self._marks = {
            name: token
            for name, token in vocabulary.added.items()
            if token < rows and (token in vocabulary.special or name in marks)
        }
        self._grammars: Grammars | None = None
        try:
            adapted = adapt(tokenizer, vocabulary, rows, end_tokens, frozenset(self._marks.values()))
            self._grammars = Grammars(adapted, rows)
        except RequestFailed as failure:
            self._refusal = failure

    @property
    def are_possible(self) -> bool:
        """Whether answers can be held to grammars at all."""
        return self._grammars is not None

    def hold(self, work: Generate, model_format: Format, prompt_end: str) -> Hold | None:
        """What holds the answers to a request; None where they are free.

        model_format: how the model writes calls in them. prompt_end: the text that the prompt ends with, special tokens
        included. Raises RequestFailed.
        """
        grammar = grammar_of(work, model_format, self._template, prompt_end, self._marks)
        if grammar is None:
            return None
        if self._grammars is None:
            if _is_optional(work):
                return None
            raise self._refusal.with_traceback(None)
        holds_calls = isinstance(work.prompt, ChatPrompt) and bool(work.prompt.tools)
        return Hold(self._grammars.compile(grammar, _field(work)), holds_calls)

    def close(self) -> None:
        if self._grammars:
            self._grammars.close()


def _field(work: Generate) -> str:
    """The field of a request that asks for what its answers are held to."""
    if work.structure:
        return work.structure.field
    return "tool_choice" if isinstance(work.prompt, ChatPrompt) and work.prompt.tool_choice.required else "tools"


def _is_optional(work: Generate) -> bool:
    """Whether answers are held to the tools' parameters without anybody having asked for it."""
    chosen = work.prompt.tool_choice if isinstance(work.prompt, ChatPrompt) else None
    return work.structure is None and chosen is not None and not chosen.required and not chosen.strict
