"""Exchange a model's linear layers and norms for faster ones that compute the same, or for smaller ones."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.models.linears.by_rows import ByRows
from llamafarm_universal.host.models.linears.choice import ORIGINAL, Choice, choose
from llamafarm_universal.host.models.linears.exchange import Exchange, Places
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.kinds import Kinds, kinds_of
from llamafarm_universal.host.models.linears.norms import Norm, faster_norm
from llamafarm_universal.host.models.linears.probe import answer_of
from llamafarm_universal.host.models.linears.record import Record, this_record
from llamafarm_universal.host.models.linears.siblings import Merged, Part, groups, joined
from llamafarm_universal.host.models.linears.trial import Shape
from llamafarm_universal.host.models.linears.watch import Watch, parts_of, watch
from llamafarm_universal.host.models.rounding import difference
from llamafarm_universal.messages import DeviceName, Quantization

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

SMALL = 1 << 14
"""Weights of fewer numbers are left alone: calling anything takes longer than computing them."""
LEAST_LIKENESS = 0.5
"""Of a quantised model's answers to those that it gave before; below it, something is broken."""


@dataclass(frozen=True)
class Accelerated:
    """What has been exchanged. layers: linear layers; merged: those that are computed with others. norms.

    quantized: layers with fewer bits. likeness: the cosine of the model's answers after to those before, None where
    nothing was quantised.
    """

    layers: int = 0
    merged: int = 0
    norms: int = 0
    quantized: int = 0
    likeness: float | None = None


def accelerate(
    module: Any,
    record: Record | None = None,
    *,
    quantization: Quantization = "none",
    device: DeviceName = "cpu",
    small: int = SMALL,
) -> Accelerated:
    """Exchange what is faster in another form on this processor, in a transformers model.

    record: of what was measured here before; this machine's, unless told. The model is run before and after: where its
    answer changes by more than rounding makes of it, everything is as before. A quantization changes answers, and says
    by how much; on an Apple GPU nothing else is done. Raises RequestFailed where a model cannot be quantised.
    """
    if quantization == "none" and device == "mps":
        return Accelerated()
    try:
        return _Exchanges(module, record or _this_record(), quantization, device, small).make()
    except RequestFailed:
        raise
    except Exception as error:  # a model that is slow is better than none
        if quantization != "none":
            raise _not_quantised(module, f"{type(error).__name__}: {error}") from error
        log.info("%s keeps its own layers: %s: %s", type(module).__name__, type(error).__name__, error)
        log.debug("The cause", exc_info=error)
        return Accelerated()


@cache
def _this_record() -> Record:
    return this_record()


