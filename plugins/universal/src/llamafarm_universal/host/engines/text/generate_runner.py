"""Runs models forward by their own `generate`, one text after the other: whatever they do, it is what they do.

For models that read pictures and sounds in ways of their own. The call waits after each token's logits until it is told
which token has been chosen.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.stepwise import Stepwise, hand_over
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.multimodal.tower import on_device
from llamafarm_universal.host.engines.text.one_by_one_runner import OneByOneRunner
from llamafarm_universal.host.models.lora import applied

if TYPE_CHECKING:
    from torch import Tensor

_MOST_TOKENS = 1_000_000
"""Of an answer: whoever counts its tokens ends it before."""
_STARTS = ("bos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id")
_OF_TOKENS = {"token_type_ids": False, "mm_token_type_ids": False, "cross_attention_mask": True}
"""What processors say of each token, and whether of the text behind a prompt it is what it was at the prompt's end."""


class GenerateRunner(OneByOneRunner):
    """module: of transformers, with `generate`. The rest: as of Runner."""

    def __init__(self, module: Any, device: str) -> None:
        self._module = module
        self._device = device
        _leave_only_starts(module)
        self._counters = [part for part in module.modules() if hasattr(part, "rope_deltas")]
        self.token_bytes = _token_bytes(module)

    def _read(self, reading: Reading) -> Tensor:
        context = reading.context
        writing: _Writing | None = context.state
        if writing is None:
            writing = context.state = self._begun(context)
        self._count_as(writing.counts)
        try:
            writing.step(context.tokens[-1])
        except BaseException:
            context.state = None
            raise
        writing.counts = [part.rope_deltas for part in self._counters]
        assert writing.told.logits is not None, "it waits behind each token"
        return writing.told.logits

    def _count_as(self, counts: list[Any]) -> None:
        """Models that count the rows of pictures remember of one text how far they have counted."""
        for part, count in zip(self._counters, counts or [None] * len(self._counters), strict=True):
            part.rope_deltas = count

    def _begun(self, context: Context) -> _Writing:
        told = _Told()
        inputs = self._inputs(context)

        def call() -> bool:
            from transformers import LogitsProcessorList

            with torch.inference_mode(), applied([(context.adapter, 1)]):  # a thread has a context of its own
                self._module.generate(
                    **inputs, max_new_tokens=_MOST_TOKENS, do_sample=False, logits_processor=LogitsProcessorList([told])
                )
            return True

        return _Writing(Stepwise(call), told)

    def _inputs(self, context: Context) -> dict[str, Any]:
        """What the model is given of a text: also of one whose answer was interrupted, which is read again."""
        prompt = on_device(context.media.inputs, self._module) if context.media else {}
        if context.source:
            ids = torch.tensor([list(context.source)], device=self._device)
            answer = torch.tensor([context.tokens], device=self._device)
            return {"attention_mask": torch.ones_like(ids), **prompt, "input_ids": ids, "decoder_input_ids": answer}
        ids = torch.tensor([context.tokens], device=self._device)
        told = {
            name: _lengthened(prompt[name], ids.shape[1], as_before=like)
            for name, like in _OF_TOKENS.items()
            if name in prompt
        }
        return {**prompt, **told, "input_ids": ids, "attention_mask": torch.ones_like(ids)}


class _Told:
    """A logits processor that hands over the logits of each token, and has the chosen one follow."""

    def __init__(self) -> None:
        self.logits: Tensor | None = None
        self.chosen = -1

    def __call__(self, _ids: Tensor, scores: Tensor) -> Tensor:
        self.logits = scores[0].float()
        hand_over()
        forced = torch.full_like(scores, float("-inf"))
        forced[:, self.chosen] = 0
        return forced


@dataclass
class _Writing:
    """A call under way. counts: how far the model has counted rows of pictures in it."""

    work: Stepwise[bool]
    told: _Told
    counts: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        weakref.finalize(self, self.work.close)  # whoever forgets the state of a text ends its call

    def step(self, token: int) -> None:
        """Go on to the next token's logits. token: the last one, which was chosen of those before."""
        self.told.chosen = token
        if self.work.step():
            raise RuntimeError("the model has ended its answer by itself")


def _leave_only_starts(module: Any) -> None:
    """Leave of a model's settings of generation what its answers begin with: all else is settled here."""
    from transformers import GenerationConfig

    for part in module.modules():
        if (old := getattr(part, "generation_config", None)) is not None:
            part.generation_config = GenerationConfig(**{name: getattr(old, name, None) for name in _STARTS})


def _lengthened(numbers: Tensor, tokens: int, *, as_before: bool) -> Tensor:
    """What is said of each token of a prompt, [1, tokens, …], and of the text behind it."""
    last = numbers[:, -1:] if as_before else torch.zeros_like(numbers[:, -1:])
    return torch.cat([numbers, *[last] * (tokens - numbers.shape[1])], dim=1)


def _token_bytes(module: Any) -> int:
    """Keys and values of a token, in all layers."""
    config = module.config.get_text_config(decoder=True)
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    kept = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * config.num_hidden_layers * kept * size * module.dtype.itemsize)
