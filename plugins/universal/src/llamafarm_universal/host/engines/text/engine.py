"""The text engine: any causal language model of transformers, many answers at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.engine import (
    Accepted,
    ChatPrompt,
    Count,
    Embed,
    Emit,
    Finished,
    Generate,
    Limits,
    LoadedModel,
    LoadPlan,
    Piece,
    TextPrompt,
    Usage,
    Work,
    explained,
    refused,
)
from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.generation_settings import not_applied
from llamafarm_universal.host.engines.text.limits import ModelLimits
from llamafarm_universal.host.engines.text.parse import Format, Parser, format_of
from llamafarm_universal.host.engines.text.prompt import encode, field_of
from llamafarm_universal.host.engines.text.runner import Runner
from llamafarm_universal.host.engines.text.sampling import Choice, Sampler, sample, settle
from llamafarm_universal.host.engines.text.scheduler import Scheduler
from llamafarm_universal.host.engines.text.sequence import Sequence
from llamafarm_universal.host.engines.text.stop import StopStage
from llamafarm_universal.host.engines.text.text_meter import TextMeter
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary
from llamafarm_universal.host.models.loader import Weights, load_weights

if TYPE_CHECKING:
    from torch import Tensor

    from llamafarm_universal.host.engines.encode.engine import EncodeEngine

log = logging.getLogger(__name__)
_PROMPT_END = 64  # tokens of a prompt, special ones among them, that an answer's text and parts may depend on


class TextEngine:
    """Generates text, and embeds with the same weights.

    An answer depends on its own request alone: each sequence has its own cache, sampling and random generator.
    """

    def __init__(self, weights: Weights, limits: Limits) -> None:
        self._weights = weights
        self._limits = limits
        self._model_limits = ModelLimits.of(weights)
        self._vocabulary = Vocabulary(weights.tokenizer)
        self._format = format_of(str(weights.tokenizer.chat_template), self._vocabulary.added)
        self._runner = Runner(weights.module, weights.plan.device)
        self._scheduler = Scheduler(limits.max_sequences, limits.max_waiting)
        self._emits: dict[str, Emit] = {}
        self.meter = TextMeter(lambda: self._scheduler.running, lambda: self._scheduler.waiting)
        self._embedding: EncodeEngine | None = None
        self._sharing = threading.Lock()
        self.model = _describe(weights, self._model_limits, self._format)
        if self.model.not_applied:
            names = ", ".join(self.model.not_applied)
            log.warning(
                "`%s`: these settings of its generation_config.json are not applied: %s", weights.plan.ref.id, names
            )

    @classmethod
    def load(cls, plan: LoadPlan) -> TextEngine:
        """Read the weights. Raises RequestFailed."""
        from transformers import AutoModelForCausalLM

        return cls(load_weights(plan, AutoModelForCausalLM), plan.limits)

    def prepare(self, work: Work) -> Any:
        """The tokens of a prompt, or what the embedding engine prepares."""
        match work:
            case Embed():
                return self._embedder().prepare(work)
            case Generate() | Count():
                return encode(work.prompt, self._weights.tokenizer, self.model.ref.id, self._model_limits.vocabulary)
        raise AssertionError(work)

    def submit(self, request_id: str, work: Work, prepared: Any, emit: Emit) -> None:
        match work:
            case Embed():
                self._embedder().submit(request_id, work, prepared, emit)
            case Count():
                emit(Finished(request_id, usage=Usage(prompt_tokens=len(prepared))))
            case Generate():
                sequences = self._sequences(request_id, work, prepared)
                self._scheduler.add(sequences)
                self._emits[request_id] = emit
                for sequence in sequences:
                    self.meter.begin(sequence)
                emit(Accepted(request_id, len(prepared), self.model))

    def cancel(self, request_id: str) -> None:
        self._emits.pop(request_id, None)
        self._scheduler.remove(request_id)
        if self._embedding:
            self._embedding.cancel(request_id)

    def step(self) -> bool:
        """All forwards first, then one choice of tokens for all rows, then each sequence takes its own."""
        self._take_all(self._forward_all())
        embeds = self._embedding.step() if self._embedding else False
        return embeds or self._scheduler.has_work

    def close(self) -> None:
        for request_id in list(self._emits):
            self.cancel(request_id)
        if self._embedding:
            self._embedding.close()
        self._embedding = None
        del self._runner, self._weights

    def _sequences(self, request_id: str, work: Generate, prompt: list[int]) -> list[Sequence]:
        sampling = work.sampling
        most = self._limits.max_sequences + self._limits.max_waiting
        if not 1 <= work.n <= most:
            raise refused(f"`n` must lie between 1 and {most}; it is {work.n}.", "n")
        max_tokens = self._model_limits.admit(len(prompt), sampling.max_tokens, field_of(work.prompt))
        settings = settle(sampling, self._model_limits)
        return [
            Sequence(
                request_id,
                index,
                prompt,
                max_tokens,
                Sampler(settings, prompt, offset=index),
                self._detokenizer(work.prompt, prompt),
                self._parser(work, settings.stop, prompt),
            )
            for index in range(work.n)
        ]

    def _detokenizer(self, prompt: ChatPrompt | TextPrompt, tokens: list[int]) -> Detokenizer:
        """A text goes on from its prompt; of a message, the special tokens that mark its parts go to the parser."""
        if isinstance(prompt, TextPrompt):
            return Detokenizer(self._vocabulary, tokens[-_PROMPT_END:])
        begun = tokens[-_PROMPT_END:] if prompt.template_options.get("continue_final_message") else ()
        marks = self._format.marks(with_tools=bool(prompt.tools))
        return Detokenizer(self._vocabulary, begun, hidden=self._vocabulary.special_but(marks))

    def _parser(self, work: Generate, stop: tuple[str, ...], tokens: list[int]) -> Parser:
        stops = StopStage(stop, one_call=not work.parallel_tool_calls)
        if isinstance(work.prompt, TextPrompt):
            return Parser([], stops)
        end = self._vocabulary.decode(tokens[-_PROMPT_END:])
        return Parser.of_chat(self._format, end, stops, with_tools=bool(work.prompt.tools))

    def _forward_all(self) -> list[tuple[Sequence, Tensor]]:
        """The sequences that get a token now, with the logits of that token."""
        advancing = self._scheduler.to_decode()
        if sequence_to_read := self._scheduler.to_prefill():
            advancing.append(sequence_to_read)
        rows = []
        for sequence in advancing:
            with self._failing_alone(sequence):
                if (logits := self._forward(sequence)) is not None:
                    rows.append((sequence, logits))
        return rows

    def _forward(self, sequence: Sequence) -> Tensor | None:
        """The logits of the next token, float32 [vocabulary]; None where only a chunk of the prompt has been read."""
        if not sequence.prefilling:
            return self._runner.decode(sequence)
        logits = self._runner.prefill(sequence, self._limits.prefill_step(self._weights.plan.device))
        if logits is not None:
            self._scheduler.prefilled(sequence)
            self.meter.prompt(len(sequence.prompt))
        return logits

    def _take_all(self, rows: list[tuple[Sequence, Tensor]]) -> None:
        choices = self._choose(rows)
        for (sequence, _), choice in zip(rows, choices, strict=True):
            if sequence.request_id in self._emits:  # else another answer to the same request has just failed
                with self._failing_alone(sequence):
                    self._take(sequence, choice)

    def _choose(self, rows: list[tuple[Sequence, Tensor]]) -> list[Choice]:
        if not rows:
            return []
        try:
            return sample(torch.stack([logits for _, logits in rows]), [sequence.sampler for sequence, _ in rows])
        except Exception as error:  # noqa: BLE001 - requests that fail never end the host
            return [Choice(-1, failure=explained(error, "choosing tokens"))] * len(rows)

    def _take(self, sequence: Sequence, choice: Choice) -> None:
        if choice.failure:
            raise choice.failure
        emit = self._emits[sequence.request_id]
        self.meter.tokens(sequence)
        output = sequence.push(choice.token, choice.scores)
        for said in output.said:
            emit(Piece(sequence.request_id, sequence.index, said.text, said.channel, said.logprobs))
        if output.reason:
            self.meter.ended(sequence, output.reason)
            self._end(sequence)
            usage = Usage(len(sequence.prompt), sequence.count)
            emit(Finished(sequence.request_id, sequence.index, output.reason, usage))

    def _end(self, sequence: Sequence) -> None:
        self._scheduler.remove(sequence.request_id, sequence.index)
        if not self._scheduler.holds(sequence.request_id):
            del self._emits[sequence.request_id]

    @contextmanager
    def _failing_alone(self, sequence: Sequence) -> Iterator[None]:
        """A failure ends the request that it belongs to, and no other: it never ends the host."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._fail(sequence.request_id, error)

    def _fail(self, request_id: str, error: Exception) -> None:
        emit = self._emits.get(request_id)  # None where another answer to the same request has failed before
        self.cancel(request_id)
        if emit:
            emit(explained(error, "generating text").event(request_id))

    def _embedder(self) -> EncodeEngine:
        from llamafarm_universal.host.engines.encode.load import sharing

        with self._sharing:  # requests are prepared in several threads
            if self._embedding is None:
                self._embedding = sharing(self._weights, self._limits)
                self._embedding.model = self.model
            return self._embedding


def _describe(weights: Weights, limits: ModelLimits, model_format: Format) -> LoadedModel:
    template = str(weights.tokenizer.chat_template or "")
    able = {"chat": bool(template), "tools": "tools" in template, "reasoning": model_format.thinks(template)}
    features = {"completions", "embeddings", *(name for name, is_able in able.items() if is_able)}
    dimensions = getattr(weights.module.config.get_text_config(), "hidden_size", None)
    model = weights.describe(("generate", "count", "embed"), features, limits.context_length, dimensions)
    return replace(model, not_applied=not_applied(limits.defaults))
