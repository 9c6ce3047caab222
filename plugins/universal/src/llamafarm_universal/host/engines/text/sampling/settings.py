"""How one request chooses its tokens, with every default filled in and every value checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llamafarm_universal.failure import refused
from llamafarm_universal.host.engines.text.generation_settings import default_temperature, sequence_biases, texts
from llamafarm_universal.host.engines.text.limits import ModelLimits
from llamafarm_universal.messages import Sampling

MAX_LOGPROBS = 20
_RANGES = {
    "temperature": (0.0, 100.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (0.0, 1.0),
    "repetition_penalty": (0.01, 100.0),
    "presence_penalty": (-100.0, 100.0),
    "frequency_penalty": (-100.0, 100.0),
}


@dataclass(frozen=True)
class Settings:
    """A request's sampling. temperature 0: always the likeliest token. top_k 0: all.

    end_tokens: they end the answer and are no part of it; neither they nor a text of `stop` do before min_tokens.
    suppressed, begin_suppressed: tokens that never come, or not first. sequence_bias: for sequences of tokens what is
    added to the last one after the others. no_repeat_ngram: no sequence of so many tokens comes twice; 0: any may.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    logprobs: int | None = None
    stop: tuple[str, ...] = ()
    end_tokens: frozenset[int] = frozenset()
    min_tokens: int = 0
    suppressed: tuple[int, ...] = ()
    begin_suppressed: tuple[int, ...] = ()
    sequence_bias: Mapping[tuple[int, ...], float] = field(default_factory=dict)
    no_repeat_ngram: int = 0

    @property
    def penalises(self) -> bool:
        return self.repetition_penalty != 1.0 or self.presence_penalty != 0.0 or self.frequency_penalty != 0.0

    @property
    def biases(self) -> bool:
        added = self.logit_bias or self.suppressed or self.begin_suppressed or self.sequence_bias
        return bool(added or self.no_repeat_ngram or self.min_tokens)


def settle(sampling: Sampling, limits: ModelLimits) -> Settings:
    """Fill in what a request leaves open from the model's generation_config.json, then from Settings.

    A model whose author wrote `do_sample: false` is greedy unless the request gives a temperature.
    Raises RequestFailed naming the parameter that is out of range.
    """
    author = limits.defaults
    settings = Settings(
        temperature=_first(sampling.temperature, default_temperature(author), 1.0),
        top_p=_first(sampling.top_p, author.get("top_p"), 1.0),
        top_k=max(0, int(_first(sampling.top_k, author.get("top_k"), 0))),
        min_p=_first(sampling.min_p, author.get("min_p"), 0.0),
        typical_p=_first(sampling.typical_p, author.get("typical_p"), 1.0),
        repetition_penalty=_first(sampling.repetition_penalty, author.get("repetition_penalty"), 1.0),
        presence_penalty=sampling.presence_penalty or 0.0,
        frequency_penalty=sampling.frequency_penalty or 0.0,
        logit_bias=sampling.logit_bias,
        seed=sampling.seed,
        logprobs=sampling.logprobs,
        stop=sampling.stop or texts(author.get("stop_strings")),
        end_tokens=(frozenset() if sampling.ignore_eos else limits.end_tokens) | frozenset(sampling.stop_token_ids),
        min_tokens=_first(sampling.min_tokens, _least(author, sampling.max_tokens), 0),
        suppressed=tuple(author.get("suppress_tokens") or ()),
        begin_suppressed=tuple(author.get("begin_suppress_tokens") or ()),
        sequence_bias=sequence_biases(author, limits.end_tokens),
        no_repeat_ngram=author.get("no_repeat_ngram_size") or 0,
    )
    _check(settings, sampling, limits.vocabulary)
    return settings


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _least(author: Mapping[str, Any], max_tokens: int | None) -> int | None:
    """The author's least length of an answer, as far as the request has room for it."""
    least: int | None = author.get("min_new_tokens")
    return least if least is None or max_tokens is None else min(least, max_tokens)


def _check(settings: Settings, sampling: Sampling, vocabulary: int) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise refused(f"`{name}` must lie between {low:g} and {high:g}; it is {value:g}.", name)
    for token, bias in settings.logit_bias.items():
        if not 0 <= token < vocabulary or not math.isfinite(bias):
            message = f"`logit_bias` has {token}: {bias}; this model's tokens are 0 to {vocabulary - 1}."
            raise refused(message, "logit_bias")
    for token in sampling.stop_token_ids:
        if not 0 <= token < vocabulary:
            message = f"`stop_token_ids` has {token}; this model's tokens are 0 to {vocabulary - 1}."
            raise refused(message, "stop_token_ids")
    if settings.logprobs is not None and not 0 <= settings.logprobs <= MAX_LOGPROBS:
        raise refused(f"`top_logprobs` must lie between 0 and {MAX_LOGPROBS}.", "top_logprobs")
    if not all(settings.stop):
        raise refused("A stop text must not be empty.", "stop")
    if settings.min_tokens < 0 or (sampling.max_tokens is not None and settings.min_tokens > sampling.max_tokens):
        raise refused(f"`min_tokens` must lie between 0 and `max_tokens`; it is {settings.min_tokens}.", "min_tokens")
