"""What is asked of Whisper: a recording, written down in its own language or in English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from llamafarm_universal.engine import Finished, MediaSettings, Result, Transcribe, Work, decoder_of
from llamafarm_universal.host.engines.audio.base import Part
from llamafarm_universal.host.engines.audio.transcripts import told
from llamafarm_universal.host.engines.audio.whisper.merge import Merger
from llamafarm_universal.host.engines.audio.whisper.reading import Heard
from llamafarm_universal.host.engines.audio.whisper.recording import Recording
from llamafarm_universal.host.engines.audio.whisper.vocabulary import Vocabulary
from llamafarm_universal.host.engines.audio.windows import is_silent, windows_of
from llamafarm_universal.messages import Piece
from llamafarm_universal.messages.work.audio import Segment, Transcript

OVERLAP = 6
"""A window shares so great a part of itself with each of its neighbours. Source: transformers' pipeline."""


class WhisperHead:
    """features: transformers' feature extractor. positions: of the encoder, for one window. most: tokens of a text."""

    def __init__(self, vocabulary: Vocabulary, features: Any, positions: int, most: int, media: MediaSettings) -> None:
        self._vocabulary = vocabulary
        self._rate = int(features.sampling_rate)
        self._length = int(features.n_samples)
        self._precision = self._length / self._rate / positions
        self._most = most
        self._media = media

    def prepare(self, work: Work) -> Recording:
        work = cast("Transcribe", work)
        vocabulary = self._vocabulary
        language = vocabulary.language_id(work.language) if work.language and vocabulary.languages else None
        prompt = vocabulary.prompt(work.prompt, self._most // 2 - 1)
        sound = decoder_of(self._media).sound(work.sound, work.folder, sample_rate=self._rate, param="file")
        windows = tuple(windows_of(sound.samples, self._length, self._length // OVERLAP))
        return Recording(
            sound,
            windows,
            work.operation,
            language,
            bool(vocabulary.languages),
            tuple(prompt),
            work.temperatures,
            work.words,
        )

    def answer(self, request_id: str, _work: Work, prepared: Recording) -> Transcribing:
        return Transcribing(
            request_id, prepared, Merger(self._vocabulary, self._precision), self._vocabulary, self._rate
        )


class Transcribing:
    """A recording that is being written down. Windows come in any order, and are put together in their own.

    Windows in which nothing can be heard are not read.
    """

    def __init__(
        self, request_id: str, recording: Recording, merger: Merger, vocabulary: Vocabulary, rate: int
    ) -> None:
        self._request_id = request_id
        self._recording = recording
        self._merger = merger
        self._vocabulary = vocabulary
        self._rate = rate
        self._segments: list[Segment] = []
        self._come: dict[int, list[Heard]] = {}
        self._next = 0
        samples = recording.sound.array()[:, 0]
        self.parts: Sequence[Part] = []
        for number, window in enumerate(recording.windows):
            if is_silent(samples[window.start : window.stop]):
                self._come[number] = []
            else:
                self.parts.append(Part(recording, number, window))

    def may_start(self, part: Part) -> bool:
        """The first window that is not silent tells the language."""
        return self._recording.is_ready or part is self.parts[0]

    def begin(self) -> Iterator[Result]:
        return self._advance()

    def add(self, part: Part, value: list[Heard]) -> Iterator[Result]:
        self._come[part.number] = value
        return self._advance()

    def _advance(self) -> Iterator[Result]:
        """Put together what has come, as far as no window is missing."""
        windows = self._recording.windows
        while (heard := self._come.pop(self._next, None)) is not None:
            window = windows[self._next]
            self._next += 1
            self._merger.language = self._vocabulary.language(self._recording.language)
            lengths = (size / self._rate for size in (len(window), window.left, window.right))
            yield from self._tell(self._merger.add(heard, *lengths))
        if self._next == len(windows):
            yield from self._tell(self._merger.finish())
            yield Finished(self._request_id, value=told(self._transcript()))

    def _tell(self, segments: list[Segment]) -> Iterator[Result]:
        for segment in segments:
            text = segment.text if self._segments else segment.text.lstrip()
            self._segments.append(segment)
            yield Piece(self._request_id, 0, text)

    def _transcript(self) -> Transcript:
        text = "".join(segment.text for segment in self._segments).lstrip()
        language, seconds = self._vocabulary.language(self._recording.language), self._recording.sound.seconds
        return Transcript(text, language, seconds, tuple(self._segments), tuple(self._merger.words))
