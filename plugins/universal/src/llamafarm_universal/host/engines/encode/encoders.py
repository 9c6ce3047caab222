"""How torch runs the models: rows to vectors, or to logits.

SentenceEncoder: the sentence-transformers layout (modules.json), with pooling, prompts and normalisation as the model's
author configured them. PooledEncoder: any other model that embeds. Encoders (BERT and its kin) are pooled by the mean
over the tokens of the attention mask; decoders by the last token, the only one that has seen the whole text. Both are
then normalised. LogitsEncoder: models with a head for classes, of texts or of their tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch

from llamafarm_universal.host.engines.encode.base import Numbers
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.encode.unpadded import unpad

if TYPE_CHECKING:
    from torch import Tensor


class SentenceEncoder:
    """A model in the sentence-transformers layout."""

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self.pads = not unpad(model[0].model)
        self._device = device
        self._filler = model.tokenizer.pad_token_id or 0

    def encode(self, batch: Sequence[Row]) -> list[Numbers]:
        """Vectors. Rows of one prompt are read together: a pooling may leave the prompt out."""
        vectors: list[Numbers | None] = [None] * len(batch)
        for prompt in {row.prompt for row in batch}:
            places = [at for at, row in enumerate(batch) if row.prompt == prompt]
            for at, vector in zip(places, self._vectors([batch[at] for at in places], prompt), strict=True):
                vectors[at] = vector
        return [vector for vector in vectors if vector is not None]

    def _vectors(self, rows: Sequence[Row], prompt: int) -> list[Numbers]:
        features: dict[str, Any] = padded(rows, self._filler, self._device)
        if prompt:
            features["prompt_length"] = prompt
        with torch.inference_mode():
            return numbers_of(self._model(features)["sentence_embedding"])


class PooledEncoder:
    """A plain transformers model; it may be one that generates text."""

    def __init__(self, module: Any, filler: int, pooling: Literal["mean", "last"]) -> None:
        # The backbone, without the head that would turn each state into a whole vocabulary.
        self._backbone = module.get_encoder() if module.config.is_encoder_decoder else module.base_model
        self._device = str(module.device)
        self._filler = filler
        self._pooling = pooling
        self.pads = not unpad(self._backbone)

    def encode(self, batch: Sequence[Row]) -> list[Numbers]:
        features = padded(batch, self._filler, self._device)
        mask = features["attention_mask"]
        with torch.inference_mode():
            states = self._backbone(**features, return_dict=True).last_hidden_state.float()
            pooled = _mean(states, mask) if self._pooling == "mean" else _last(states, mask)
            return numbers_of(torch.nn.functional.normalize(pooled, dim=-1))


class LogitsEncoder:
    """A model that says the classes of a text, or those of each of its tokens."""

    def __init__(self, module: Any, filler: int) -> None:
        self._module = module
        self._device = str(module.device)
        self._pad = module.config.get_text_config().pad_token_id
        self._filler = filler if self._pad is None else self._pad
        self.pads = not unpad(module.base_model)

    def encode(self, batch: Sequence[Row]) -> list[Numbers]:
        """Logits. A decoder finds the end of each text by the padding: where it knows none, there must be none."""
        if self._pad is None and len({len(row) for row in batch}) > 1:
            return [self.encode([row])[0] for row in batch]
        features = padded(batch, self._filler, self._device)
        with torch.inference_mode():
            logits = numbers_of(self._module(**features, return_dict=True).logits)
        return [each[: len(row)] if each.ndim > 1 else each for row, each in zip(batch, logits, strict=True)]


def reads_types(module: Any) -> bool:
    """Whether a model takes `token_type_ids`, by which it tells two texts apart."""
    config = module.config.get_text_config()
    takes = "token_type_ids" in inspect.signature(module.forward).parameters
    return takes and getattr(config, "type_vocab_size", 2) > 1


def padded(rows: Sequence[Row], filler: int, device: str) -> dict[str, Tensor]:
    """input_ids and attention_mask [rows, length], padded on the right: a causal model then sees no padding.

    token_type_ids too, where a row has any.
    """
    longest = max(map(len, rows))
    lengths = torch.tensor([len(row) for row in rows])
    features = {
        "input_ids": torch.tensor([[*row.ids, *[filler] * (longest - len(row))] for row in rows]),
        "attention_mask": (torch.arange(longest) < lengths[:, None]).long(),
    }
    if any(row.types for row in rows):
        features["token_type_ids"] = torch.tensor([[*row.types, *[0] * (longest - len(row.types))] for row in rows])
    return {name: tensor.to(device) for name, tensor in features.items()}


def numbers_of(tensor: Tensor) -> list[Numbers]:
    """The rows of a tensor as float32 arrays."""
    return list(tensor.float().cpu().numpy())


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    """[rows, tokens, dimensions] and [rows, tokens] to [rows, dimensions]."""
    weights = mask[:, :, None].float()
    return (states * weights).sum(1) / weights.sum(1)


def _last(states: Tensor, mask: Tensor) -> Tensor:
    return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]
