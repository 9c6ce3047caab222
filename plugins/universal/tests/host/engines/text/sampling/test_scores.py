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


def test_where_a_mask_leaves_a_few_tokens_they_are_shared_out_among_those() -> None:
    five_and_nine = torch.zeros(22, dtype=torch.int32)
    five_and_nine[0] = 1 << 5 | 1 << 9
    settings = Settings(logprobs=3, temperature=0, logit_bias={5: 50.0})
    masked, free = sample(LOGITS[:1].repeat(2, 1), [Sampler(settings, ()) for _ in range(2)], [five_and_nine, None])
    assert masked.scores is not None
    assert free.scores is not None
    wanted = LOGITS[0, [5, 9]].log_softmax(0)
    assert masked.token == 5
    assert masked.scores[0] == pytest.approx(float(wanted[0]), abs=1e-5)
    assert dict(masked.scores[1]) == pytest.approx(dict(zip((5, 9), wanted.tolist(), strict=True)), abs=1e-5)
    assert [token for token, _ in free.scores[1]] == LOGS[0].topk(3).indices.tolist()


def test_each_row_tells_as_many_as_it_asks_for() -> None:
    samplers = [Sampler(Settings(temperature=0, logprobs=top), ()) for top in (0, 20, 2)]
    choices = sample(torch.zeros(3, 4), samplers)
    assert [len(choice.scores[1]) for choice in choices if choice.scores] == [0, 4, 2]
