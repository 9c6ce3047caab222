"""How one sequence chooses its next token. Nothing here is shared between sequences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.messages import Sampling

if TYPE_CHECKING:
    from torch import Tensor

MAX_LOGPROBS = 20
Scores = tuple[float, list[tuple[int, float]]]
"""The log probability of a chosen token, and the likeliest tokens with theirs."""
_NUCLEUS = 1024  # tokens that are looked at first for top_p: sorting a whole vocabulary takes fifty times as long
_GREEDY = 1e-5  # below this temperature drawing and taking the likeliest are the same, but for overflow


@dataclass(frozen=True)
class Settings:
    """A request's sampling with every default filled in. temperature 0: always the likeliest token. top_k 0: all."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    logprobs: int | None = None


def settle(sampling: Sampling, defaults: Mapping[str, Any], vocabulary: int) -> Settings:
    """Fill in what a request leaves open from the model's generation_config.json, then from Settings.

    A model whose author wrote `do_sample: false` is greedy unless the request gives a temperature.
    Raises RequestFailed naming the parameter that is out of range.
    """
    settings = Settings(
        temperature=_first(sampling.temperature, _default_temperature(defaults), 1.0),
        top_p=_first(sampling.top_p, defaults.get("top_p"), 1.0),
        top_k=max(0, int(_first(sampling.top_k, defaults.get("top_k"), 0))),
        min_p=_first(sampling.min_p, defaults.get("min_p"), 0.0),
        repetition_penalty=_first(sampling.repetition_penalty, defaults.get("repetition_penalty"), 1.0),
        presence_penalty=sampling.presence_penalty or 0.0,
        frequency_penalty=sampling.frequency_penalty or 0.0,
        logit_bias=sampling.logit_bias,
        seed=sampling.seed,
        logprobs=sampling.logprobs,
    )
    _check(settings, vocabulary)
    return settings


class Sampler:
    """Chooses the tokens of one sequence.

    prompt: its token ids, which the repetition penalty counts. offset: added to the seed, to tell the sequences of one
    request apart. Each sampler has a random generator of its own, so what else runs changes nothing.
    """

    def __init__(self, settings: Settings, prompt: Sequence[int], device: str, offset: int = 0) -> None:
        self.settings = settings
        self._prompt = prompt
        self._generator = torch.Generator(device=device)
        if settings.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed((settings.seed + offset) % 2**63)
        self._history: _History | None = None  # made with the first logits, if any setting needs it

    def choose(self, logits: Tensor) -> int:
        """The next token. logits: float32, one for each token of the vocabulary; left unchanged.

        Raises RequestFailed where the model computed no numbers.
        """
        if bool(logits.isnan().any()):
            raise _no_numbers("NaN")
        if self._history is None and _needs_history(self.settings):
            self._history = _History(self.settings, self._prompt, logits)
        scores = self._history.adjusted(logits) if self._history else logits
        token = int(scores.argmax()) if self.settings.temperature < _GREEDY else self._draw(scores)
        if self._history:
            self._history.add(token)
        return token

    def _draw(self, scores: Tensor) -> int:
        shares, tokens = _narrowed(scores / self.settings.temperature, self.settings)
        chosen = _drawn(shares, self._generator)
        return chosen if tokens is None else int(tokens[chosen])


class _History:
    """Penalties and bias, as OpenAI's API and the repetition-penalty paper (arXiv:1909.05858) define them.

    seen: which tokens prompt and answer hold; counts: how often the answer has each; both [vocabulary].
    """

    def __init__(self, settings: Settings, prompt: Sequence[int], logits: Tensor) -> None:
        self._settings = settings
        self._counts = torch.zeros_like(logits)
        self._seen = torch.zeros_like(logits, dtype=torch.bool)
        self._seen[torch.tensor(prompt, dtype=torch.long, device=logits.device)] = True
        self._bias = torch.zeros_like(logits)
        for token, bias in settings.logit_bias.items():
            self._bias[token] = bias

    def adjusted(self, logits: Tensor) -> Tensor:
        settings = self._settings
        penalty = settings.repetition_penalty
        repeated = torch.where(logits > 0, logits / penalty, logits * penalty)
        scores = torch.where(self._seen, repeated, logits) if penalty != 1.0 else logits
        present = (self._counts > 0).to(scores.dtype)
        return scores - settings.presence_penalty * present - settings.frequency_penalty * self._counts + self._bias

    def add(self, token: int) -> None:
        self._counts[token] += 1
        self._seen[token] = True


