"""Modules of a model that are exchanged for others, and put back where that was no good."""

from __future__ import annotations

import weakref
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers.pytorch_utils import Conv1D

from llamafarm_universal.host.models.linears.form import Form

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Place:
    """Where a module is: an attribute of its parent. One that is used twice has two places."""

    parent: Any
    attribute: str


class Places:
    """Where all modules of a model are."""

    def __init__(self, module: Any) -> None:
        self._places: dict[int, list[Place]] = defaultdict(list)
        self.parents: dict[int, str] = {}
        for name, parent in module.named_modules():
            for attribute, child in parent._modules.items():
                if child is not None:
                    self._places[id(child)].append(Place(parent, attribute))
                    self.parents.setdefault(id(child), name)

    def put(self, old: Any, new: Any) -> None:
        """Put a module wherever another one is."""
        self._places[id(new)] = places = self._places.pop(id(old), [])
        for place in places:
            place.parent._modules[place.attribute] = new


class Exchange:
    """A linear layer and its form. The layer is kept, without its weight: that is freed, unless others use it too."""

    def __init__(self, layer: Any, form: Form, places: Places) -> None:
        self.form = form
        self._layer = layer
        self._places = places
        self._kept = {name: weakref.ref(each) for name, each in layer._parameters.items() if each is not None}
        for name in self._kept:
            layer._parameters[name] = None
        places.put(layer, form)

    def undo(self) -> None:
        """Put the layer back where it was, with the weight that it had."""
        weight = self.form.weight
        turned = weight.t() if type(self._layer).forward is Conv1D.forward else weight
        for name, value in (("weight", turned), ("bias", self.form.bias)):
            if name in self._kept:
                parameter = self._kept[name]()
                self._layer._parameters[name] = _parameter(value) if parameter is None else parameter
        self._places.put(self.form, self._layer)


def _parameter(value: Tensor) -> Any:
    return torch.nn.Parameter(value.contiguous(), requires_grad=False)
