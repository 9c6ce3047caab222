"""Runs the model forward for one sequence at a time, each with a KV cache of its own."""

from __future__ import annotations

import inspect
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.sequence import Sequence

if TYPE_CHECKING:
    from torch import Tensor

_CACHE_NAMES = ("past_key_values", "cache_params")  # cache_params: state-space models


_TRIAL = 24  # tokens of the prompt that is read in both ways when a model is loaded
_TRIAL_CHUNKS = (0, 10, 19, _TRIAL)
_TOLERANCE = 0.01  # rounding made 0.002 at most among 150 architectures with random weights, forgetting 0.03 at least


class Runner:
    """module: a transformers causal language model. Raises RequestFailed where it keeps no cache.

    reads_in_chunks: whether a prompt may be read in several steps. Some models forget what they have read when more
    than one token follows (Mamba and its kin among them), so each is tried when it is loaded.
    """

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

    def prefill(self, sequence: Sequence, limit: int) -> Tensor | None:
        """Read more of the prompt: at most `limit` tokens, or all where the model reads no chunks.

        Returns the logits of the next token once it is all read.
        """
        end = sequence.done + limit if self.reads_in_chunks else len(sequence.prompt)
        chunk = sequence.prompt[sequence.done : end]
        logits = self._forward(sequence, chunk)
        sequence.done += len(chunk)
        return None if sequence.prefilling else logits

    def decode(self, sequence: Sequence) -> Tensor:
        """The logits of the token after the last one: float32 [vocabulary]."""
        return self._forward(sequence, [sequence.last_token])

    def _forward(self, sequence: Sequence, tokens: list[int]) -> Tensor:
        logits, sequence.cache = self._logits(tokens, sequence.cache)
        return logits

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
        """Whether a short prompt read in chunks gives the logits of the same prompt read at once.

        They may differ, as root mean squares, by a hundredth, or by what the weights' number format cannot tell apart.
        """
        weight = self._module.get_input_embeddings().weight
        tokens = [(index + 1) * len(weight) // (_TRIAL + 2) for index in range(_TRIAL)]
        whole, _ = self._logits(tokens, None)
        cache = None
        for begin, end in pairwise(_TRIAL_CHUNKS):
            chunked, cache = self._logits(tokens[begin:end], cache)
        tolerance = max(_TOLERANCE, math.sqrt(torch.finfo(weight.dtype).eps))
        return bool((chunked - whole).norm() <= tolerance * (whole - whole.mean()).norm())
