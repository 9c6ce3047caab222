"""Windows that are written down together: one token of each in every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.audio.whisper.recording import Reading
from llamafarm_universal.host.engines.audio.whisper.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(eq=False)
class Row:
    """The text of one window so far. logprobs: the sum over its tokens, the last one included."""

    reading: Reading
    generator: torch.Generator
    tokens: list[int] = field(default_factory=list)
    logprobs: float = 0.0
    no_speech: float = 0.0

    @property
    def avg_logprob(self) -> float:
        """As the mean over its tokens and its end. Source: openai-whisper's decoding."""
        return self.logprobs / (len(self.tokens) + 1)


class Group:
    """Windows whose texts begin with as many tokens. most: tokens that a text may have with its beginning."""

    def __init__(self, module: Any, vocabulary: Vocabulary, readings: Sequence[Reading], most: int) -> None:
        self._module = module
        self._vocabulary = vocabulary
        self._most = most
        self.rows = [Row(reading, _generator(reading)) for reading in readings]
        begins = [beginning(vocabulary, reading) for reading in readings]
        self._ids = torch.tensor(begins, device=module.device)
        self._start = self._ids.shape[1]
        self._begin_at = begins[0].index(vocabulary.start)
        self._states = torch.cat([reading.states for reading in readings])
        self._cache = _cache()
        self._processors = _processors(module, self._start)

    def step(self) -> list[Row]:
        """Write the next token of each window. Returns those whose text has ended, which leave the group."""
        is_first = self._ids.shape[1] == self._start
        logits = self._logits(self._ids if is_first else self._ids[:, -1:])
        if is_first:
            silence = logits[:, self._begin_at].softmax(-1)[:, self._vocabulary.no_speech]
            for row, share in zip(self.rows, silence.tolist(), strict=True):
                row.no_speech = share
        scores = logits[:, -1]
        for processor in self._processors:
            scores = processor(self._ids, scores)
        chosen = self._choose(scores)
        self._ids = torch.cat([self._ids, chosen[:, None]], dim=1)
        return self._end_rows(chosen.tolist())

    def drop(self, readings: Sequence[Reading]) -> None:
        """Leave windows out from here on."""
        self._keep([at for at, row in enumerate(self.rows) if row.reading not in readings])

    def _logits(self, ids: Tensor) -> Tensor:
        hidden = self._module.model.decoder(
            input_ids=ids, encoder_hidden_states=self._states, past_key_values=self._cache, use_cache=True
        ).last_hidden_state
        logits: Tensor = self._module.proj_out(hidden).float()
        return logits

    def _choose(self, scores: Tensor) -> Tensor:
        """The likeliest token of each row, or one by chance where its temperature is not 0."""
        logprobs = scores.log_softmax(-1)
        chosen = scores.argmax(-1)
        for at, row in enumerate(self.rows):
            if temperature := row.reading.temperature:
                shares = (scores[at] / temperature).softmax(-1).cpu()
                chosen[at] = int(torch.multinomial(shares, 1, generator=row.generator))
        for row, logprob in zip(self.rows, logprobs.gather(1, chosen[:, None]).flatten().tolist(), strict=True):
            row.logprobs += logprob
        return chosen

    def _end_rows(self, chosen: list[int]) -> list[Row]:
        is_full = self._ids.shape[1] >= self._most
        ended, kept = [], []
        for at, (row, token) in enumerate(zip(self.rows, chosen, strict=True)):
            if token != self._vocabulary.end:
                row.tokens.append(token)
            if token == self._vocabulary.end or is_full:
                ended.append(row)
            else:
                kept.append(at)
        if ended:
            self._keep(kept)
        return ended

    def _keep(self, places: list[int]) -> None:
        if len(places) == len(self.rows):
            return
        self.rows = [self.rows[at] for at in places]
        if not places:
            return
        index = torch.tensor(places, device=self._ids.device)
        self._ids = self._ids[index]
        self._states = self._states[index]
        if self._ids.shape[1] > self._start:
            self._cache.batch_select_indices(index)


def beginning(vocabulary: Vocabulary, reading: Reading) -> list[int]:
    """With which tokens the text of a window begins."""
    recording = reading.recording
    return [*recording.prompt, *vocabulary.begin(recording.language, recording.task)]


def _generator(reading: Reading) -> torch.Generator:
    """Chance that is the same whenever the same window is tried again, whatever is written beside it."""
    return torch.Generator().manual_seed(reading.part.number * 64 + reading.attempt)


def _cache() -> Any:
    from transformers import DynamicCache, EncoderDecoderCache

    return EncoderDecoderCache(DynamicCache(), DynamicCache())


def _processors(module: Any, start: int) -> list[Any]:
    """What Whisper's authors have its texts held to. start: how many tokens they begin with."""
    from transformers.generation.logits_process import (
        SuppressTokensAtBeginLogitsProcessor,
        SuppressTokensLogitsProcessor,
        WhisperTimeStampLogitsProcessor,
    )

    generation, device = module.generation_config, module.device
    processors: list[Any] = []
    if generation.begin_suppress_tokens:
        processors.append(SuppressTokensAtBeginLogitsProcessor(generation.begin_suppress_tokens, start, device=device))
    if generation.suppress_tokens:
        processors.append(SuppressTokensLogitsProcessor(generation.suppress_tokens, device=device))
    return [*processors, WhisperTimeStampLogitsProcessor(generation, start)]
