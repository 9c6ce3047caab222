"""How near two ways to read a text must be to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import language_models as models
import pytest
import torch
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text import trial
from llamafarm_universal.host.engines.text.context import Reading
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.pageable import NotPaged
from llamafarm_universal.host.engines.text.state_runner import StateRunner
from llamafarm_universal.host.engines.text.trial import Trial

HALF = (torch.bfloat16, torch.float16)


class Off:
    """A runner that gives what a model gives by itself, but for so much of a difference."""

    def __init__(self, model: Any, by: float) -> None:
        self._model, self._by = model, by

    def allocate(self, blocks: int) -> None: ...

    def run(self, readings: Sequence[Reading]) -> torch.Tensor:
        with torch.inference_mode():
            rows = [self._model(torch.tensor([reading.tokens])).logits[0, -1].float() for reading in readings]
        chance = torch.Generator().manual_seed(0)
        return torch.stack([row + torch.randn(len(row), generator=chance) * row.std() * self._by for row in rows])


AT_ONCE = ((trial.LENGTH, trial.LENGTH),)


def test_a_hundredth_is_rounding_and_more_is_not() -> None:
    model = models.build("Llama")
    own = Trial(model, "cpu")
    assert own.noise == 0
    for by, passes in ((0.0, True), (0.005, True), (0.02, False)):
        assert own.passes(Off(model, by), AT_ONCE) is passes


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", ["Llama", "GptOss", "Jamba"])
def test_in_half_precision_it_is_what_a_rounding_of_the_embeddings_makes(name: str, dtype: torch.dtype) -> None:
    model = models.build(name, dtype)
    own = Trial(model, "cpu")
    assert 0.001 < own.noise < 0.15
    most = max(3 * own.noise, 0.01)
    assert own.passes(Off(model, most / 2), AT_ONCE)
    assert not own.passes(Off(model, most * 2), AT_ONCE)


@pytest.mark.parametrize("name", ["Llama", "GptOss"])  # GptOss: with attention that only the model itself computes
def test_the_noise_is_the_models_own_whoever_computes_its_attention_now(name: str) -> None:
    model = models.build(name, torch.bfloat16)
    before, after = Trial(model, "cpu"), Trial(model, "cpu")
    wanted = before.noise
    FlatRunner(model, "cpu")
    implementation = model.config._attn_implementation
    assert after.noise == wanted
    assert model.config._attn_implementation == implementation


def test_however_much_a_model_makes_of_a_rounding_what_is_far_off_is_not_the_same() -> None:
    model = models.build("Llama", torch.bfloat16).requires_grad_(False)
    for layer in model.model.layers:
        layer.self_attn.q_proj.weight.mul_(100)
    own = Trial(model, "cpu")
    assert own.noise > 0.2
    assert not own.passes(Off(model, 0.6), AT_ONCE)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", models.STATEFUL)
def test_a_model_that_forgets_does_so_in_any_number_format(name: str, dtype: torch.dtype) -> None:
    assert StateRunner(models.build(name, dtype), "cpu").reads_in_chunks is (name not in models.FORGETFUL)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", ["Jamba", "Lfm2", "Qwen3Next"])
def test_a_hybrid_that_gives_something_else_is_refused_in_any_number_format(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llamafarm_universal.host.engines.text import state_runner

    stacked = state_runner.StateCaches.stacked

    def mixed_up(self: Any, states: Sequence[Any]) -> Any:
        return stacked(self, states[::-1])

    monkeypatch.setattr(state_runner.StateCaches, "stacked", mixed_up)
    with pytest.raises(NotPaged, match="something else"):
        StateRunner(models.build(name, dtype), "cpu")


def test_a_model_whose_numbers_do_not_fit_fp16_is_refused_with_what_to_do() -> None:
    model = models.build("Llama", torch.float16).requires_grad_(False)
    model.model.layers[0].mlp.down_proj.weight.mul_(1e5)
    with pytest.raises(RequestFailed, match="larger numbers than fp16 can hold") as failed:
        Trial(model, "cpu")
    assert failed.value.param == "dtype"
    assert "bf16" in (failed.value.hint or "")