def _needs_history(settings: Settings) -> bool:
    penalties = settings.repetition_penalty != 1.0 or settings.presence_penalty or settings.frequency_penalty
    return bool(penalties or settings.logit_bias)


def log_probabilities(logits: Tensor, chosen: int, top: int) -> Scores:
    """Natural logarithms of the model's own probabilities, before temperature, penalties and bias.

    Returns that of the chosen token, and the `top` likeliest tokens with theirs.
    """
    logs = logits.log_softmax(-1)
    best = logs.topk(top) if top else None
    alternatives = list(zip(best.indices.tolist(), best.values.tolist(), strict=True)) if best else []
    return float(logs[chosen]), alternatives


def _drawn(shares: Tensor, generator: torch.Generator) -> int:
    """Draw an index with probabilities in proportion to its share.

    By the inverse of the cumulative shares: torch.multinomial takes twenty times as long for a whole vocabulary.
    """
    heights = shares.cumsum(-1)
    total = heights[-1]
    if not bool(total.isfinite()):
        raise _no_numbers("infinity")
    height = torch.rand(1, generator=generator, device=shares.device) * total
    # What has no share adds no height, so that it is never the first above; rounding can put the last height on top.
    index = int(torch.searchsorted(heights, height, right=True))
    return index if index < len(shares) else int(shares.nonzero()[-1])


def _narrowed(scores: Tensor, settings: Settings) -> tuple[Tensor, Tensor | None]:
    """Shares of the tokens that top_k, min_p and top_p leave, with the tokens' ids (None: all, in order)."""
    if settings.min_p > 0:
        scores = scores.masked_fill(scores < scores.max() + math.log(settings.min_p), -math.inf)
    if settings.top_k:
        scores, tokens = scores.topk(min(settings.top_k, scores.numel()))
        shares = scores.softmax(-1)
    elif settings.top_p < 1:
        shares, tokens = _likeliest(scores.softmax(-1), settings.top_p)
    else:
        return scores.softmax(-1), None
    if settings.top_p < 1:
        before = shares.cumsum(-1) - shares  # what the likelier tokens have together
        beyond = before >= settings.top_p
        beyond[0] = False  # the likeliest always stays
        shares = shares.masked_fill(beyond, 0.0)
    return shares, tokens


def _likeliest(shares: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The likeliest tokens, the first first, that have this share together at least: seldom more than a few hundred."""
    some, tokens = shares.topk(min(_NUCLEUS, shares.numel()))
    if float(some.sum()) < top_p:
        some, tokens = shares.sort(descending=True)
    return some, tokens


def _no_numbers(instead: str) -> RequestFailed:
    return RequestFailed(
        "internal",
        f"The model computed {instead} instead of numbers: an overflow, or damaged weights.",
        hint="Load it with dtype bf16 or fp32; fp16 is too narrow for some models.",
    )


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _default_temperature(defaults: Mapping[str, Any]) -> float | None:
    return 0.0 if defaults.get("do_sample") is False else defaults.get("temperature")


def _check(settings: Settings, vocabulary: int) -> None:
    ranges = {
        "temperature": (0.0, 100.0),
        "top_p": (0.0, 1.0),
        "min_p": (0.0, 1.0),
        "repetition_penalty": (0.01, 100.0),
        "presence_penalty": (-100.0, 100.0),
        "frequency_penalty": (-100.0, 100.0),
    }
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise refused(f"`{name}` must lie between {low:g} and {high:g}; it is {value:g}.", name)
    for token, bias in settings.logit_bias.items():
        if not 0 <= token < vocabulary or not math.isfinite(bias):
            message = f"`logit_bias` has {token}: {bias}; this model's tokens are 0 to {vocabulary - 1}."
            raise refused(message, "logit_bias")
    if settings.logprobs is not None and not 0 <= settings.logprobs <= MAX_LOGPROBS:
        raise refused(f"`top_logprobs` must lie between 0 and {MAX_LOGPROBS}.", "top_logprobs")
