"""What torch's flash attention is given: a GPU's operator, in whose place a plain product stands here."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import language_models as models
import pytest
import torch
from llamafarm_universal.host.engines.text import flash_attention, flat_runner
from llamafarm_universal.host.engines.text.attentions import Attentions
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.flash_attention import FlashAttention
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.kv_cache import KVCache
from llamafarm_universal.host.engines.text.one_token_attention import copied_product

BLOCKS = 40
STEPS = ((30, 0, 5), (1, 40, 1), (20, 1, 60), (1, 1, 1))
"""How many tokens of each of three texts are read at once."""


class Operator:
    """The operator as torch documents it, one text after the other: the last tokens look at all that are used."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(
        self, query: Any, key: Any, value: Any, begins: Any, key_begins: Any, *rest: Any, **options: Any
    ) -> Any:
        self.calls += 1
        most_asking, most_asked, dropout, is_causal, _ = rest
        assert (dropout, is_causal) == (0.0, True)
        output = torch.empty_like(query)
        for (begin, end), start, used in zip(pairwise(begins), key_begins, options["seqused_k"], strict=False):
            count, group = end - begin, query.shape[1] // key.shape[1]
            assert count <= most_asking
            assert used <= most_asked
            keys, values = (each[start : start + used].repeat_interleave(group, 1) for each in (key, value))
            scores = torch.einsum("qhd,khd->hqk", query[begin:end], keys) * options["scale"]
            distance = torch.arange(used - count, used)[:, None] - torch.arange(used)
            hidden = distance < 0
            if options["window_size_left"] is not None:
                assert options["window_size_right"] == 0
                hidden |= distance > options["window_size_left"]
            shares = scores.masked_fill(hidden, float("-inf")).softmax(-1)
            output[begin:end] = torch.einsum("hqk,khd->qhd", shares, values)
        return output, None, None, None, None


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Operator:
    made = Operator()
    there = SimpleNamespace(ops=SimpleNamespace(aten=SimpleNamespace(_flash_attention_forward=made)))
    monkeypatch.setattr(flash_attention, "torch", SimpleNamespace(**(vars(torch) | vars(there))))
    monkeypatch.setattr(flash_attention, "_NUMBER_FORMATS", (torch.float32,))
    return made


def logits_of(runner: FlatRunner) -> torch.Tensor:
    """Behind all tokens of three texts, read in pieces."""
    cache = KVCache(BLOCKS)
    runner.allocate(BLOCKS)
    texts = [Context(models.prompt(sum(counts), number)) for number, counts in enumerate(zip(*STEPS, strict=True))]
    for text in texts:
        text.table = cache.open(text.tokens, "")
        assert cache.grow(text.table, len(text.tokens))
    rows = []
    for counts in STEPS:
        readings = [Reading(text, count) for text, count in zip(texts, counts, strict=True) if count]
        rows.append(runner.run(readings))
        for reading in readings:
            reading.context.stored += reading.count
    return rows[-1]


@pytest.mark.parametrize("name", ["Llama", "Gemma3Text"])
def test_texts_are_read_as_by_a_plain_product(name: str, monkeypatch: pytest.MonkeyPatch, operator: Operator) -> None:
    """In pieces of several lengths at once, and through windows."""
    expected = logits_of(FlatRunner(models.build(name), "cpu"))
    assert operator.calls == 0
    monkeypatch.setattr(flat_runner, "attentions_of", lambda device: [Attentions(FlashAttention, copied_product)])
    computed = logits_of(FlatRunner(models.build(name), "cpu"))
    assert operator.calls > 0
    torch.testing.assert_close(computed, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["Gemma2", "GptOss"])
def test_what_the_operator_lacks_is_computed_in_the_plain_way(
    name: str, monkeypatch: pytest.MonkeyPatch, operator: Operator
) -> None:
    expected = logits_of(FlatRunner(models.build(name), "cpu"))
    monkeypatch.setattr(flat_runner, "attentions_of", lambda device: [Attentions(FlashAttention, copied_product)])
    assert torch.equal(logits_of(FlatRunner(models.build(name), "cpu")), expected)
    assert operator.calls == 0
