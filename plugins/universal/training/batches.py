"""Turns dialogues into batches of token ids and labels: similar lengths together, loss on what the assistant says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .dialogues import Dialogue, Dialogues
from .tokenizer import END, START

IGNORED = -100
POOL = 768
"""Dialogues drawn at a time, to be sorted by length."""


@dataclass(frozen=True)
class Batch:
    """Token ids and labels, both (sequences, length); labels are `IGNORED` where there is nothing to learn."""

    ids: Tensor
    labels: Tensor


def batches(source: Dialogues, tokenizer: PreTrainedTokenizerFast, tokens: int, positions: int) -> Iterator[Batch]:
    """Endless batches of about `tokens` tokens, padding included; dialogues are cut at `positions`."""
    while True:
        rows = [encode(source.draw(), tokenizer, positions) for _ in range(POOL)]
        groups = list(_groups(sorted(rows, key=lambda row: len(row[0])), tokens))
        source.rng.shuffle(groups)
        for group in groups:
            yield _pad(group, tokenizer.pad_token_id)


def encode(dialogue: Dialogue, tokenizer: PreTrainedTokenizerFast, positions: int) -> tuple[list[int], list[int]]:
    """The ids of a dialogue and its labels: every assistant turn after its header, with the token that ends it."""
    text = tokenizer.apply_chat_template(dialogue.messages, tools=dialogue.tools or None, tokenize=False)
    ids: list[int] = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids[:positions]
    header = tokenizer.encode(f"{START}assistant\n", add_special_tokens=False)
    end = tokenizer.convert_tokens_to_ids(END)
    labels, learning = [IGNORED] * len(ids), False
    for at, token in enumerate(ids):
        if learning:
            labels[at] = token
        if token == end:
            learning = False
        elif ids[max(0, at + 1 - len(header)) : at + 1] == header:
            learning = True
    return ids, labels


def _groups(rows: list[tuple[list[int], list[int]]], tokens: int) -> Iterator[list[tuple[list[int], list[int]]]]:
    group: list[tuple[list[int], list[int]]] = []
    for row in rows:
        if group and len(row[0]) * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(row)
    yield group


def _pad(group: list[tuple[list[int], list[int]]], pad: int) -> Batch:
    longest = max(len(ids) for ids, _ in group)
    ids = [row + [pad] * (longest - len(row)) for row, _ in group]
    labels = [row + [IGNORED] * (longest - len(row)) for _, row in group]
    return Batch(torch.tensor(ids), torch.tensor(labels))
