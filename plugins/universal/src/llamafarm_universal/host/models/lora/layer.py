"""One layer of a loaded model, as adapters see it: what it is, how large, and whether a change fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from transformers.pytorch_utils import Conv1D

from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.lora.change import (
    Change,
    Decomposed,
    LowRank,
    LowRankEmbedding,
    Replaced,
    ReplacedEmbedding,
    Shifted,
)

if TYPE_CHECKING:
    from torch import Tensor

LINEAR = ("lora_A.weight", "lora_B.weight")
DORA = (*LINEAR, "lora_magnitude_vector")
EMBEDDING = ("lora_embedding_A", "lora_embedding_B")

BASE = "base_layer.weight"
"""The layer's own weight, which peft saves with changes of embeddings."""
BIASES = ("bias", "base_layer.bias", "lora_B.bias")
"""Trained biases: of a layer that nothing else changes, of one with a low-rank change, and of that change itself."""

_NEAR = 0.05
"""Of numbers that may have been rounded to half precision, or to fewer bits."""


class Unfit(Exception):
    """What differs between a layer and its change, as the end of a sentence that begins with the layer."""


class Layer:
    """dtype, device: of the changes."""

    def __init__(self, layer: Any, dtype: torch.dtype, device: str) -> None:
        self._layer = layer
        self._dtype = dtype
        self._device = device

    def change(self, tensors: Mapping[str, Tensor], scale: float) -> Change:
        """What the tensors of an adapter make of the layer. scale: of low-rank ones. Raises Unfit."""
        if BASE in tensors:
            self._check_base(tensors[BASE])
        weights = {kind: tensor for kind, tensor in tensors.items() if kind not in (BASE, *BIASES)}
        if weights.keys() == {"weight"}:
            return self._replaced(weights["weight"], tensors.get("bias"))
        change = self._of_weights(weights, scale) if weights else None
        biases = {kind: tensors[kind] for kind in BIASES if kind in tensors}
        return Shifted(change, self._shift(biases, scale)) if biases or change is None else change

    def _of_weights(self, weights: Mapping[str, Tensor], scale: float) -> Change:
        kinds = set(weights)
        if kinds == {*LINEAR}:
            down, up = (weights[kind] for kind in LINEAR)
            return self._low_rank(down, up, scale)
        if kinds == {*DORA}:
            down, up, lengths = (weights[kind] for kind in DORA)
            return self._decomposed(down, up, lengths, scale)
        if kinds == {*EMBEDDING}:
            down, up = (weights[kind] for kind in EMBEDDING)
            return self._embedded(down, up, scale)
        raise Unfit(f"would be changed in a way that is not done here ({', '.join(sorted(kinds))})")

    @property
    def is_embedding(self) -> bool:
        """Whether it is given ids."""
        return isinstance(self._layer, torch.nn.Embedding)

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs; those of an embedding are its columns and its tokens. Raises Unfit for another layer."""
        layer = self._layer
        if isinstance(layer, torch.nn.Embedding):
            return layer.embedding_dim, layer.num_embeddings
        if isinstance(layer, Conv1D):
            inputs, outputs = layer.weight.shape
            return int(outputs), int(inputs)
        if isinstance(layer, torch.nn.Linear | Form):
            return int(layer.out_features), int(layer.in_features)
        raise Unfit(f"is a {type(layer).__name__}, of which nothing can be changed here")

    def _low_rank(self, down: Tensor, up: Tensor, scale: float) -> LowRank:
        if self.is_embedding:
            raise Unfit("looks up tokens, and the change is that of a linear layer")
        self._check((up.shape[0], down.shape[1]))
        self._check_rank(down.shape[0], up.shape[1])
        return LowRank(self._own(down), self._own(up.float() * scale))

    def _decomposed(self, down: Tensor, up: Tensor, lengths: Tensor, scale: float) -> Decomposed:
        """Source: peft, DoraLinearLayer: the length of each row is that of the weight with the change."""
        change = self._low_rank(down, up, scale)
        weight = self._layer.weight.float()
        weight = weight.t() if isinstance(self._layer, Conv1D) else weight
        whole = weight + (up.float() * scale @ down.float()).to(weight.device)
        rows = lengths.float().to(weight.device).flatten() / torch.linalg.norm(whole, dim=1)
        bias = getattr(self._layer, "bias", None)
        return Decomposed(change, self._own(rows), None if bias is None else bias.detach())

    def _embedded(self, down: Tensor, up: Tensor, scale: float) -> LowRankEmbedding:
        if not self.is_embedding:
            raise Unfit("looks up no tokens, and the change is that of an embedding")
        self._check((up.shape[0], down.shape[1]))
        self._check_rank(down.shape[0], up.shape[1])
        return LowRankEmbedding(self._own(down.t()), self._own(up.float() * scale * self._factor))

    def _replaced(self, weight: Tensor, bias: Tensor | None) -> Change:
        if weight.ndim != 2:
            raise Unfit(f"would get a weight of {weight.ndim} dimensions")
        if self.is_embedding:
            self._check((weight.shape[1], weight.shape[0]))
            return ReplacedEmbedding(self._own(weight.float() * self._factor))
        is_turned = isinstance(self._layer, Conv1D)
        weight = weight.t() if is_turned else weight
        self._check((weight.shape[0], weight.shape[1]))
        return Replaced(self._own(weight), None if bias is None else self._own(bias))

    def _shift(self, biases: Mapping[str, Tensor], scale: float) -> Tensor:
        """By how much trained biases differ from the layer's own: [outputs]. Raises Unfit where it has none."""
        own = getattr(self._layer, "bias", None)
        outputs = len(own) if isinstance(self._layer, torch.nn.LayerNorm) and own is not None else self.shape[0]
        shift = torch.zeros(outputs)
        for kind, bias in biases.items():
            if bias.shape != shift.shape:
                raise Unfit(f"has {outputs:,} outputs, the bias {' x '.join(f'{size:,}' for size in bias.shape)}")
            if kind == "lora_B.bias":
                shift += bias.float() * scale
            elif own is None:
                raise Unfit("has no bias, and the change is one of its bias")
            else:
                shift += bias.float() - own.detach().float().cpu()
        return self._own(shift)

    @property
    def _factor(self) -> float:
        """By what an embedding multiplies what it has looked up, as Gemma's does."""
        factor = getattr(self._layer, "embed_scale", None)
        return 1.0 if factor is None else float(factor)

    def _check(self, changed: tuple[int, int]) -> None:
        if changed != self.shape:
            (outputs, inputs), (own_outputs, own_inputs) = changed, self.shape
            raise Unfit(f"has {own_inputs:,} inputs and {own_outputs:,} outputs, the change {inputs:,} and {outputs:,}")

    def _check_base(self, weight: Tensor) -> None:
        """Whether the layer is the one that the change was trained for: one that got more tokens is another."""
        own = self._layer.weight
        if own.shape != weight.shape:
            raise Unfit(
                f"has {own.shape[0]:,} x {own.shape[1]:,} numbers, and had {' x '.join(map(str, weight.shape))}"
            )
        if not torch.allclose(own.float().cpu(), weight.float(), atol=_NEAR, rtol=_NEAR):
            raise Unfit("has other numbers than when the change was trained")

    def _check_rank(self, down: int, up: int) -> None:
        if down != up:
            raise Unfit(f"would be changed by matrices of the ranks {down} and {up}")

    def _own(self, tensor: Tensor) -> Tensor:
        own: Tensor = tensor.to(device=self._device, dtype=self._dtype).contiguous()
        return own
