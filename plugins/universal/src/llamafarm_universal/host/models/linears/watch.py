"""How a model uses its linear layers: which are called, with what, and whose weights are looked at by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from transformers.pytorch_utils import Conv1D

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Watch:
    """answer: what the model computed. calls: layers with their inputs, in order. read: the ids of layers whose weight
    somebody else has looked at.
    """

    answer: Tensor
    calls: list[tuple[Any, Tensor]] = field(default_factory=list)
    read: set[int] = field(default_factory=set)

    @property
    def free(self) -> list[Any]:
        """The layers that were called and that nobody looks into: all that the model does with them is call them."""
        called = {id(layer): layer for layer, _ in self.calls}
        return [layer for key, layer in called.items() if key not in self.read]


def watch(module: Any, run: Callable[[Any], Tensor]) -> Watch:
    """Run a model while its linear layers are watched. Raises what `run` raises."""
    seen = Watch(torch.empty(0))
    with _watched(filter(is_plain_linear, module.modules()), seen):
        seen.answer = run(module)
    return seen


def is_plain_linear(layer: Any) -> bool:
    """Whether a module computes `x @ weight.T + bias` and nothing else: torch's Linear, or the Conv1D of GPT-2."""
    is_linear = type(layer).forward in (torch.nn.Linear.forward, Conv1D.forward)
    hooks = (layer._forward_hooks, layer._forward_pre_hooks)
    if not is_linear or any(hooks) or "forward" in vars(layer):
        return False
    weight = layer._parameters.get("weight")
    return isinstance(weight, torch.Tensor) and weight.is_floating_point() and weight.ndim == 2


def parts_of(layer: Any) -> tuple[Tensor, Tensor | None]:
    """The weight [out_features, in_features] and the bias of a linear layer."""
    weight = layer._parameters["weight"]
    is_turned = type(layer).forward is Conv1D.forward
    return (weight.t() if is_turned else weight), layer._parameters.get("bias")


@contextmanager
def _watched(layers: Iterable[Any], seen: Watch) -> Iterator[None]:
    """Layers whose class is, for a while, one that tells `seen` of them."""
    own = [(layer, type(layer)) for layer in layers]
    for layer, kind in own:
        object.__setattr__(layer, "_seen", seen)
        layer.__class__ = _watching(kind)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for layer, kind in own:
            layer.__class__ = kind
            vars(layer).pop("_seen")
            vars(layer).pop("_is_computing", None)


@cache
def _watching(kind: Any) -> Any:
    """A class of layers like `kind`, whose calls are noted, and every look at the weight that is not their own."""

    class Watching(kind):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Tensor:
            self._seen.calls.append((self, x))
            object.__setattr__(self, "_is_computing", True)
            try:
                product: Tensor = kind.forward(self, x)
                return product
            finally:
                object.__setattr__(self, "_is_computing", False)

        @property
        def weight(self) -> Tensor:
            if not vars(self).get("_is_computing"):
                self._seen.read.add(id(self))
            weight: Tensor = self._parameters["weight"]
            return weight

    return Watching
