"""How often tokens have come, and the penalties on coming again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from llamafarm_universal.host.engines.text.sampling.settings import Settings

_ROOM = 64  # further tokens that a history has room for when it is made


class History:
    """The different tokens of one sequence, and how often its answer has each.

    It lies beside the model, in plain memory: a step takes from all sequences what they have, in one piece.
    """

    def __init__(self, settings: Settings, prompt: Sequence[int]) -> None:
        self.penalties = (settings.repetition_penalty, settings.presence_penalty, settings.frequency_penalty)
        known = dict.fromkeys(prompt) if settings.repetition_penalty != 1.0 else {}
        self._places = {token: place for place, token in enumerate(known)}
        self._tokens = np.fromiter(known, np.int64, len(known))
        self._counts = np.zeros(len(known), np.float32)
        self._grow()

    @property
    def tokens(self) -> NDArray[np.int64]:
        return self._tokens[: len(self._places)]

    @property
    def counts(self) -> NDArray[np.float32]:
        """How often the answer has each token; 0 where only the prompt has it."""
        return self._counts[: len(self._places)]

    def add(self, token: int) -> None:
        """Count one token of the answer."""
        place = self._places.setdefault(token, len(self._places))
        if place == len(self._tokens):
            self._grow()
        self._tokens[place] = token
        self._counts[place] += 1

    def _grow(self) -> None:
        room = len(self._tokens) + _ROOM
        self._tokens = np.concatenate([self._tokens, np.zeros(room, np.int64)])
        self._counts = np.concatenate([self._counts, np.zeros(room, np.float32)])


def penalise(logits: Tensor, histories: Iterable[tuple[int, History]]) -> None:
    """Apply the penalties of some rows, in place, to the tokens that these rows have.

    Repetition, over prompt and answer, as arXiv:1909.05858 defines it; presence and frequency, over the answer, as
    OpenAI's API reference does.
    """
    places, factors = zip(*(_listed(row, history, logits.shape[1]) for row, history in histories), strict=True)
    row, token = to_device(np.concatenate(places, 1), logits.device)
    moved = to_device(np.concatenate(factors, 1), logits.device)
    count, repetition, presence, frequency = moved
    values = logits[row, token]
    values = torch.where(values > 0, values / repetition, values * repetition)
    logits[row, token] = values - presence * (count > 0) - frequency * count


def _listed(row: int, history: History, vocabulary: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Row and token of what a history has, and for each its count and the three penalties.

    A prompt may have tokens that the model cannot write: they are left out.
    """
    can_be_written = history.tokens < vocabulary
    tokens, counts = history.tokens[can_be_written], history.counts[can_be_written]
    penalties = [np.full_like(counts, penalty) for penalty in history.penalties]
    return np.stack([np.full_like(tokens, row), tokens]), np.stack([counts, *penalties])
