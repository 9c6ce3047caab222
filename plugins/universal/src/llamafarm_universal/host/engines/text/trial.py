"""Short texts that a model reads in two ways when it is loaded: both must give the same.

The same but for rounding, that is: in half precision, the model is asked what that makes. With few bits nothing could
be told any more, so models are tried before they get them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.kv_cache import KVCache
from llamafarm_universal.host.models.rounding import difference, embeddings_off_by, is_coarse, tolerance

if TYPE_CHECKING:
    from torch import Tensor

    from llamafarm_universal.host.engines.text.runner import Runner

LENGTH = 24
"""Tokens of the longest text."""
TOLERANCE = 0.01
"""Of the difference of logits, relative to how far they are apart: rounding in float32 makes 0.002 at most among 150
architectures with random weights, forgetting what was read 0.03 at least."""
_BLOCKS = 8


class Tried(Protocol):
    """Something else that a runner is tried with."""

    def passes_by(self, runner: Runner) -> bool:
        """Whether it gives what the model gives."""
        ...


class Trial:
    """Texts, and what a model gives behind each by itself: made before anything of it is changed.

    lengths: of the texts in tokens, LENGTH at most. Raises RequestFailed for a model whose numbers fp16 cannot hold.
    """

    def __init__(self, module: Any, device: str, lengths: Sequence[int] = (LENGTH, LENGTH)) -> None:
        self._module = module
        self._device = device
        self._attention = module.config._attn_implementation
        self.texts = [tokens(module, offset)[:length] for offset, length in enumerate(lengths)]
        self._wanted = self._at_once()
        is_narrow = module.get_input_embeddings().weight.dtype == torch.float16
        if is_narrow and any(bool(row.isnan().any()) for row in self._wanted):
            raise _too_large(module)

    def passes(self, runner: Runner, steps: Sequence[Sequence[int]]) -> bool:
        """Whether a runner gives the same, but for rounding, where it reads the texts in these steps.

        steps: how many tokens of each text are read at once; the last step completes all texts.
        """
        difference = self._difference(list(read(runner, self.texts, steps)))
        return difference <= TOLERANCE or difference <= self.tolerance

    @property
    def tolerance(self) -> float:
        """The difference of logits that is rounding, relative to how far they are apart."""
        return max(TOLERANCE, tolerance(self.noise))

    @cached_property
    def noise(self) -> float:
        """How far the model's answers are from themselves where its embeddings are off by a rounding; 0 in float32."""
        dtype = self._module.get_input_embeddings().weight.dtype
        if not is_coarse(dtype):
            return 0.0
        with self._own_attention(), embeddings_off_by(float(torch.finfo(dtype).eps), self._module):
            return self._difference(self._at_once())

    def _difference(self, rows: Sequence[Tensor]) -> float:
        return max(difference(row, wanted) for row, wanted in zip(rows, self._wanted, strict=True))

    def _at_once(self) -> list[Tensor]:
        """The logits behind each text, as the model gives them for it by itself: float32 [vocabulary]."""
        with torch.inference_mode():
            rows = [torch.tensor([text], device=self._device) for text in self.texts]
            return [
                self._module(input_ids=row, use_cache=False, return_dict=True).logits[0, -1].float() for row in rows
            ]

    @contextmanager
    def _own_attention(self) -> Iterator[None]:
        """Within it, the model computes its attention as it did at first."""
        current = self._module.config._attn_implementation
        if current == self._attention:
            yield
            return
        self._module.set_attn_implementation(self._attention)
        try:
            yield
        finally:
            self._module.set_attn_implementation(current)


def tokens(module: Any, offset: int = 0) -> list[int]:
    """Token ids from all over the vocabulary, behind the one that texts begin with. offset: makes another text.

    Without that one, trained models compute with other numbers than they do of real texts, and with less care.
    """
    size = len(module.get_input_embeddings().weight)
    text = [((index + 1) * size // (LENGTH + 2) + offset) % size for index in range(LENGTH)]
    begin = getattr(module.config.get_text_config(), "bos_token_id", None)
    return [begin, *text[1:]] if isinstance(begin, int) and 0 <= begin < size else text


def read(runner: Runner, texts: Sequence[list[int]], steps: Sequence[Sequence[int]]) -> Tensor:
    """The logits behind texts as a runner reads them: float32 [texts, vocabulary]. steps: as of Trial.passes."""
    runner.allocate(_BLOCKS)
    cache = KVCache(_BLOCKS, shares=False)
    contexts = [Context(list(text), table=cache.open(text, "")) for text in texts]
    logits = torch.empty(0, 0)
    for context in contexts:
        assert context.table is not None
        cache.grow(context.table, LENGTH)
    for counts in steps:
        readings = [Reading(context, count) for context, count in zip(contexts, counts, strict=True) if count]
        logits = runner.run(readings)
        for reading in readings:
            reading.context.stored += reading.count
    return logits


def _too_large(module: Any) -> RequestFailed:
    return RequestFailed(
        "not_supported",
        f"{type(module).__name__} computes with larger numbers than fp16 can hold: its answers would be none.",
        hint="Load it with `dtype: bf16` or `dtype: fp32`.",
        param="dtype",
    )
