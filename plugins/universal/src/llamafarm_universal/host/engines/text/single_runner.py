"""Runs the model forward for one text at a time, each with the cache that the model makes for it.

For models that cannot be run flat: those that remember in a state (Mamba), and those whose attention is their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text import trial
from llamafarm_universal.host.engines.text.context import Context, Reading

if TYPE_CHECKING:
    from torch import Tensor

_CACHE_NAMES = ("past_key_values", "cache_params")  # cache_params: state-space models
_TRIAL_CHUNKS = (0, 10, 19, trial.LENGTH)


class SingleRunner:
    """module: a transformers causal language model. Raises RequestFailed where it keeps no cache.

    token_bytes: what its cache grows by with each token. reads_in_chunks: whether a prompt may be read in several
    steps. Some models forget what they have read when more than one token follows (Mamba and its kin among them), so
    each is tried when it is loaded.
    """

    shares = False

    def __init__(self, module: Any, device: str) -> None:
        self._module = module
        self._device = device
        accepted = inspect.signature(module.forward).parameters
        names = [name for name in _CACHE_NAMES if name in accepted]
        if not names:
            raise RequestFailed("not_supported", f"{type(module).__name__} keeps no KV cache: it cannot be streamed.")
        self._cache_name = names[0]
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        self.reads_in_chunks = self._chunks_change_nothing()
        self.token_bytes = self._growth()

    def allocate(self, blocks: int) -> None:
        """Nothing: each text has a cache of its own."""

    def wipe(self, context: Context) -> None:
        """Nothing: what a text leaves behind is used by no other."""

    def run(self, readings: Sequence[Reading]) -> Tensor:
        """Read them. Returns the logits of those that complete their text, in order: float32 [texts, vocabulary]."""
        rows = []
        for reading in readings:
            logits, reading.context.state = self._logits(reading.tokens, reading.context.state)
            if reading.completes:
                rows.append(logits)
        return torch.stack(rows) if rows else torch.empty(0, 0)

    def _logits(self, tokens: list[int], cache: Any) -> tuple[Tensor, Any]:
        """Read tokens after those in the cache; None is an empty one, which the model makes as it needs it.

        Returns the logits of the next token, float32 [vocabulary], and the cache.
        """
        ids = torch.tensor([tokens], device=self._device)
        options = self._options if cache is None else {**self._options, self._cache_name: cache}
        with torch.inference_mode():
            result = self._module(input_ids=ids, use_cache=True, return_dict=True, **options)
            logits: Tensor = result.logits[0, -1].float()
        return logits, result[self._cache_name]

    def _chunks_change_nothing(self) -> bool:
        """Whether a short text read in chunks gives the logits of the same text read at once."""
        tokens = trial.tokens(self._module)
        whole, _ = self._logits(tokens, None)
        cache = None
        for begin, end in pairwise(_TRIAL_CHUNKS):
            chunked, cache = self._logits(tokens[begin:end], cache)
        return trial.same(chunked, whole, self._module)

    def _growth(self) -> int:
        tokens = trial.tokens(self._module)
        sizes = [_tensor_bytes(self._logits(tokens[:length], None)[1]) for length in (8, 16)]
        return (sizes[1] - sizes[0]) // 8


def _tensor_bytes(item: Any, seen: set[int] | None = None) -> int:
    """Of all tensors that an object holds."""
    seen = set() if seen is None else seen
    if id(item) in seen:
        return 0
    seen.add(id(item))
    if isinstance(item, torch.Tensor):
        return int(item.nbytes)
    if isinstance(item, dict):
        return sum(_tensor_bytes(value, seen) for value in item.values())
    if isinstance(item, (list, tuple)):
        return sum(_tensor_bytes(value, seen) for value in item)
    return _tensor_bytes(vars(item), seen) if hasattr(item, "__dict__") else 0
