"""A short run of a loaded model, to see how it uses its layers and what it answers."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_TOKENS = 12
_TEXTS = 2


def answer_of(module: Any) -> Tensor:
    """What a transformers model computes of two short texts, as one tensor: logits, or hidden states.

    Some models take one text at a time. Raises whatever a model raises that takes none at all.
    """
    with torch.inference_mode():
        try:
            return _answer(module, _TEXTS)
        except (ValueError, RuntimeError):  # such as a classifier that has no token to fill texts up with
            return _answer(module, 1)


def _answer(module: Any, texts: int) -> Tensor:
    config = module.config.get_text_config()
    vocabulary = int(config.vocab_size)
    length = min(_TOKENS, (getattr(config, "max_position_embeddings", None) or _TOKENS) // 2 or 1)
    ids = (torch.arange(1, texts * length + 1) * vocabulary // (texts * length + 1)).view(texts, length)
    begin = getattr(config, "bos_token_id", None)
    if isinstance(begin, int) and 0 <= begin < vocabulary:  # without it a trained model is not what it is on real texts
        ids[:, 0] = begin
    read = getattr(module, "get_text_features", None) or module.forward  # of CLIP and its kin, only the texts
    options = {"decoder_input_ids": ids} if "decoder_input_ids" in inspect.signature(read).parameters else {}
    if read == module.forward:
        read = module
    return _first_tensor(read(input_ids=ids.to(module.device), return_dict=True, **options))


def _first_tensor(output: Any) -> Tensor:
    """The first numbers of a model's output: what it is loaded for stands first in those of transformers."""
    if isinstance(output, torch.Tensor) and output.is_floating_point():
        return output
    values = output.values() if hasattr(output, "values") else output if isinstance(output, tuple) else ()
    for value in values:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return value
    raise TypeError(f"{type(output).__name__} holds no tensor")
