"""Layers with one input are computed together."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from llamafarm_universal.host.models.linears.exchange import Places
from llamafarm_universal.host.models.linears.plain import Plain
from llamafarm_universal.host.models.linears.siblings import Merged, Part, groups, joined
from llamafarm_universal.host.models.linears.watch import parts_of, watch
from torch import Tensor, nn


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(4, size, bias=size != 3) for size in (4, 3, 2, 5))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.query(x), self.key(x), self.value(x)
        return self.out(q + k.sum() + v.sum())


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Attention(), Attention()])
        self.again = nn.Linear(5, 5)
        self.aside = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        first = self.layers[0](x)
        return self.layers[1](self.aside(self.again(self.again(first))))


@pytest.fixture
def attention() -> Attention:
    torch.manual_seed(0)
    return Attention()


@pytest.fixture
def merged(attention: Attention) -> Merged:
    layers = [attention.query, attention.key, attention.value]
    return Merged(Plain(*joined([parts_of(layer) for layer in layers])), [4, 3, 2])


def test_siblings_are_found_by_what_they_are_given() -> None:
    model = Model()
    names = {id(layer): name for name, layer in model.named_modules()}
    found = groups(watch(model, lambda module: module(torch.randn(2, 4))), Places(model).parents)
    assert [[names[id(layer)] for layer in group] for group in found] == [
        ["layers.0.query", "layers.0.key", "layers.0.value"],
        ["layers.0.out"],
        ["again"],
        ["aside"],
        ["layers.1.query", "layers.1.key", "layers.1.value"],
        ["layers.1.out"],
    ]


def test_each_part_computes_what_its_layer_did(attention: Attention, merged: Merged) -> None:
    x = torch.randn(2, 3, 4)
    for place, layer in enumerate((attention.query, attention.key, attention.value)):
        part = Part(merged, place, has_bias=layer.bias is not None)
        torch.testing.assert_close(part(x), layer(x))
        assert torch.equal(part.weight, layer.weight)
        assert (part.bias is None) == (layer.bias is None)


def test_one_product_serves_all(merged: Merged) -> None:
    calls = []
    merged.form.register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(2, 4)
    for place in (0, 1, 2):
        merged.part(place, x)
    assert len(calls) == 1


def test_a_part_that_is_given_something_else_computes_it(attention: Attention, merged: Merged) -> None:
    x, other = torch.randn(2, 4), torch.randn(2, 4)
    merged.part(0, x)
    torch.testing.assert_close(merged.part(1, other), attention.key(other))
    torch.testing.assert_close(merged.part(2, x), attention.value(x))
    torch.testing.assert_close(merged.part(2, x), attention.value(x))


def test_nothing_is_held_once_all_have_their_part(merged: Merged) -> None:
    x = torch.randn(2, 4)
    parts = [merged.part(place, x) for place in (0, 1, 2)]
    held = [weakref.ref(each) for each in (x, *parts)]
    del x, parts
    gc.collect()
    assert not any(each() is not None for each in held)
