"""The text engine: any language model of transformers, many answers at once."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llamafarm_universal.engine import (
    Accepted,
    Count,
    CountTexts,
    Embed,
    Emit,
    Engine,
    Finished,
    Generate,
    Limits,
    LoadedModel,
    LoadPlan,
    Piece,
    Usage,
    Work,
    explained,
    refused,
)
from llamafarm_universal.host.engines.adapted import Adapted
from llamafarm_universal.host.engines.text.answers import Answers, Prepared
from llamafarm_universal.host.engines.text.drafter import Draft, Drafter, load_draft
from llamafarm_universal.host.engines.text.generation_settings import not_applied
from llamafarm_universal.host.engines.text.guesses import Guesser, Guesses
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS
from llamafarm_universal.host.engines.text.limits import ModelLimits
from llamafarm_universal.host.engines.text.multimodal.load import prompts_of, runner_with_media
from llamafarm_universal.host.engines.text.multimodal.processor import read_processor, with_template
from llamafarm_universal.host.engines.text.multimodal.prompts import MediaPrompts
from llamafarm_universal.host.engines.text.multimodal.tower import Sight, Tower
from llamafarm_universal.host.engines.text.prompt import Prompts, field_of
from llamafarm_universal.host.engines.text.prompt_lookup import PromptLookup
from llamafarm_universal.host.engines.text.reading_cost import ReadingCost
from llamafarm_universal.host.engines.text.room import allocated, most_running
from llamafarm_universal.host.engines.text.runner import Runner, runner_of
from llamafarm_universal.host.engines.text.sampling import Choice, Sampler, settle
from llamafarm_universal.host.engines.text.scheduler import Scheduler, SchedulerLimits
from llamafarm_universal.host.engines.text.sequence import Sequence
from llamafarm_universal.host.engines.text.stepper import Stepper
from llamafarm_universal.host.engines.text.text_meter import TextMeter
from llamafarm_universal.host.models.loader import Weights, read_weights, ready_weights
from llamafarm_universal.host.models.lora import AdaptedLayers, Adapter, read_adapter
from llamafarm_universal.task import is_encoder_decoder

if TYPE_CHECKING:
    from llamafarm_universal.host.engines.encode.engine import EncodeEngine

log = logging.getLogger(__name__)
_SIGHT_SHARE = 16
"""This part of the memory keeps what a model made of the last pictures and sounds."""


class TextEngine:
    """Generates text, and embeds with the same weights.

    An answer depends on its own request alone: what it shares with others are steps of the model, and blocks of keys
    and values that would be the same. runner: of the model. grant: bytes for them. draft: of the model that guesses
    what this one will say. media: prompts with pictures and sounds, of one that takes them.
    """

    def __init__(
        self,
        weights: Weights,
        runner: Runner,
        limits: Limits,
        grant: int,
        draft: Draft | None = None,
        media: MediaPrompts | None = None,
    ) -> None:
        self._weights = weights
        self._limits = limits
        self._runner = runner
        sight = Sight(Tower(weights.module), grant // _SIGHT_SHARE) if media and media.delivery != "whole" else None
        grant -= grant // _SIGHT_SHARE if sight else 0
        chunk = limits.prefill_step(weights.plan.device)
        drafter = Drafter(draft, weights, self._runner, chunk) if draft else None
        running = most_running(weights.plan, self._runner, grant)
        self._cache = allocated(weights.plan, self._runner, grant, running, drafter)
        self._model_limits = ModelLimits.of(weights, self._cache.capacity * BLOCK_TOKENS)
        self._answers = Answers(
            weights.tokenizer,
            self._model_limits.vocabulary,
            self._model_limits.end_tokens,
            goes_on=not self._model_limits.start,
        )
        step_tokens = chunk if self._runner.reads_in_chunks else None
        cache = self._cache
        self.meter = TextMeter(lambda: self._scheduler.running, lambda: self._scheduler.waiting, lambda: cache.usage)
        self._scheduler = Scheduler(
            cache,
            SchedulerLimits(running, limits.max_waiting, step_tokens),
            ReadingCost.estimated(weights.plan.config, weights.parameters),
            self.meter.preempted,
        )
        guessers: list[Guesser] = [PromptLookup(), *([drafter] if drafter else [])]
        self._stepper = Stepper(self._runner, self._scheduler, Guesses(*guessers, count=self.meter.speculated), sight)
        self._layers = AdaptedLayers(weights.module)
        self._emits: dict[str, Emit] = {}
        self._embedding: EncodeEngine | None = None
        self._sharing = threading.Lock()
        self.model = _describe(weights, self._model_limits, self._answers, draft.weights if draft else None, media)
        self._prompts = Prompts(weights.tokenizer, self.model.ref.id, self._model_limits.vocabulary, media)
        if self.model.not_applied:
            names = ", ".join(self.model.not_applied)
            log.warning("`%s`: not applied of its generation_config.json: %s", weights.plan.ref.id, names)

    @classmethod
    def load(cls, plan: LoadPlan, grant: int) -> TextEngine:
        """Read the weights. Raises RequestFailed."""
        from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

        if plan.task == "multimodal":
            return cls._load_with_media(plan, grant)
        kind = AutoModelForSeq2SeqLM if is_encoder_decoder(plan.config) else AutoModelForCausalLM
        module, tokenizer = read_weights(plan, kind)
        runner = runner_of(module, plan.device)  # tried before anything is exchanged: few bits would hide what it does
        return cls(ready_weights(plan, module, tokenizer), runner, plan.limits, grant, load_draft(plan))

    @classmethod
    def _load_with_media(cls, plan: LoadPlan, grant: int) -> TextEngine:
        from transformers import AutoModelForMultimodalLM

        module, tokenizer = read_weights(plan, AutoModelForMultimodalLM)
        processor = read_processor(plan, module.config)
        media = None if processor is None else prompts_of(plan, module, processor)
        if media is None:
            runner = runner_of(module, plan.device)
        else:
            tokenizer = with_template(processor)
            runner, media = runner_with_media(module, plan.device, media)
        return cls(ready_weights(plan, module, tokenizer), runner, plan.limits, grant, load_draft(plan), media)

    def prepare(self, work: Work) -> Any:
        """The tokens of a prompt, or what the embedding engine prepares."""
        match work:
            case Embed():
                return self._embedder().prepare(work)
            case Generate():
                prompt = self._prompts.encode(work.prompt)
                return self._answers.prepare(work, prompt.tokens, prompt if prompt.has_media else None)
            case Count():
                return (len(self._prompts.encode(work.prompt).tokens),)
            case CountTexts():
                return self._prompts.counts.of(work.texts)
        raise AssertionError(work)

    def submit(self, request_id: str, work: Work, prepared: Any, emit: Emit, adapter: Adapter | None = None) -> None:
        match work:
            case Embed():
                self._embedder().submit(request_id, work, prepared, emit)
            case Count() | CountTexts():
                emit(Finished(request_id, usage=Usage(prompt_tokens=sum(prepared)), value=prepared))
            case Generate():
                sequences = self._sequences(request_id, work, prepared, adapter)
                self._scheduler.add(sequences)
                self._emits[request_id] = emit
                for sequence in sequences:
                    self.meter.begin(sequence)
                emit(Accepted(request_id, len(prepared.tokens), self.model))

    def cancel(self, request_id: str) -> None:
        self._emits.pop(request_id, None)
        self._scheduler.remove(request_id)
        if self._embedding:
            self._embedding.cancel(request_id)

    def step(self) -> bool:
        """One forward for all sequences that advance, one choice of tokens, then each sequence takes its own."""
        for sequence, choice in self._stepper.step():
            if sequence.request_id in self._emits:  # else another answer to the same request has just failed
                try:
                    self._take(sequence, choice)
                except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
                    self._fail(sequence, error)
        embeds = self._embedding.step() if self._embedding else False
        return embeds or self._scheduler.has_work

    def read_adapter(self, plan: LoadPlan) -> Adapter:
        """An adapter for the loaded weights, in a thread. Raises RequestFailed for one that does not fit them."""
        text_alone = plan.task == "multimodal" and self._runner.mixes_adapters
        return read_adapter(plan, self._weights.module, text_alone=text_alone)

    def adapted(self, plan: LoadPlan, adapter: Adapter) -> Engine:
        """What generates text with an adapter."""
        self._layers.put(adapter)
        return Adapted(self, _described_with(self.model, plan, adapter), adapter)

    def drop(self, adapter: Adapter) -> None:
        self._layers.remove(adapter)

    def close(self) -> None:
        for request_id in list(self._emits):
            self.cancel(request_id)
        if self._embedding:
            self._embedding.close()
        self._embedding = None
        self._answers.close()
        self._stepper.close()
        del self._runner, self._stepper, self._weights, self._cache, self._layers

    def _sequences(
        self, request_id: str, work: Generate, prepared: Prepared, adapter: Adapter | None
    ) -> list[Sequence]:
        sampling, prompt = work.sampling, prepared.tokens
        most = self._limits.sequences(self.model.device) + self._limits.max_waiting
        if not 1 <= work.n <= most:
            raise refused(f"`n` must lie between 1 and {most}; it is {work.n}.", "n")
        max_tokens = self._model_limits.admit(len(prompt), sampling.max_tokens, field_of(work.prompt))
        settings = settle(sampling, self._model_limits)
        sequences: list[Sequence] = []
        for index in range(work.n):
            context = self._model_limits.context(prompt, work.cache_salt, prepared.media, adapter)
            sequence = Sequence(
                request_id,
                index,
                context,
                max_tokens,
                Sampler(settings, list(context.tokens), offset=index),
                prepared.detokenizer(),
                prepared.parser(settings.stop),
                prepared.constraint(),
                first=sequences[0] if sequences else None,
            )
            sequences.append(sequence)
        return sequences

    def _take(self, sequence: Sequence, choice: Choice) -> None:
        if choice.failure:
            if sequence.context.table is not None:
                self._cache.disown(sequence.context.table)
            self._runner.wipe(sequence.context)
            raise choice.failure
        emit = self._emits[sequence.request_id]
        if sequence.count == 0:
            self.meter.prompt(sequence.usage.prompt_tokens, sequence.usage.cached_tokens)
        self.meter.tokens(sequence)
        output = sequence.push(choice.token, choice.scores)
        for said in output.said:
            emit(Piece(sequence.request_id, sequence.index, said.text, said.channel, said.logprobs))
        if output.reason:
            self.meter.ended(sequence, output.reason)
            self._end(sequence)
            emit(Finished(sequence.request_id, sequence.index, output.reason, sequence.usage))

    def _end(self, sequence: Sequence) -> None:
        self._scheduler.remove(sequence.request_id, sequence.index)
        if not self._scheduler.holds(sequence.request_id):
            del self._emits[sequence.request_id]

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        emit = self._emits[sequence.request_id]
        self.cancel(sequence.request_id)
        emit(explained(error, "generating text").event(sequence.request_id))

    def _embedder(self) -> EncodeEngine:
        from llamafarm_universal.host.engines.encode.load import sharing

        with self._sharing:  # requests are prepared in several threads
            if self._embedding is None:
                self._embedding = sharing(self._weights, self._limits)
                self._embedding.model = self.model
            return self._embedding


def _described_with(model: LoadedModel, plan: LoadPlan, adapter: Adapter) -> LoadedModel:
    """What is known of a model with an adapter: it takes the adapter's memory alone, and embeds nothing."""
    return replace(
        model,
        ref=plan.ref,
        parameters=plan.parameters,
        memory_bytes=adapter.memory_bytes,
        operations=model.operations - {"embed"},
        features=model.features - {"embeddings"},
        dimensions=None,
    )


def _describe(
    weights: Weights, limits: ModelLimits, answers: Answers, draft: Weights | None, media: MediaPrompts | None
) -> LoadedModel:
    operations, features = ["generate", "count", "count_texts"], answers.features | {"completions"}
    features |= media.features if media else set()
    not_here = set(not_applied(limits.defaults))
    if limits.start:
        not_here.discard("forced_bos_token_id")
    elif weights.plan.task == "text":
        operations.append("embed")
        features |= {"embeddings"}
    dimensions = getattr(weights.module.config.get_text_config(), "hidden_size", None)
    model = weights.describe(operations, features, limits.context_length, dimensions)
    memory = model.memory_bytes + (draft.memory_bytes if draft else 0)
    return replace(model, memory_bytes=memory, not_applied=tuple(sorted(not_here)))
