"""What is asked of a model that speaks: texts, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from llamafarm_universal.engine import Blob, Finished, Result, Speak, Work, refused
from llamafarm_universal.host.engines.audio.base import Part
from llamafarm_universal.host.engines.audio.speech.speaker import Speaker, Utterance

DEFAULT_VOICE = "default"
"""What the first voice of a model is called, and the only one of many models."""
_MOST_LISTED = 8


class SpeechHead:
    """Checks what is to be spoken, and by which voice."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker

    def prepare(self, work: Work) -> list[Utterance]:
        work = cast("Speak", work)
        voice = self._voice(work.voice)
        if work.speed != 1 and not self._speaker.has_speed:
            raise refused("This model speaks at a pace of its own, and takes no `speed` but 1.", "speed")
        texts = [Utterance(self._speaker.ids(text), voice, work.speed, work.seed) for text in work.texts]
        if not any(text.ids for text in texts):
            raise refused("There is nothing to speak: the text has no letter that the model knows.", "input")
        return texts

    def answer(self, request_id: str, _work: Work, prepared: list[Utterance]) -> Speaking:
        return Speaking(request_id, prepared, self._speaker.rate)

    def _voice(self, voice: str | None) -> int:
        voices = self._speaker.voices
        if voice in voices:
            return voices.index(voice)
        if voice not in (None, DEFAULT_VOICE):
            names = list(dict.fromkeys([DEFAULT_VOICE, *voices]))
            known = ", ".join(names[:_MOST_LISTED]) + (f", … {names[-1]}" if len(names) > _MOST_LISTED else "")
            raise refused(f"The model has no voice {voice[:40]!r}.", "voice", hint=f"It has {known}.")
        return 0


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
