"""How near two ways to read a text must be to each other."""

from __future__ import annotations

import language_models as models
import torch
from llamafarm_universal.host.engines.text import trial


def rows(model: object) -> tuple[list[list[int]], list[torch.Tensor]]:
    texts = [trial.tokens(model, offset) for offset in (0, 1)]
    return texts, trial.read_at_once(model, texts, "cpu")


def test_a_hundredth_is_rounding_and_more_is_not() -> None:
    model = models.build("Llama")
    _, [logits, _] = rows(model)
    far = logits + torch.randn(len(logits), generator=torch.Generator().manual_seed(0)) * logits.std() * 0.1
    assert trial.same(logits * 1.001, logits, model)
    assert not trial.same(far, logits, model)
    assert trial.same(far, logits, model, noise=0.1)  # of a model whose own ways are as far apart


def test_the_noise_of_a_model_is_what_its_own_ways_differ_by() -> None:
    for dtype, least, most in ((torch.float32, 0.0, 1e-4), (torch.bfloat16, 1e-3, 0.1)):
        model = models.build("Llama", dtype)
        found = trial.noises(model, *rows(model), "cpu")
        assert all(least <= each <= most for each in found)
        assert model.config._attn_implementation == "sdpa"


def test_where_there_is_one_way_there_is_no_noise() -> None:
    model = models.build("Gemma2", torch.bfloat16)
    assert trial.noises(model, *rows(model), "cpu") == [0.0, 0.0]
