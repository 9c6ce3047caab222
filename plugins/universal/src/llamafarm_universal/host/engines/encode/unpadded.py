"""Rows of different lengths read without padding: one behind the other, as if they were a single row.

All layers but attention look at each token by itself, so that they do for padding what they do for text: a third of the
work, with texts as they come. Attention is computed for each row apart. On a GPU the padding costs less than it saves.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.models.attention import attending, leave_attention, no_mask

if TYPE_CHECKING:
    from torch import Tensor

_TRIAL = (5, 17, 9)  # tokens of the rows that are read in both ways when a model is loaded


class _NotApart(Exception):
    """A layer does more than attention to the row, so that rows cannot be told apart."""


class RowAttention:
    """Each row attends to itself. lengths: of the rows, in tokens."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = list(lengths)

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        if options.get("sliding_window") or options.get("position_bias") is not None:
            raise _NotApart
        rows = zip(*(states.split(self._lengths, dim=2) for states in (query, key, value)), strict=True)
        return torch.cat([sdpa_attention_forward(module, *row, None, **options)[0] for row in rows], dim=1)


def unpad(backbone: Any) -> bool:
    """Have a backbone read rows without padding; whether it can: both ways must give the same for a few rows.

    Positions are counted from 0, or, in RoBERTa and its kin, from behind that of the padding.
    """
    if backbone.device.type != "cpu" or "position_ids" not in inspect.signature(backbone.forward).parameters:
        return False
    rows = _trial_rows(backbone)
    padded = backbone.forward
    with torch.inference_mode():
        wanted = _states(padded, rows)
        if not leave_attention(backbone):
            return False
        for first in dict.fromkeys((0, 1 + (backbone.config.get_text_config().pad_token_id or 0))):
            backbone.forward = functools.wraps(padded)(_Unpadded(backbone, padded, first))
            if _same(backbone, wanted, rows):
                return True
    backbone.forward = padded
    return False


class _Unpadded:
    """A backbone's forward. first_position: that of each row's first token."""

    def __init__(self, backbone: Any, padded: Any, first_position: int) -> None:
        self._backbone = backbone
        self._padded = padded
        self._first_position = first_position

    def __call__(self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, **options: Any) -> Any:
        """As of the original. A mask must have its zeros behind each row's tokens."""
        if input_ids is None or attention_mask is None or options.get("output_hidden_states"):
            return self._padded(input_ids=input_ids, attention_mask=attention_mask, **options)
        kept = attention_mask.bool()
        if bool(kept.all()):  # nothing to leave out, and rows of one length are quicker together
            return self._padded(input_ids=input_ids, attention_mask=attention_mask, **options)
        return self._read(input_ids, kept, options)

    def _read(self, input_ids: Tensor, kept: Tensor, options: dict[str, Any]) -> Any:
        positions = torch.arange(input_ids.shape[1], device=input_ids.device) + self._first_position
        options = {name: _flat(value, kept) for name, value in options.items()}
        options["position_ids"] = positions.expand(kept.shape)[kept][None]
        with attending(RowAttention(kept.sum(1).tolist())):
            result = self._padded(input_ids=input_ids[kept][None], attention_mask=no_mask(input_ids), **options)
        states = result.last_hidden_state[0]
        padded = states.new_zeros(*kept.shape, states.shape[-1])
        padded[kept] = states
        result["last_hidden_state"] = padded
        if result.get("pooler_output") is not None:
            result["pooler_output"] = self._backbone.pooler(padded)
        return result


def _flat(value: Any, kept: Tensor) -> Any:
    """What is given for each token, such as token types, of the tokens that are kept."""
    return value[kept][None] if isinstance(value, torch.Tensor) and value.shape == kept.shape else value


def _trial_rows(backbone: Any) -> dict[str, Tensor]:
    size = int(backbone.get_input_embeddings().weight.shape[0])
    lengths = torch.tensor(_TRIAL)
    shape = (len(_TRIAL), max(_TRIAL))
    mask = torch.arange(shape[1]) < lengths[:, None]
    ids = torch.linspace(size // 3, size - 1, shape[0] * shape[1]).long().view(shape)
    filler = backbone.config.get_text_config().pad_token_id or 0
    return {"input_ids": ids.where(mask, torch.tensor(filler)), "attention_mask": mask.long()}


def _states(forward: Any, rows: Mapping[str, Tensor]) -> Tensor:
    """What a forward says of all tokens that are not padding, and of the rows, behind one another."""
    result = forward(**rows)
    tokens = result.last_hidden_state[rows["attention_mask"].bool()]
    pooled = result.get("pooler_output")
    return torch.cat([tokens.flatten(), *([] if pooled is None else [pooled.flatten()])]).float()


def _same(backbone: Any, wanted: Tensor, rows: Mapping[str, Tensor]) -> bool:
    try:
        states = _states(backbone, rows)
    except Exception:  # noqa: BLE001 - whatever a model does with a row that it does not know, it is read as before
        return False
    tolerance = math.sqrt(torch.finfo(backbone.dtype).eps) / 2
    return bool((states - wanted).norm() <= tolerance * wanted.norm())
