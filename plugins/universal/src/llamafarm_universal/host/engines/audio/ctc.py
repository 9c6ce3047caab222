"""Wav2Vec2, HuBERT and their kin, which say for each moment of a recording which letter is heard (CTC)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch

from llamafarm_universal.engine import (
    Finished,
    MediaSettings,
    Piece,
    Result,
    Sound,
    Transcribe,
    Work,
    decoder_of,
    refused,
)
from llamafarm_universal.host.engines.audio.base import Part
from llamafarm_universal.host.engines.audio.transcripts import grouped, told
from llamafarm_universal.host.engines.audio.windows import Window, is_silent, windows_of
from llamafarm_universal.messages.work.audio import TEMPERATURES, Transcript, Word

WINDOW_SECONDS = 15
OVERLAP = 6
"""A window shares so great a part of itself with each of its neighbours. Source: transformers' pipeline."""


class CtcModel:
    """features: transformers' feature extractor. Computes the letters of windows of one length together."""

    def __init__(self, module: Any, features: Any) -> None:
        self.module = module
        self._features = features
        self._ratio = int(module.config.inputs_to_logits_ratio)

    def read(self, parts: Sequence[Part]) -> list[list[int]]:
        """The letters of each window, without those that its neighbours tell."""
        rate = self._features.sampling_rate
        inputs = [
            self._features(_samples(part), sampling_rate=rate, return_tensors="pt").input_values[0] for part in parts
        ]
        stacked = torch.stack(inputs).to(self.module.device, self.module.dtype)
        letters = self.module(stacked).logits.argmax(-1).tolist()
        return [own(ids, part.content, self._ratio) for ids, part in zip(letters, parts, strict=True)]


def own(ids: list[int], window: Window, ratio: int) -> list[int]:
    """Of the letters of a window those of its own part. ratio: samples of a letter. Source: transformers' pipeline."""
    count = round(len(window) / ratio)
    left, right = (round(side / len(window) * count) for side in (window.left, window.right))
    return ids[left : count - right]


@dataclass(eq=False)
class CtcRecording:
    """What the windows of a recording share."""

    sound: Sound
    windows: tuple[Window, ...]


class CtcHead:
    """ratio: samples of one letter. rate: samples of a second."""

    def __init__(self, tokenizer: Any, rate: int, ratio: int, media: MediaSettings) -> None:
        self.tokenizer = tokenizer
        self.rate = rate
        self.ratio = ratio
        self._media = media

    def prepare(self, work: Work) -> CtcRecording:
        work = cast("Transcribe", work)
        for name, is_given in (("language", work.language), ("prompt", work.prompt.strip())):
            if is_given:
                raise refused(f"This model writes down what it hears, and takes no `{name}`.", name)
        if work.temperatures != TEMPERATURES and any(work.temperatures):
            raise refused("This model leaves nothing to chance, and takes no `temperature` but 0.", "temperature")
        sound = decoder_of(self._media).sound(work.sound, work.folder, sample_rate=self.rate, param="file")
        length, overlap = (
            round(samples / self.ratio) * self.ratio
            for samples in (WINDOW_SECONDS * self.rate, WINDOW_SECONDS * self.rate / OVERLAP)
        )
        return CtcRecording(sound, tuple(windows_of(sound.samples, length, overlap)))

    def answer(self, request_id: str, _work: Work, prepared: CtcRecording) -> Spelling:
        return Spelling(request_id, prepared, self)


class Spelling:
    """A recording that is being written down letter by letter. Windows come in any order."""

    def __init__(self, request_id: str, recording: CtcRecording, head: CtcHead) -> None:
        self._request_id = request_id
        self._recording = recording
        self._head = head
        self._come: dict[int, list[int]] = {}
        self._next = 0
        self._letters: list[int] = []  # of the word that has not ended
        self._begin = 0  # how many letters there were before these
        self._words: list[Word] = []
        samples = recording.sound.array()[:, 0]
        self.parts: Sequence[Part] = []
        blank = head.tokenizer.pad_token_id
        for number, window in enumerate(recording.windows):
            if is_silent(samples[window.start : window.stop]):
                self._come[number] = own([blank] * round(len(window) / head.ratio), window, head.ratio)
            else:
                self.parts.append(Part(recording, number, window))

    def may_start(self, _part: Part) -> bool:
        return True

    def begin(self) -> Iterator[Result]:
        return self._advance()

    def add(self, part: Part, value: list[int]) -> Iterator[Result]:
        self._come[part.number] = value
        return self._advance()

    def _advance(self) -> Iterator[Result]:
        """Spell what has come, as far as no window is missing."""
        while (letters := self._come.pop(self._next, None)) is not None:
            self._next += 1
            self._letters += letters
            is_last = self._next == len(self._recording.windows)
            yield from self._spell(len(self._letters) if is_last else self._whole_words())
            if is_last:
                text = " ".join(word.word for word in self._words)
                seconds, words = self._recording.sound.seconds, tuple(self._words)
                yield Finished(self._request_id, value=told(Transcript(text, None, seconds, grouped(words), words)))

    def _whole_words(self) -> int:
        """Behind how many letters the last gap between words lies."""
        gap = self._head.tokenizer.word_delimiter_token_id
        places = (at for at in range(len(self._letters), 0, -1) if self._letters[at - 1] == gap)
        return next(places, 0)

    def _spell(self, count: int) -> Iterator[Result]:
        """Tell the words of so many letters, which end with a word."""
        spelled = self._head.tokenizer.decode(self._letters[:count], output_word_offsets=True)
        second = self._head.ratio / self._head.rate
        for each in spelled.word_offsets:
            start, end = (round((self._begin + each[f"{side}_offset"]) * second, 3) for side in ("start", "end"))
            if each["word"].strip():
                gap = " " if self._words else ""
                self._words.append(Word(each["word"], start, end))
                yield Piece(self._request_id, 0, gap + each["word"])
        self._begin += count
        del self._letters[:count]


def _samples(part: Part) -> Any:
    window: Window = part.content
    return part.request.sound.array()[window.start : window.stop, 0]
