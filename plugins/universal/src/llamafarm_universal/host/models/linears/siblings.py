"""Layers of one parent that are always given the very same input: computed as one product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.watch import Watch, parts_of

if TYPE_CHECKING:
    from torch import Tensor


def groups(seen: Watch, parents: Mapping[int, str]) -> list[list[Any]]:
    """All layers that may be exchanged, those that are siblings together.

    parents: the name of each layer's parent, by the layer's id. Siblings are called one after the other with one and
    the same tensor, once in a run of the model.
    """
    free = {id(layer) for layer in seen.free}
    times = Counter(id(layer) for layer, _ in seen.calls)
    found: list[list[Any]] = []
    for (before, given), (layer, x) in pairwise([(None, None), *seen.calls]):
        if id(layer) not in free:
            continue
        if times[id(layer)] > 1:  # a layer that is used in several places is nobody's sibling
            if not any(layer in group for group in found):
                found.append([layer])
        elif x is given and found and found[-1][-1] is before and _are_alike(before, layer, parents, times):
            found[-1].append(layer)
        else:
            found.append([layer])
    return found


def _are_alike(one: Any, other: Any, parents: Mapping[int, str], times: Mapping[int, int]) -> bool:
    (weight, _), (other_weight, _) = parts_of(one), parts_of(other)
    same_parent = parents.get(id(one)) == parents.get(id(other))
    return same_parent and times[id(one)] == 1 and weight.dtype == other_weight.dtype


def joined(parts: Sequence[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of the one layer that computes what all of these do, one after the other."""
    weight = torch.cat([weight for weight, _ in parts])
    if all(bias is None for _, bias in parts):
        return weight, None
    return weight, torch.cat([weight.new_zeros(len(weight)) if bias is None else bias for weight, bias in parts])


class Merged:
    """One product for several layers: computed when the first of them is called, kept until the last has its part.

    form: computes all of them. sizes: the outputs of each.
    """

    def __init__(self, form: Form, sizes: Sequence[int]) -> None:
        self.form = form
        self.sizes = list(sizes)
        self._x: Tensor | None = None
        self._parts: list[Tensor | None] = []
        self._left = 0

    def part(self, place: int, x: Tensor) -> Tensor:
        """What the layer at a place computes of x."""
        part = self._parts[place] if x is self._x else None
        if part is None:
            self._x = x
            self._parts = list(self.form(x).split(self.sizes, -1))
            self._left = len(self.sizes)
            part = self._parts[place]
            assert part is not None
        self._parts[place] = None
        self._left -= 1
        if not self._left:
            self._x = None
        return part


class Part(Form):
    """One layer of several that are computed together."""

    name = "part"

    def __init__(self, merged: Merged, place: int, *, has_bias: bool) -> None:
        torch.nn.Module.__init__(self)
        form, begin = merged.form, sum(merged.sizes[:place])
        self.in_features, self.out_features, self.dtype = form.in_features, merged.sizes[place], form.dtype
        self.bits = form.bits
        self.merged, self.place = merged, place
        self._rows = slice(begin, begin + self.out_features)
        object.__setattr__(self, "bias", form.bias[self._rows] if has_bias else None)

    def forward(self, x: Tensor) -> Tensor:
        return self.merged.part(self.place, x)

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self.merged.form.weight[self._rows]
        return weight

    @property
    def memory_bytes(self) -> int:
        """The first part counts for all."""
        return 0 if self.place else self.merged.form.memory_bytes
