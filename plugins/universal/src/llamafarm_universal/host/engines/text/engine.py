"""The text engine: any causal language model of transformers, many answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamafarm_universal.host.engines.base import Emit, Work
from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.limits import Limits
from llamafarm_universal.host.engines.text.prompt import encode, field_of
from llamafarm_universal.host.engines.text.runner import Runner
from llamafarm_universal.host.engines.text.sampling import Sampler, log_probabilities, settle
from llamafarm_universal.host.engines.text.scheduler import Scheduler
from llamafarm_universal.host.engines.text.sequence import Sequence
from llamafarm_universal.host.engines.text.stop import StopMatcher
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary
from llamafarm_universal.host.failure import explained, refused
from llamafarm_universal.host.messages import (
    Accepted,
    ChatPrompt,
    Count,
    Counted,
    Embed,
    Finished,
    Generate,
    LoadedModel,
    Piece,
    TextPrompt,
)
from llamafarm_universal.host.models.loader import Weights, load_weights
from llamafarm_universal.host.models.plan import LoadPlan
from llamafarm_universal.host.options import HostOptions

if TYPE_CHECKING:
    from torch import Tensor

    from llamafarm_universal.host.engines.embedding import EmbeddingEngine


_CONTINUED = 64  # tokens of a prompt, special ones among them, that the text of an answer may depend on


class TextEngine:
    """Generates text, and embeds with the same weights.

    An answer depends on its own request alone: each sequence has its own cache, sampling and random generator.
    """

    def __init__(self, weights: Weights, options: HostOptions) -> None:
        self._weights = weights
        self._options = options
        self._limits = Limits.of(weights)
        self._vocabulary = Vocabulary(weights.tokenizer)
        self._runner = Runner(weights.module, weights.plan.device)
        self._scheduler = Scheduler(options.max_sequences, options.max_waiting)
        self._emits: dict[str, Emit] = {}
        self._embedding: EmbeddingEngine | None = None
        self.model = _describe(weights, self._limits)

    @classmethod
    def load(cls, plan: LoadPlan, options: HostOptions) -> TextEngine:
        from transformers import AutoModelForCausalLM

        return cls(load_weights(plan, AutoModelForCausalLM), options)

    def submit(self, work: Work, emit: Emit) -> None:
        if isinstance(work, Embed):
            self._embedder().submit(work, emit)
            return
        prompt = encode(work.prompt, self._weights.tokenizer, work.ref.id, self._limits.vocabulary)
        if isinstance(work, Count):
            emit(Counted(work.request_id, len(prompt)))
            return
        self._scheduler.add(self._sequences(work, prompt))
        self._emits[work.request_id] = emit
        emit(Accepted(work.request_id, len(prompt), self.model))

    def cancel(self, request_id: str) -> None:
        self._emits.pop(request_id, None)
        self._scheduler.remove(request_id)
        if self._embedding:
            self._embedding.cancel(request_id)

    def step(self) -> bool:
        for sequence in self._scheduler.to_decode():
            if sequence.request_id in self._emits:  # else another answer to the same request has just failed
                self._advance(sequence)
        if sequence_to_read := self._scheduler.to_prefill():
            self._advance(sequence_to_read)
        embeds = self._embedding.step() if self._embedding else False
        return embeds or self._scheduler.has_work

    def close(self) -> None:
        for request_id in list(self._emits):
            self.cancel(request_id)
        if self._embedding:
            self._embedding.close()
        self._embedding = None
        del self._runner, self._weights

    def _sequences(self, work: Generate, prompt: list[int]) -> list[Sequence]:
        sampling = work.sampling
        most = self._options.max_sequences + self._options.max_waiting
        if not 1 <= work.n <= most:
            raise refused(f"`n` must lie between 1 and {most}; it is {work.n}.", "n")
        if not all(sampling.stop):
            raise refused("A stop text must not be empty.", "stop")
        max_tokens = self._limits.admit(len(prompt), sampling.max_tokens, field_of(work.prompt))
        settings = settle(sampling, self._limits.defaults, self._limits.vocabulary)
        return [
            Sequence(
                work.request_id,
                index,
                prompt,
                max_tokens,
                self._limits.end_tokens,
                Sampler(settings, prompt, self._weights.plan.device, offset=index),
                Detokenizer(self._vocabulary, _continued(work.prompt, prompt)),
                StopMatcher(sampling.stop),
            )
            for index in range(work.n)
        ]

    def _advance(self, sequence: Sequence) -> None:
        """One chunk of the prompt, or one token. A failure ends the request it belongs to, and no other."""
        try:
            logits = self._forward(sequence)
            if logits is not None:
                self._take(sequence, logits)
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            self._fail(sequence.request_id, error)

    def _forward(self, sequence: Sequence) -> Tensor | None:
        if not sequence.prefilling:
            return self._runner.decode(sequence)
        logits = self._runner.prefill(sequence, self._options.prefill_step(self._weights.plan.device))
        if logits is not None:
            self._scheduler.prefilled(sequence)
        return logits

    def _take(self, sequence: Sequence, logits: Tensor) -> None:
        emit = self._emits[sequence.request_id]
        token = sequence.sampler.choose(logits)
        top = sequence.sampler.settings.logprobs
        output = sequence.push(token, None if top is None else log_probabilities(logits, token, top))
        if output.text or output.logprobs:
            emit(Piece(sequence.request_id, sequence.index, output.text, output.logprobs))
        if output.reason:
            self._end(sequence)
            emit(Finished(sequence.request_id, sequence.index, output.reason, sequence.count))

    def _end(self, sequence: Sequence) -> None:
        self._scheduler.remove(sequence.request_id, sequence.index)
        if not self._scheduler.holds(sequence.request_id):
            del self._emits[sequence.request_id]

    def _fail(self, request_id: str, error: Exception) -> None:
        emit = self._emits[request_id]
        self.cancel(request_id)
        emit(explained(error, "generating text").event(request_id))

    def _embedder(self) -> EmbeddingEngine:
        from llamafarm_universal.host.engines.embedding import EmbeddingEngine

        if self._embedding is None:
            self._embedding = EmbeddingEngine.sharing(self._weights, self._options)
        return self._embedding


def _continued(prompt: ChatPrompt | TextPrompt, tokens: list[int]) -> list[int]:
    """The tokens that an answer's text goes on from: none where it is a message of its own."""
    if isinstance(prompt, ChatPrompt) and not prompt.template_options.get("continue_final_message"):
        return []
    return tokens[-_CONTINUED:]


def _describe(weights: Weights, limits: Limits) -> LoadedModel:
    plan = weights.plan
    template: Any = weights.tokenizer.chat_template
    features = {"completions", "embeddings", *(["chat"] if template else [])}
    if "tools" in str(template):
        features.add("tools")
    return LoadedModel(
        ref=plan.ref,
        engine="text",
        device=plan.device,
        dtype=plan.dtype,
        parameters=weights.parameters,
        memory_bytes=weights.memory_bytes,
        context_length=limits.context_length,
        dimensions=getattr(weights.module.config.get_text_config(), "hidden_size", None),
        features=frozenset(features),
    )
