"""Runs models that read the prompt with an encoder and write the answer with a decoder: T5, BART and their kin.

One text after the other, each with the cache that the model makes for it. The prompt is read at once, with the first
token of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text import trial
from llamafarm_universal.host.engines.text.context import Reading
from llamafarm_universal.host.engines.text.one_by_one_runner import OneByOneRunner
from llamafarm_universal.host.engines.text.single_runner import tensor_bytes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class _State:
    """encoded: the encoder's output. mask: of its tokens, all of them. cache: the decoder's."""

    encoded: Any
    mask: Tensor
    cache: Any = None


class EncoderDecoderRunner(OneByOneRunner):
    """module: of transformers' AutoModelForSeq2SeqLM. token_bytes: what a token takes, on the side where it takes more.

    The rest: as of Runner.
    """

    def __init__(self, module: Any, device: str) -> None:
        self._module = module
        self._device = device
        self.token_bytes = self._measure()

    def _read(self, reading: Reading) -> Tensor:
        context = reading.context
        if context.state is None:
            context.state = self._encoded(context.source)
        return self._decoded(reading.tokens, context.state)

    def _encoded(self, source: Sequence[int]) -> _State:
        ids = torch.tensor([list(source)], device=self._device)
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            return _State(self._module.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True), mask)

    def _decoded(self, tokens: Sequence[int], state: _State) -> Tensor:
        """Read tokens of an answer. Returns the logits of the next one, float32 [vocabulary]."""
        with torch.inference_mode():
            result = self._module(
                encoder_outputs=state.encoded,
                attention_mask=state.mask,
                decoder_input_ids=torch.tensor([list(tokens)], device=self._device),
                past_key_values=state.cache,
                use_cache=True,
                return_dict=True,
            )
            state.cache = result.past_key_values
            logits: Tensor = result.logits[0, -1].float()
            return logits

    def _measure(self) -> int:
        tokens = trial.tokens(self._module)
        short = self._size(tokens[:8], tokens[:1])
        return max(self._size(tokens[:16], tokens[:1]) - short, self._size(tokens[:8], tokens[:9]) - short) // 8

    def _size(self, source: Sequence[int], answer: Sequence[int]) -> int:
        state = self._encoded(source)
        self._decoded(answer, state)
        return tensor_bytes(state)
