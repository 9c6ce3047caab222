"""What a layer gives with adapters: in each of its forms, and for the rows of each text."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from llamafarm_universal.host.models.linears.by_rows import ByRows
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.int4 import Int4, Int4Widened
from llamafarm_universal.host.models.linears.int8 import Int8, Int8OneDnn, Int8Stored
from llamafarm_universal.host.models.linears.packed import Packed
from llamafarm_universal.host.models.linears.plain import Plain
from llamafarm_universal.host.models.linears.siblings import Merged, Part
from llamafarm_universal.host.models.lora import AdaptedLayers, Adapter, applied
from llamafarm_universal.host.models.lora.applied import NotMixed
from llamafarm_universal.host.models.lora.change import LowRank
from torch import nn

INPUTS, OUTPUTS = 32, 64
FORMS = (Plain, Packed, Int8, Int8OneDnn, Int8Stored, Int4, Int4Widened)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def low_rank(rank: int, outputs: int = OUTPUTS) -> LowRank:
    return LowRank(numbers(rank, INPUTS, seed=rank), numbers(outputs, rank, seed=rank + 1))


def added(change: LowRank, x: torch.Tensor) -> torch.Tensor:
    return x @ change.down.T @ change.up.T


def made(form: type[Form]) -> Form:
    return form.make(numbers(OUTPUTS, INPUTS), numbers(OUTPUTS))


@pytest.fixture(params=[*FORMS, ByRows])
def layer(request: Any) -> Any:
    """A linear layer in one of its forms."""
    return made(request.param) if request.param is not ByRows else ByRows(made(Packed), made(Plain), 2)


def test_each_text_gets_the_change_of_its_own_adapter(layer: Any) -> None:
    changes = [low_rank(2), low_rank(5)]
    module, x = nn.ModuleDict({"layer": layer}), numbers(1, 9, INPUTS)
    first, second = (Adapter(str(change), {"layer": change}) for change in changes)
    layers = AdaptedLayers(module)
    layers.put(first)
    layers.put(second)
    with torch.inference_mode():
        alone = layer(x)
        with applied([(first, 1), (None, 3), (second, 2), (first, 3)]):
            mixed = layer(x)
    expected = alone.clone()
    for rows, change in (([0, 6, 7, 8], changes[0]), ([4, 5], changes[1])):
        expected[:, rows] += added(change, x[:, rows])
    torch.testing.assert_close(mixed, expected)
    assert torch.equal(mixed[:, 1:4], alone[:, 1:4])


def test_layers_that_are_computed_together_are_changed_each_by_itself() -> None:
    merged = Merged(Packed(numbers(3 * OUTPUTS, INPUTS), None), [OUTPUTS, 2 * OUTPUTS])
    module = nn.ModuleDict({name: Part(merged, place, has_bias=False) for place, name in enumerate(("query", "key"))})
    changes = {"query": low_rank(2), "key": low_rank(3, 2 * OUTPUTS)}
    adapter, x = Adapter("both", changes), numbers(1, 6, INPUTS)
    AdaptedLayers(module).put(adapter)
    with torch.inference_mode():
        alone = {name: part(x) for name, part in module.items()}
        for mix, rows in (([(None, 2), (adapter, 3), (None, 1)], slice(2, 5)), ([(adapter, 6)], slice(0, 6))):
            with applied(mix):
                mixed = {name: part(x) for name, part in module.items()}
            for name, change in changes.items():
                expected = alone[name].clone()
                expected[:, rows] += added(change, x[:, rows])
                torch.testing.assert_close(mixed[name], expected)
    assert torch.equal(module["key"](x), alone["key"])


def test_a_layer_that_is_not_given_one_row_for_each_token_asks_to_be_read_by_itself() -> None:
    """Experts get the tokens that were sent to them, and nobody knows whose these are."""
    expert = nn.Linear(INPUTS, OUTPUTS)
    adapter, x = Adapter("a", {"expert": low_rank(2)}), numbers(3, INPUTS)
    AdaptedLayers(nn.ModuleDict({"expert": expert})).put(adapter)
    with torch.inference_mode():
        with applied([(adapter, 4), (None, 2)]), pytest.raises(NotMixed):
            expert(x)
        assert not adapter.mixes
        with applied([(adapter, 4), (adapter, 2)]):
            assert not torch.equal(expert(x), nn.functional.linear(x, expert.weight, expert.bias))


def test_a_layer_has_nothing_left_of_an_adapter_that_was_removed() -> None:
    module = nn.ModuleDict({"layer": nn.Linear(INPUTS, OUTPUTS)})
    layers, first, second = AdaptedLayers(module), *(Adapter(name, {"layer": low_rank(2)}) for name in "ab")
    layers.put(first)
    layers.put(second)
    layers.remove(first)
    assert len(module["layer"]._forward_hooks) == 1
    layers.remove(second)
    layers.remove(second)
    assert not module["layer"]._forward_hooks
