"""What a request's answers are written and read with, made ready beside the engine's thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.grammar import Constraint, Hold, ModelGrammars, shape_for
from llamafarm_universal.host.engines.text.multimodal.medium import MediaPrompt
from llamafarm_universal.host.engines.text.parse import PLAIN, Format, Parser, ResponseTemplate, format_of
from llamafarm_universal.host.engines.text.stop import StopStage
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary
from llamafarm_universal.messages import Generate, TextPrompt

_PROMPT_END = 64  # tokens of a prompt, special ones among them, that an answer's text and parts may depend on


class Answers:
    """Those of one model. rows: how many logits it gives. end_tokens: those with which its answers end.

    goes_on: whether answers go on from their prompts: those of all models do but of encoder-decoders. features: what
    can be asked of them: `chat`, `tools`, `reasoning`, `structured`.
    """

    def __init__(self, tokenizer: Any, rows: int, end_tokens: frozenset[int], *, goes_on: bool) -> None:
        self._goes_on = goes_on
        template = str(tokenizer.chat_template or "")
        self._vocabulary = Vocabulary(tokenizer)
        self._format = format_of(template, self._vocabulary.added, ResponseTemplate.of(tokenizer))
        self._grammars = ModelGrammars(tokenizer, self._vocabulary, self._format, rows, end_tokens)
        able = {
            "chat": bool(template),
            "tools": "tools" in template,
            "reasoning": self._format.thinks(template),
            "structured": self._grammars.are_possible,
        }
        self.features = frozenset(name for name, is_able in able.items() if is_able)

    def prepare(self, work: Generate, tokens: list[int], media: MediaPrompt | None = None) -> Prepared:
        """Make a request ready. tokens: its prompt. media: that prompt, where it has pictures or sounds.

        Raises RequestFailed for a format that cannot be kept to.
        """
        before = tokens[-_PROMPT_END:] if self._goes_on else []
        end = self._vocabulary.decode(before)
        answer_format = self._format_of(work)
        hold = self._grammars.hold(work, answer_format, end)
        return Prepared(work, tokens, before, self._vocabulary, answer_format, end, hold, media)

    def close(self) -> None:
        self._grammars.close()

    def _format_of(self, work: Generate) -> Format:
        """How the model writes its answer: plain JSON where it must make calls and its template knows none."""
        prompt, calls = work.prompt, self._format.calls
        if isinstance(prompt, TextPrompt) or calls is None:
            return self._format
        is_held = prompt.tool_choice.required or work.structure is not None
        if self._format.response and not is_held:
            return self._format
        if prompt.tool_choice.required and "tools" not in self.features:
            calls = PLAIN
        return replace(self._format, calls=replace(calls, shape=shape_for(calls.shape, prompt)), response=None)


@dataclass(frozen=True)
class Prepared:
    """A request that is ready to run. tokens: its prompt. before: those of them that stand before its answers, and end
    the text that they make. format: how answers are written. media: the prompt, where it has pictures or sounds.
    """

    work: Generate
    tokens: list[int]
    before: list[int]
    vocabulary: Vocabulary
    format: Format
    end: str
    hold: Hold | None
    media: MediaPrompt | None = None

    def constraint(self) -> Constraint | None:
        """What holds one answer to a format."""
        return self.hold.new() if self.hold else None

    def detokenizer(self) -> Detokenizer:
        """A text goes on from its prompt; of a message, the special tokens that mark its parts go to the parser."""
        prompt = self.work.prompt
        if isinstance(prompt, TextPrompt):
            return Detokenizer(self.vocabulary, self.before)
        begun = self.before if prompt.template_options.get("continue_final_message") else ()
        marks = self.format.marks(with_tools=bool(prompt.tools))
        return Detokenizer(self.vocabulary, begun, hidden=self.vocabulary.special_but(marks))

    def parser(self, stop: tuple[str, ...]) -> Parser:
        """stop: the texts that end an answer."""
        prompt, streams = self.work.prompt, self.hold is not None and self.hold.calls
        stops = StopStage(stop, one_call=not self.work.parallel_tool_calls and not streams)
        if isinstance(prompt, TextPrompt):
            return Parser([], stops)
        tools = {tool["function"]["name"]: tool["function"].get("parameters") for tool in prompt.tools}
        return Parser.of_chat(self.format, self.end, stops, tools, streams=streams)
