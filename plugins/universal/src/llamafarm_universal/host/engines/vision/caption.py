"""Pictures in words: BLIP, GIT, and whatever is an encoder of pictures with a decoder of texts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch

from llamafarm_universal.engine import CaptionPictures, RequestFailed, refused
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.encode.tokens import Tokens
from llamafarm_universal.host.engines.encode.towers import stacked
from llamafarm_universal.host.engines.stepwise import hand_over
from llamafarm_universal.host.engines.vision.head import PicturesHead

if TYPE_CHECKING:
    from torch import Tensor

Begin = Callable[[str], tuple[int, ...]]
"""The tokens that the model's decoder begins with, of the prompt of a request. Raises RequestFailed."""


class Captioner:
    """Has a model write about pictures of the same shapes, with the same beginning and limit. Rows become token ids.

    A step of it is a token, where it is taken step by step.
    """

    pads = False

    def __init__(self, module: Any) -> None:
        self._module = module

    def encode(self, batch: Sequence[Row]) -> list[Any]:
        from transformers import StoppingCriteriaList

        begin, most = cast("tuple[tuple[int, ...], int]", batch[0].asked)
        features = stacked(batch, self._module)
        if begin:
            features["input_ids"] = torch.tensor([begin]).repeat(len(batch), 1).to(self._module.device)
            features["attention_mask"] = torch.ones_like(features["input_ids"])

        def go_on(ids: Tensor, _scores: Any, **_: Any) -> Tensor:
            hand_over()
            return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

        with torch.inference_mode():
            written = self._module.generate(
                **features, max_new_tokens=most, do_sample=False, stopping_criteria=StoppingCriteriaList([go_on])
            )
        return list(written.cpu())


class CaptionsHead(PicturesHead):
    """begin: what the decoder begins with. limit: how many tokens it can hold, those of the beginning included."""

    def __init__(self, pictures: ProcessedPictures, tokenizer: Any, begin: Begin, limit: int | None) -> None:
        super().__init__(pictures)
        self._tokenizer = tokenizer
        self._begin = begin
        self._limit = limit

    def asked(self, work: CaptionPictures) -> Hashable:
        begin = self._begin(work.prompt)
        if self._limit is not None and len(begin) + work.max_tokens > self._limit:
            raise RequestFailed(
                "context_length",
                f"The prompt has {len(begin):,} tokens and {work.max_tokens:,} may follow; the model can hold "
                f"{self._limit:,}.",
                hint="Lower `max_tokens`, or shorten the prompt.",
                param="max_tokens",
            )
        return begin, work.max_tokens

    def item(self, _work: CaptionPictures, _row: Row, seen: Any) -> str:
        return str(self._tokenizer.decode(seen, skip_special_tokens=True)).strip()


def begins_with_prompt(tokens: Tokens) -> Begin:
    """BLIP's decoder: the prompt as the tokenizer writes it; without one, what the model begins with by itself."""

    def begin(prompt: str) -> tuple[int, ...]:
        return tokens.rows([prompt], field="prompt")[0].ids if prompt else ()

    return begin


def begins_with_first_token(tokens: Tokens) -> Begin:
    """GIT's decoder: the tokenizer's first token, and the prompt. Source: transformers' GIT documentation."""

    def begin(prompt: str) -> tuple[int, ...]:
        ids = tokens.encoded([prompt], add_special_tokens=False)["input_ids"][0] if prompt else []
        return (tokens.tokenizer.cls_token_id, *ids)

    return begin


def begins_by_itself(prompt: str) -> tuple[int, ...]:
    """A decoder that was trained without prompts."""
    if prompt:
        raise refused("This model takes no prompt: it says what it sees.", "prompt", hint="Leave `prompt` out.")
    return ()
