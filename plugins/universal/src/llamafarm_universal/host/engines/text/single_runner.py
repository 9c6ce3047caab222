"""Runs the model forward for one text at a time, each with the cache that the model makes for it.

For models whose attention or cache is their own, so that nothing is known of it but that it can be handed back.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text import trial
from llamafarm_universal.host.engines.text.context import Reading
from llamafarm_universal.host.engines.text.one_by_one_runner import OneByOneRunner

if TYPE_CHECKING:
    from torch import Tensor

_CACHE_NAMES = ("past_key_values", "cache_params")  # cache_params: state-space models
_IN_PIECES = ((10,), (12,), (2,))


class SingleRunner(OneByOneRunner):
    """module: a transformers causal language model. Raises RequestFailed where it keeps no cache.

    token_bytes: what its cache grows by with each token. text_bytes: what a text takes beside that. reads_in_chunks:
    whether a prompt may be read in several steps. Some models forget what they have read when more than one token
    follows (Mamba and its kin among them), so each is tried when it is loaded.
    """

    def __init__(self, module: Any, device: str) -> None:
        self._module = module
        self._device = device
        self._cache_name = cache_name_of(module)
        accepted = inspect.signature(module.forward).parameters
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        self._takes_positions = "position_ids" in accepted
        self.reads_in_chunks = trial.Trial(module, device, (trial.LENGTH,)).passes(self, _IN_PIECES)
        self.token_bytes, self.text_bytes = self._sizes()

    def _read(self, reading: Reading) -> Tensor:
        context = reading.context
        logits, context.state = self._logits(reading.tokens, context.state, context.stored)
        return logits

    def _logits(self, tokens: list[int], cache: Any = None, past: int = 0) -> tuple[Tensor, Any]:
        """Read tokens behind so many in the cache; None is an empty one, which the model makes as it needs it.

        Returns the logits of the next token, float32 [vocabulary], and the cache.
        """
        ids = torch.tensor([tokens], device=self._device)
        options = self._options if cache is None else {**self._options, self._cache_name: cache}
        if self._takes_positions:  # a hybrid would count the keys of its first layer, which may have none
            options = {**options, "position_ids": torch.arange(past, past + len(tokens), device=self._device)[None]}
        with torch.inference_mode():
            result = self._module(input_ids=ids, use_cache=True, return_dict=True, **options)
            logits: Tensor = result.logits[0, -1].float()
        if self._cache_name not in result:
            raise _not_streamed(self._module)
        return logits, result[self._cache_name]

    def _sizes(self) -> tuple[int, int]:
        """What each token takes in the cache, and what a text takes that has none."""
        tokens = trial.tokens(self._module)
        short, long = (tensor_bytes(self._logits(tokens[:length])[1]) for length in (8, 16))
        each = (long - short) // 8
        return each, short - 8 * each


def cache_name_of(module: Any) -> str:
    """The argument that a model takes its cache in. Raises RequestFailed where it keeps none."""
    accepted = inspect.signature(module.forward).parameters
    for name in _CACHE_NAMES:
        if name in accepted:
            return name
    raise _not_streamed(module)


def _not_streamed(module: Any) -> RequestFailed:
    return RequestFailed(
        "not_supported", f"{type(module).__name__} hands out no cache of what it has read: it cannot be streamed."
    )


def tensor_bytes(item: Any, seen: set[int] | None = None) -> int:
    """Of all tensors that an object holds."""
    seen = set() if seen is None else seen
    if id(item) in seen:
        return 0
    seen.add(id(item))
    if isinstance(item, torch.Tensor):
        return int(item.nbytes)
    if isinstance(item, dict):
        return sum(tensor_bytes(value, seen) for value in item.values())
    if isinstance(item, (list, tuple)):
        return sum(tensor_bytes(value, seen) for value in item)
    return tensor_bytes(vars(item), seen) if hasattr(item, "__dict__") else 0
