"""Log probabilities: the model's own, whatever else a request asks for."""

from __future__ import annotations

import pytest
import torch
from llamafarm_universal.host.engines.text.sampling import Sampler, Settings, sample

LOGITS = torch.randn(3, 700, generator=torch.Generator().manual_seed(2)) * 6
LOGS = LOGITS.log_softmax(-1)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(logprobs=5, temperature=0),
        Settings(logprobs=5, temperature=4.0, top_p=0.9, seed=1),
        Settings(logprobs=5, temperature=0, logit_bias={3: 100.0}, repetition_penalty=2.0),
    ],
    ids=["likeliest", "drawn", "biased"],
)
def test_they_are_the_models_own(settings: Settings) -> None:
    silent = Sampler(Settings(temperature=0), ())
    plain, first, second = sample(LOGITS.clone(), [silent, Sampler(settings, (1,)), Sampler(settings, (), 1)])
    assert plain.scores is None
    for row, choice in ((1, first), (2, second)):
        assert choice.scores is not None
        best = LOGS[row].topk(5)
        assert choice.scores[0] == pytest.approx(float(LOGS[row, choice.token]), abs=1e-5)
        assert [token for token, _ in choice.scores[1]] == best.indices.tolist()
        assert [value for _, value in choice.scores[1]] == pytest.approx(best.values.tolist(), abs=1e-5)


def test_of_what_a_mask_rules_out_too() -> None:
    only_five = torch.zeros(22, dtype=torch.int32)
    only_five[0] = 1 << 5
    (choice,) = sample(LOGITS[:1].clone(), [Sampler(Settings(logprobs=1), ())], [only_five])
    assert choice.token == 5
    assert choice.scores is not None
    assert choice.scores[0] == pytest.approx(float(LOGS[0, 5]), abs=1e-5)
    assert choice.scores[1][0][0] == int(LOGS[0].argmax())


def test_each_row_tells_as_many_as_it_asks_for() -> None:
    samplers = [Sampler(Settings(temperature=0, logprobs=top), ()) for top in (0, 20, 2)]
    choices = sample(torch.zeros(3, 4), samplers)
    assert [len(choice.scores[1]) for choice in choices if choice.scores] == [0, 4, 2]
