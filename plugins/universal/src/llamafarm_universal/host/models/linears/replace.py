"""Exchange a model's linear layers and norms for faster ones that compute the same."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.models.linears.by_rows import ByRows
from llamafarm_universal.host.models.linears.choice import ORIGINAL, Choice, choose
from llamafarm_universal.host.models.linears.exchange import Exchange, Places
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.norms import RmsNorm, faster_norm
from llamafarm_universal.host.models.linears.packed import Packed
from llamafarm_universal.host.models.linears.plain import Plain, Widened
from llamafarm_universal.host.models.linears.probe import answer_of
from llamafarm_universal.host.models.linears.record import Record, this_record
from llamafarm_universal.host.models.linears.siblings import Merged, Part, groups, joined
from llamafarm_universal.host.models.linears.trial import Shape
from llamafarm_universal.host.models.linears.watch import Watch, parts_of, watch

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

FORMS: tuple[type[Form], ...] = (Plain, Packed, Widened)
SMALL = 1 << 14
"""Weights of fewer numbers are left alone: calling anything takes longer than computing them."""


@dataclass
class Accelerated:
    """What has been exchanged. layers: linear layers; merged: those that are computed with others. norms."""

    layers: int = 0
    merged: int = 0
    norms: int = 0


def accelerate(module: Any, record: Record | None = None, *, small: int = SMALL) -> Accelerated:
    """Exchange what is faster in another form on this processor, in a transformers model on the CPU.

    record: of what was measured here before; this machine's, unless told. The model is run before and after: where its
    answer changes by more than rounding makes of it, everything is as before.
    """
    try:
        return _Exchanges(module, record or _this_record(), small).make()
    except Exception as error:  # a model that is slow is better than none
        log.info("%s keeps its own layers: %s: %s", type(module).__name__, type(error).__name__, error)
        log.debug("The cause", exc_info=error)
        return Accelerated()


@cache
def _this_record() -> Record:
    return this_record()


class _Exchanges:
    """All that is exchanged in one model."""

    def __init__(self, module: Any, record: Record, small: int) -> None:
        self._module = module
        self._record = record
        self._small = small
        self._places = Places(module)
        self._layers: list[Exchange] = []
        self._norms: list[tuple[Any, RmsNorm]] = []

    def make(self) -> Accelerated:
        """Exchange all that is faster; where that changes the answer, single layers alone."""
        for wholly in (True, False):
            seen = watch(self._module, answer_of)
            self._exchange_layers(seen, merging=wholly)
            if wholly:
                self._exchange_norms()
            if self._answers_as(seen.answer):
                return self._made()
            self._undo()
        log.warning("%s answers otherwise with faster layers: it keeps its own.", type(self._module).__name__)
        return Accelerated()

    def _exchange_layers(self, seen: Watch, *, merging: bool) -> None:
        for group in groups(seen, self._places.parents):
            for layers in [group] if merging else [[layer] for layer in group]:
                self._exchange(layers)

    def _exchange(self, layers: list[Any]) -> None:
        """Give layers with one input the form that is fastest for them together."""
        parts = [parts_of(layer) for layer in layers]
        if sum(weight.numel() for weight, _ in parts) < self._small:
            return
        sizes = [len(weight) for weight, _ in parts]
        dtype, has_bias = parts[0][0].dtype, any(bias is not None for _, bias in parts)
        shape = Shape(sum(sizes), parts[0][0].shape[1], str(dtype).removeprefix("torch."), has_bias)
        choice = choose(self._record.times(shape, FORMS))
        if choice == Choice(ORIGINAL):
            return
        form = _form(choice, *(joined(parts) if len(parts) > 1 else parts[0]))
        if len(layers) == 1:
            self._layers.append(Exchange(layers[0], form, self._places))
            return
        merged = Merged(form, sizes)
        for place, (layer, (_, bias)) in enumerate(zip(layers, parts, strict=True)):
            self._layers.append(Exchange(layer, Part(merged, place, has_bias=bias is not None), self._places))

    def _exchange_norms(self) -> None:
        for module in list(self._module.modules()):
            norm = faster_norm(module)
            if norm is not None:
                self._norms.append((module, norm))
                self._places.put(module, norm)

    def _answers_as(self, before: Tensor) -> bool:
        """Whether the model answers as before, but for rounding: relative to how far its numbers are apart."""
        try:
            after = answer_of(self._module)
        except Exception as error:  # noqa: BLE001 - whatever it is, it was no error before
            log.info("%s does not run with faster layers: %s", type(self._module).__name__, error)
            return False
        spread = (before.float() - before.float().mean()).norm()
        tolerance = math.sqrt(torch.finfo(before.dtype).eps)
        return after.shape == before.shape and bool((after.float() - before.float()).norm() <= tolerance * spread)

    def _undo(self) -> None:
        for exchange in reversed(self._layers):
            exchange.undo()
        for module, norm in self._norms:
            self._places.put(norm, module)
        self._layers, self._norms = [], []

    def _made(self) -> Accelerated:
        merged = sum(isinstance(each.form, Part) for each in self._layers)
        return Accelerated(len(self._layers), merged, len(self._norms))


def _form(choice: Choice, weight: Tensor, bias: Tensor | None) -> Form:
    kinds = {form.name: form for form in FORMS}
    few = kinds[choice.few].make(weight, bias)
    return few if choice.many is None else ByRows(few, kinds[choice.many].make(weight, bias), choice.most)
