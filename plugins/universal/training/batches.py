"""Turns dialogues into batches of token ids and labels, with loss on what the assistant says.

What one step learns from is drawn at random and then cut into batches of similar lengths, so that little is padding and
yet every step sees every kind of dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .dialogues import Dialogue, Dialogues
from .tokenizer import END, START

IGNORED = -100
Row = tuple[list[int], list[int]]
"""The ids of one dialogue, and its labels."""
BEGINNING = 12
"""How many tokens of an answer are its beginning."""
LONGER = 1.4
"""How much longer the longest row of a batch may be than its shortest."""


@dataclass(frozen=True)
class Batch:
    """Token ids and labels, both (sequences, length); labels are `IGNORED` where there is nothing to learn."""

    ids: Tensor
    labels: Tensor


def steps(source: Dialogues, tokenizer: PreTrainedTokenizerFast, tokens: int, positions: int) -> Iterator[list[Batch]]:
    """Endlessly, the batches of one step: about `tokens` tokens without padding; dialogues are cut at `positions`."""
    while True:
        rows: list[Row] = []
        while sum(len(ids) for ids, _ in rows) < tokens:
            rows.append(encode(source.draw(), tokenizer, positions))
        yield [_pad(group, tokenizer.pad_token_id) for group in _groups(sorted(rows, key=lambda row: len(row[0])))]


def encode(dialogue: Dialogue, tokenizer: PreTrainedTokenizerFast, positions: int) -> Row:
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
    if dialogue.only_beginning:
        end_at = next(at for at, label in enumerate(labels) if label != IGNORED) + BEGINNING
        return ids[:end_at], labels[:end_at]
    return ids, labels


def _groups(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows in the order of their lengths, cut where they get much longer."""
    group: list[Row] = []
    for row in rows:
        if group and len(row[0]) > LONGER * len(group[0][0]):
            yield group
            group = []
        group.append(row)
    yield group


def _pad(group: list[Row], pad: int) -> Batch:
    longest = max(len(ids) for ids, _ in group)
    ids = [row + [pad] * (longest - len(row)) for row, _ in group]
    labels = [row + [IGNORED] * (longest - len(row)) for _, row in group]
    return Batch(torch.tensor(ids), torch.tensor(labels))
