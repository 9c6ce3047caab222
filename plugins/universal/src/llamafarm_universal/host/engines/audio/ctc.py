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
from llamafarm_universal.host.engines.audio.languages import Languages
from llamafarm_universal.host.engines.audio.transcripts import grouped, told
from llamafarm_universal.host.engines.audio.windows import Window, is_silent, least_samples, samples_of, windows_of
from llamafarm_universal.messages.work.audio import TEMPERATURES, Transcript, Word

WINDOW_SECONDS = 15
OVERLAP = 6
"""A window shares so great a part of itself with each of its neighbours. Source: transformers' pipeline."""


class CtcModel:
    """features: transformers' feature extractor. Computes the letters of windows of one length together.

    languages: None where the model knows no more than one.
    """

    def __init__(self, module: Any, features: Any, languages: Languages | None) -> None:
        self.module = module
        self._languages = languages
        self._features = features
        self._ratio = int(module.config.inputs_to_logits_ratio)
        self._least = least_samples(module.config, int(features.sampling_rate))

    def size(self, part: Part) -> tuple[int, str | None]:
        """Parts of one size, and in one language, are computed together."""
        return len(part.content), part.request.language

    def read(self, parts: Sequence[Part]) -> list[list[int]]:
        """The letters of each window, without those that its neighbours tell."""
        if self._languages is not None:
            self._languages.set(parts[0].request.language)
        rate = self._features.sampling_rate
        windows = [samples_of(part.request.sound, part.content, self._least) for part in parts]
        inputs = [self._features(each, sampling_rate=rate, return_tensors="pt").input_values[0] for each in windows]
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
    """What the windows of a recording share. tokenizer: knows the letters of its language."""

    sound: Sound
    windows: tuple[Window, ...]
    tokenizer: Any
    language: str | None


class CtcHead:
    """ratio: samples of one letter. rate: samples of a second. languages: as of CtcModel."""

    def __init__(
        self, tokenizer: Any, rate: int, ratio: int, media: MediaSettings, languages: Languages | None
    ) -> None:
        self._tokenizer = tokenizer
        self._languages = languages
        self.rate = rate
        self.ratio = ratio
        self._media = media

    def prepare(self, work: Work) -> CtcRecording:
        work = cast("Transcribe", work)
        tokenizer, language, languages = self._tokenizer, work.language, self._languages
        if languages is not None:
            language = languages.named(language) if language else languages.default
            tokenizer = languages.tokenizer(language)
        for name, is_given in (("language", language and languages is None), ("prompt", work.prompt.strip())):
            if is_given:
                raise refused(f"This model writes down what it hears, and takes no `{name}`.", name)
        if work.temperatures != TEMPERATURES and any(work.temperatures):
            raise refused("This model leaves nothing to chance, and takes no `temperature` but 0.", "temperature")
        sound = decoder_of(self._media).sound(work.sound, work.folder, sample_rate=self.rate, param="file")
        length, overlap = (
            round(samples / self.ratio) * self.ratio
            for samples in (WINDOW_SECONDS * self.rate, WINDOW_SECONDS * self.rate / OVERLAP)
        )
        return CtcRecording(sound, tuple(windows_of(sound.samples, length, overlap)), tokenizer, language)

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
        blank = recording.tokenizer.pad_token_id
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
                transcript = Transcript(text, self._recording.language, seconds, grouped(words), words)
                yield Finished(self._request_id, value=told(transcript))

    def _whole_words(self) -> int:
        """Behind how many letters the last gap between words lies."""
        gap = self._recording.tokenizer.word_delimiter_token_id
        places = (at for at in range(len(self._letters), 0, -1) if self._letters[at - 1] == gap)
        return next(places, 0)

    def _spell(self, count: int) -> Iterator[Result]:
        """Tell the words of so many letters, which end with a word."""
        spelled = self._recording.tokenizer.decode(self._letters[:count], output_word_offsets=True)
        second = self._head.ratio / self._head.rate
        for each in spelled.word_offsets:
            start, end = (round((self._begin + each[f"{side}_offset"]) * second, 3) for side in ("start", "end"))
            if each["word"].strip():
                gap = " " if self._words else ""
                self._words.append(Word(each["word"], start, end))
                yield Piece(self._request_id, 0, gap + each["word"])
        self._begin += count
        del self._letters[:count]
