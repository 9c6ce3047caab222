"""Tokens that a grammar does not allow."""

from __future__ import annotations

import math
import random

import torch
from llamafarm_universal.host.engines.text.sampling.masks import apply_masks


def packed(allowed: set[int], vocabulary: int) -> torch.Tensor:
    words = [sum(1 << bit for bit in range(32) if 32 * word + bit in allowed) for word in range(-(-vocabulary // 32))]
    return torch.tensor([word - 2**32 if word >= 2**31 else word for word in words], dtype=torch.int32)


def test_each_row_keeps_what_its_mask_allows() -> None:
    choose = random.Random(3)
    for vocabulary in (1, 31, 32, 33, 1000):
        allowed = [{token for token in range(vocabulary) if choose.random() < 0.5} for _ in range(3)]
        logits = torch.randn(4, vocabulary)
        masked = logits.clone()
        apply_masks(masked, [packed(allowed[0], vocabulary), None, *(packed(some, vocabulary) for some in allowed[1:])])
        for row, some in enumerate((allowed[0], set(range(vocabulary)), *allowed[1:])):
            expected = [value if token in some else -math.inf for token, value in enumerate(logits[row].tolist())]
            assert masked[row].tolist() == expected


def test_without_masks_nothing_changes() -> None:
    logits = torch.ones(2, 40)
    apply_masks(logits, [None, None])
    apply_masks(logits, [])
    assert logits.eq(1).all()
