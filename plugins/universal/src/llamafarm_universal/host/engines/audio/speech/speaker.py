"""What speaks: a model with its voices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from llamafarm_universal.engine import RequestFailed
from llamafarm_universal.host.engines.audio.base import Part

FULL_SCALE = 32767


@dataclass(frozen=True)
class Utterance:
    """ids: of a text. voice: its place among those of the speaker. speed, seed: as of Speak."""

    ids: tuple[int, ...]
    voice: int
    speed: float
    seed: int


class Speaker(Protocol):
    """rate: samples of a second. voices: their names; the first one speaks where a request names none.

    has_speed: whether it can be told how fast to speak.
    """

    module: Any
    rate: int
    voices: Sequence[str]
    has_speed: bool

    def ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text; none where it has nothing that the model can say. Raises RequestFailed."""
        ...

    def spoken(self, text: Utterance) -> Any:
        """The samples of a text, as a tensor of one dimension, -1 to 1; the chance of its seed has been set."""
        ...


class Speech:
    """Has a speaker speak texts, one after the other. Values are the bytes of 16-bit samples."""

    def __init__(self, speaker: Speaker) -> None:
        self.module = speaker.module
        self._speaker = speaker

    def speak(self, parts: Sequence[Part]) -> list[bytes]:
        return [self._samples(part.content) for part in parts]

    def _samples(self, text: Utterance) -> bytes:
        import torch

        torch.manual_seed(text.seed)
        waveform = self._speaker.spoken(text).float().cpu().numpy().clip(-1, 1) * FULL_SCALE
        return np.asarray(waveform.round(), "<i2").tobytes()


def refuse_longer(ids: Sequence[int], most: int) -> None:
    """Raise RequestFailed for a sentence of more tokens than a model reads."""
    if len(ids) > most:
        raise RequestFailed(
            "context_length",
            f"A sentence of the text has {len(ids):,} tokens; the model reads {most:,} at once.",
            hint="Put full stops between shorter sentences.",
            param="input",
        )