class _Exchanges:
    """All that is exchanged in one model."""

    def __init__(self, module: Any, record: Record, quantization: Quantization, device: DeviceName, small: int) -> None:
        self._module = module
        self._record = record
        self._quantization = quantization
        self._device = device
        self._small = small
        self._places = Places(module)
        self._head = _head_of(module)
        self._layers: list[Exchange] = []
        self._norms: list[tuple[Any, Norm]] = []

    def make(self) -> Accelerated:
        """Exchange all that is better; where that changes the answer, single layers alone."""
        for wholly in (True, False):
            seen = watch(self._module, answer_of)
            self._exchange_layers(seen, merging=wholly)
            if wholly and self._device != "mps":
                self._exchange_norms()
            answer = self._answer()
            if answer is not None and self._admits(seen.answer, answer):
                return self._made(seen.answer, answer)
            self._undo()
        if self._quantization != "none":
            raise _not_quantised(self._module, "its answers would be others")
        log.warning("%s answers otherwise with faster layers: it keeps its own.", type(self._module).__name__)
        return Accelerated()

    def _exchange_layers(self, seen: Watch, *, merging: bool) -> None:
        for group in groups(seen, self._places.parents):
            for layers in [group] if merging else [[layer] for layer in group]:
                self._exchange(layers)

    def _exchange(self, layers: list[Any]) -> None:
        """Give layers with one input the form that is best for them together."""
        parts = [parts_of(layer) for layer in layers]
        if sum(weight.numel() for weight, _ in parts) < self._small:
            return
        shape = _shape_of(parts)
        kinds = kinds_of(shape, self._quantization, self._device, is_head=layers[0] is self._head)
        choice = choose(self._record.times(shape, kinds)) if self._device == "cpu" else None
        if choice == Choice(ORIGINAL) or not kinds:
            return
        weight, bias = joined(parts) if len(parts) > 1 else parts[0]
        form = _chosen(choice, kinds, weight, bias) if choice else _first(kinds, weight, bias)
        if len(layers) == 1:
            self._layers.append(Exchange(layers[0], form, self._places))
            return
        merged = Merged(form, [len(weight) for weight, _ in parts])
        for place, (layer, (_, bias)) in enumerate(zip(layers, parts, strict=True)):
            self._layers.append(Exchange(layer, Part(merged, place, has_bias=bias is not None), self._places))

    def _exchange_norms(self) -> None:
        for module in list(self._module.modules()):
            norm = faster_norm(module)
            if norm is not None:
                self._norms.append((module, norm))
                self._places.put(module, norm)

    def _answer(self) -> Tensor | None:
        """What the model answers now; None where it does not run any more."""
        try:
            return answer_of(self._module)
        except Exception as error:  # noqa: BLE001 - whatever it is, it was no error before
            log.info("%s does not run with other layers: %s", type(self._module).__name__, error)
            return None

    def _admits(self, before: Tensor, after: Tensor) -> bool:
        """Whether the model answers as before, but for rounding: relative to how far its numbers are apart."""
        if before.shape != after.shape:
            return False
        if self._quantization != "none":
            return _likeness(before, after) >= LEAST_LIKENESS
        return difference(after, before) <= math.sqrt(torch.finfo(before.dtype).eps)

    def _undo(self) -> None:
        for exchange in reversed(self._layers):
            exchange.undo()
        for module, norm in self._norms:
            self._places.put(norm, module)
        self._layers, self._norms = [], []

    def _made(self, before: Tensor, after: Tensor) -> Accelerated:
        forms = [each.form for each in self._layers]
        quantized = sum(form.bits is not None for form in forms)
        likeness = None
        if self._quantization != "none":
            if not quantized:
                raise _not_quantised(self._module, "it has no linear layer that can be")
            likeness = _likeness(before, after)
        merged = sum(isinstance(form, Part) for form in forms)
        return Accelerated(len(forms), merged, len(self._norms), quantized, likeness)


def _head_of(module: Any) -> Any:
    """The layer that computes logits of tokens, where there is one."""
    find = getattr(module, "get_output_embeddings", None)
    return find() if find else None


def _shape_of(parts: list[tuple[Tensor, Tensor | None]]) -> Shape:
    weight, has_bias = parts[0][0], any(bias is not None for _, bias in parts)
    outputs = sum(len(weight) for weight, _ in parts)
    return Shape(outputs, weight.shape[1], str(weight.dtype).removeprefix("torch."), has_bias)


def _chosen(choice: Choice, kinds: Kinds, weight: Tensor, bias: Tensor | None) -> Form:
    named = {form.name: form for form in kinds}
    few = named[choice.few].make(weight, bias)
    return few if choice.many is None else ByRows(few, named[choice.many].beside(few, weight, bias), choice.most)


def _first(kinds: Iterable[type[Form]], weight: Tensor, bias: Tensor | None) -> Form:
    """The first form that can be made. Raises RuntimeError where none can."""
    for form in kinds:
        try:
            return form.make(weight, bias)
        except RuntimeError as error:
            log.info("The form `%s` does not work here: %s", form.name, error)
    raise RuntimeError("no form of a linear layer with so few bits works on this device")


def _likeness(before: Tensor, after: Tensor) -> float:
    """The mean cosine of answers, token by token; of classes that are few, and may be one, of all together."""
    rows, others = (each.float().reshape(-1, each.shape[-1]) for each in (before, after))
    if rows.shape[-1] < _FEW_CLASSES:
        rows, others = rows.reshape(1, -1), others.reshape(1, -1)
    return float(torch.nn.functional.cosine_similarity(rows, others).mean())


_FEW_CLASSES = 16


def _not_quantised(module: Any, cause: str) -> RequestFailed:
    return RequestFailed(
        "not_supported",
        f"{type(module).__name__} cannot be quantised here: {cause}.",
        hint="Load it with `quantization: none`; dtype bf16 halves its size, too.",
        param="quantization",
    )
