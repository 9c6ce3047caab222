"""Grammars of models that are tokenizers alone: answers are walks along what their masks allow."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from llamafarm_universal.host.engines.text.grammar import Constraint, ModelGrammars
from llamafarm_universal.host.engines.text.parse import Format, format_of
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary
from llamafarm_universal.messages import ChatPrompt, Generate, Structure, ToolChoice
from tiny_models import make_tokenizer

PADDING = 7  # rows of logits for which there is no token
PARAMETERS = {"type": "object", "properties": {"x": {"type": "integer"}, "to": {"enum": ["a", "b"]}}, "required": ["x"]}


class Speaker:
    """A model that says anything its grammar allows. special: names of tokens that are added to its tokenizer."""

    def __init__(self, tokenizer: Any, model_format: Format | None = None, template: str = "") -> None:
        tokenizer.chat_template = template or " "
        self.tokenizer = tokenizer
        self.vocabulary = Vocabulary(tokenizer)
        self.format = model_format or format_of(template, self.vocabulary.added)
        self.rows = len(tokenizer) + PADDING
        self.end = tokenizer.eos_token_id
        self.grammars = ModelGrammars(tokenizer, self.vocabulary, self.format, self.rows, frozenset({self.end}))
        texts = [tokenizer.decode([token]) for token in range(len(tokenizer))]
        self._closing = torch.tensor([any(sign in text for sign in '"}]') for text in texts] + [False] * PADDING)

    def held(self, asked: Generate, prompt_end: str = "") -> Constraint:
        hold = self.grammars.hold(asked, self.format, prompt_end)
        assert hold is not None
        return hold.new()

    def reads(self, asked: Generate, text: str, prompt_end: str = "") -> str:
        """What becomes of a text: `finished`, `may end`, `open`, or what is not allowed after what."""
        constraint = self.held(asked, prompt_end)
        tokens = self.tokenizer.encode(text, add_special_tokens=False)
        for place, token in enumerate(tokens):
            if constraint.is_finished or not self._allowed(constraint)[token]:
                return f"{self.tokenizer.decode(tokens[:place])!r} goes on with no {self.tokenizer.decode([token])!r}"
            constraint.advance(token)
        if constraint.is_finished:
            return "finished"
        return "may end" if self._allowed(constraint)[self.end] else "open"

    def says(self, asked: Generate, random: Random, most: int = 400, prompt_end: str = "") -> str | None:
        """A whole answer at random; None where it grew too long."""
        constraint = self.held(asked, prompt_end)
        tokens: list[int] = []
        while not constraint.is_finished:
            allowed = self._allowed(constraint)
            if allowed[self.end] and (random.random() < 0.3 or int(allowed.sum()) == 1):
                break
            if len(tokens) == most:
                return None
            allowed[self.end] = False
            closing = allowed & self._closing
            options = (closing if closing.any() and random.random() < 0.4 else allowed).nonzero().flatten()
            tokens.append(int(options[random.randrange(len(options))]))
            constraint.advance(tokens[-1])
        text: str = self.tokenizer.decode(tokens)
        return text

    def _allowed(self, constraint: Constraint) -> torch.Tensor:
        mask = constraint.mask()
        assert (mask.dtype, mask.shape) == (torch.int32, (-(-self.rows // 32),))
        bits: torch.Tensor = ((mask.unsqueeze(1) >> torch.arange(32)) & 1).bool().flatten()[: self.rows]
        assert not bits[len(self.tokenizer) :].any()
        return bits


def speaker_with(*special: str, model_format: Format | None = None, template: str = "") -> Speaker:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    return Speaker(tokenizer, model_format, template)


@dataclass(frozen=True)
class Chat:
    """What a request may ask of its answers."""

    tools: tuple[str, ...] = ()
    required: bool = False
    names: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()
    parallel: bool = True
    structure: Structure | None = None
    parameters: Any = None

    @property
    def asked(self) -> Generate:
        parameters = PARAMETERS if self.parameters is None else self.parameters
        tools = tuple({"type": "function", "function": {"name": name, "parameters": parameters}} for name in self.tools)
        prompt = ChatPrompt((), tools, {}, ToolChoice(self.required, self.names, self.strict))
        return Generate(prompt, parallel_tool_calls=self.parallel, structure=self.structure)


def as_json(schema: Any, *, strict: bool = True) -> Generate:
    return Chat(structure=Structure("json", schema, strict)).asked
