"""VITS: texts, spoken at one go each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from llamafarm_universal.engine import Blob, Finished, LoadPlan, RequestFailed, Result, Speak, Work, refused
from llamafarm_universal.host.engines.audio.base import Part

DEFAULT_VOICE = "default"
"""What the first voice of a model is called, and the only one of many models."""
_MOST_LISTED = 8
FULL_SCALE = 32767


@dataclass(frozen=True)
class Utterance:
    """ids: of a text. speaker: None where the model has one voice alone. speed, seed: as of Speak."""

    ids: tuple[int, ...]
    speaker: int | None
    speed: float
    seed: int


class VitsVoice:
    """rate: samples of a second.

    Each text has a call of its own: what turns its frames into samples is a stack of convolutions without masks, and
    would have the end of a text sound otherwise beside a longer one than alone.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.rate = int(module.config.sampling_rate)

    def speak(self, parts: Sequence[Part]) -> list[bytes]:
        """The samples of each text."""
        return [self._spoken(part.content) for part in parts]

    def _spoken(self, text: Utterance) -> bytes:
        ids = torch.tensor([text.ids], device=self.module.device)
        speed = self.module.speaking_rate * text.speed
        torch.manual_seed(text.seed)
        waveform = self.module(ids, speaker_id=text.speaker, speaking_rate=speed).waveform[0]
        samples = waveform.float().cpu().numpy().clip(-1, 1) * FULL_SCALE
        return np.asarray(samples.round(), "<i2").tobytes()


class SpeechHead:
    """voices: how many the model has. rate: samples of a second."""

    def __init__(self, tokenizer: Any, voices: int, rate: int) -> None:
        self._tokenizer = tokenizer
        self._voices = voices
        self._rate = rate

    def prepare(self, work: Work) -> list[Utterance]:
        work = cast("Speak", work)
        speaker = self._speaker(work.voice)
        texts = [Utterance(self._ids(text), speaker, work.speed, work.seed) for text in work.texts]
        if not any(text.ids for text in texts):
            raise refused("There is nothing to speak: the text has no letter that the model knows.", "input")
        return texts

    def answer(self, request_id: str, _work: Work, prepared: list[Utterance]) -> Speaking:
        return Speaking(request_id, prepared, self._rate)

    def _speaker(self, voice: str | None) -> int | None:
        names = [DEFAULT_VOICE, *map(str, range(self._voices if self._voices > 1 else 0))]
        if voice is not None and voice not in names:
            known = ", ".join(names[:_MOST_LISTED]) + (f", … {names[-1]}" if len(names) > _MOST_LISTED else "")
            raise refused(f"The model has no voice {voice[:40]!r}.", "voice", hint=f"It has {known}.")
        if self._voices <= 1:
            return None
        return 0 if voice in (None, DEFAULT_VOICE) else int(voice or 0)

    def _ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text; none where it has no letter that the model knows. Raises RequestFailed."""
        try:
            ids = tuple(self._tokenizer(text)["input_ids"])
        except (ImportError, ValueError) as error:  # `uroman`, which is not installed
            raise refused(
                "The text has letters that this model reads in their Roman spelling alone.",
                "input",
                hint="Send it romanised, or have the operator of the server `pip install uroman`.",
            ) from error
        return ids if len(ids) > 1 else ()


class Speaking:
    """Texts that are being spoken, each by itself."""

    def __init__(self, request_id: str, texts: Sequence[Utterance], rate: int) -> None:
        self._request_id = request_id
        self._media_type = f"audio/pcm;rate={rate}"
        self._mute = [number for number, text in enumerate(texts) if not text.ids]
        self.parts: Sequence[Part] = [Part(None, number, text) for number, text in enumerate(texts) if text.ids]

    def may_start(self, _part: Part) -> bool:
        return True

    def begin(self) -> Iterator[Result]:
        return (self._ended(number, b"") for number in self._mute)

    def add(self, part: Part, value: bytes) -> Iterator[Result]:
        yield self._ended(part.number, value)

    def _ended(self, number: int, samples: bytes) -> Finished:
        return Finished(self._request_id, number, value=Blob(self._media_type, len(samples), samples))


def refuse_unread(plan: LoadPlan, tokenizer: Any) -> None:
    """Raise RequestFailed for a model whose texts have to be written in sounds, where nothing here does that."""
    from transformers.utils import is_phonemizer_available

    if tokenizer.phonemize and not is_phonemizer_available():
        raise RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` reads sounds and no letters, and `phonemizer`, which tells them, is not installed.",
            hint="`pip install phonemizer` in the runtime's environment, with espeak-ng on the machine.",
            param="model",
        )
