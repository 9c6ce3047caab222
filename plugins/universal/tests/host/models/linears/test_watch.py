"""How a model uses its linear layers is seen in a run of it."""

from __future__ import annotations

import torch
from llamafarm_universal.host.models.linears.watch import is_plain_linear, parts_of, watch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D


class Mixed(nn.Module):
    """Calls one layer, looks into a second one, does both with a third, and leaves a fourth alone."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.read, self.both, self.idle = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.called(x) @ self.read.weight
        return self.both(x.to(self.both.weight.dtype))


def test_a_layer_is_free_that_is_called_and_that_nobody_looks_into() -> None:
    model = Mixed()
    x = torch.randn(2, 4)
    seen = watch(model, lambda module: module(x))
    assert seen.free == [model.called]
    assert [layer for layer, _ in seen.calls] == [model.called, model.both]
    assert torch.equal(seen.answer, model(x))


def test_a_model_that_was_watched_is_as_it_was() -> None:
    model = Mixed()
    before = {name: dict(vars(module)) for name, module in model.named_modules()}
    watch(model, lambda module: module(torch.randn(2, 4)))
    assert {type(each) for each in model.children()} == {nn.Linear}
    assert {name: dict(vars(module)) for name, module in model.named_modules()} == before


def test_the_transposed_layers_of_gpt_2_are_linear_too() -> None:
    layer = Conv1D(3, 5)
    assert is_plain_linear(layer)
    weight, bias = parts_of(layer)
    x = torch.randn(2, 5)
    torch.testing.assert_close(nn.functional.linear(x, weight, bias), layer(x))
    assert watch(nn.Sequential(layer), lambda module: module(x)).free == [layer]


def test_layers_that_do_more_are_not_touched() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    hooked, patched, normed = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
    hooked.register_forward_hook(lambda *_: None)
    patched.forward = lambda x: x
    normed = nn.utils.parametrizations.weight_norm(normed)
    for layer in (Doubled(2, 2), hooked, patched, normed, nn.Bilinear(2, 2, 2), nn.LayerNorm(2)):
        assert not is_plain_linear(layer)
