"""Runs the model forward for one sequence at a time, each with a KV cache of its own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.sequence import Sequence

if TYPE_CHECKING:
    from torch import Tensor

_CACHE_NAMES = ("past_key_values", "cache_params")  # cache_params: state-space models


class Runner:
    """module: a transformers causal language model. Raises RequestFailed where it keeps no cache."""

    def __init__(self, module: Any, device: str) -> None:
        self._module = module
        self._device = device
        accepted = inspect.signature(module.forward).parameters
        names = [name for name in _CACHE_NAMES if name in accepted]
        if not names:
            raise RequestFailed("not_supported", f"{type(module).__name__} keeps no KV cache: it cannot be streamed.")
        self._cache_name = names[0]
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def prefill(self, sequence: Sequence, limit: int) -> Tensor | None:
        """Read at most `limit` more tokens of the prompt. Returns the logits of the next token once it is all read."""
        chunk = sequence.prompt[sequence.done : sequence.done + limit]
        logits = self._forward(sequence, chunk)
        sequence.done += len(chunk)
        return None if sequence.prefilling else logits

    def decode(self, sequence: Sequence) -> Tensor:
        """The logits of the token after the last one: float32 [vocabulary]."""
        return self._forward(sequence, [sequence.last_token])

    def _forward(self, sequence: Sequence, tokens: list[int]) -> Tensor:
        from transformers import DynamicCache

        if sequence.cache is None:
            sequence.cache = DynamicCache(config=self._module.config)
        ids = torch.tensor([tokens], device=self._device)
        with torch.inference_mode():
            result = self._module(
                input_ids=ids, use_cache=True, return_dict=True, **{self._cache_name: sequence.cache}, **self._options
            )
            logits: Tensor = result.logits[0, -1].float()
        return logits
