"""Recordings, sorted into the classes of a model: Wav2Vec2 and its kin, the audio spectrogram transformer, Whisper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch

from llamafarm_universal.engine import ClassifySounds, Finished, Label, MediaSettings, Result, Sound, Work, decoder_of
from llamafarm_universal.host.engines.audio.base import Part
from llamafarm_universal.host.engines.audio.windows import Window, least_samples, samples_of, whole_windows
from llamafarm_universal.messages.work.audio import SoundClasses

WINDOW_SECONDS = 30
"""What a model reads at once that could read anything: its memory grows with the square of that."""


class SoundClassifier:
    """features: transformers' feature extractor. Computes the scores of windows of one length together.

    length: samples of a window; where the feature extractor has a length of its own, it is that one.
    """

    def __init__(self, module: Any, features: Any) -> None:
        self.module = module
        self.rate = int(features.sampling_rate)
        self.length = _own_length(features) or WINDOW_SECONDS * self.rate
        self._features = features
        self._least = least_samples(module.config, self.rate)
        self._pads = _own_length(features) is not None

    def size(self, part: Part) -> int:
        """Parts of one size are computed together."""
        return self.length if self._pads else len(part.content)

    def scores(self, parts: Sequence[Part]) -> list[list[float]]:
        """The scores of all classes, for each window. Source: transformers' pipeline for classes of sound."""
        windows = [samples_of(part.request.sound, part.content, self._least) for part in parts]
        inputs = self._features(windows, sampling_rate=self.rate, return_tensors="pt")
        inputs = {name: _moved(value, self.module) for name, value in inputs.items()}
        scores = self.scaled(self.module(**inputs).logits.float())
        return cast("list[list[float]]", scores.tolist())

    def scaled(self, logits: torch.Tensor) -> torch.Tensor:
        """What the model says, as its author means it: classes exclude each other, unless the configuration says so."""
        if self.module.config.problem_type == "regression":
            return logits
        return logits.sigmoid() if self.has_several else logits.softmax(-1)

    @property
    def has_several(self) -> bool:
        """Whether several classes of one recording may be right."""
        return bool(self.module.config.problem_type == "multi_label_classification")


@dataclass(eq=False)
class Listened:
    """A recording of a request. index: which of them."""

    index: int
    sound: Sound
    windows: tuple[Window, ...]


class ClassesHead:
    """What is asked of a classifier of recordings."""

    def __init__(self, model: SoundClassifier, media: MediaSettings) -> None:
        self._model = model
        self._media = media
        named = model.module.config.id2label
        self.labels = [str(named[number]) for number in range(len(named))]

    def prepare(self, work: Work) -> list[Listened]:
        work = cast("ClassifySounds", work)
        many = len(work.sounds) > 1
        prepared = []
        for index, blob in enumerate(work.sounds):
            param = f"input[{index}]" if many else "input"
            sound = decoder_of(self._media).sound(blob, work.folder, sample_rate=self._model.rate, param=param)
            prepared.append(Listened(index, sound, tuple(whole_windows(sound.samples, self._model.length))))
        return prepared

    def answer(self, request_id: str, work: Work, prepared: list[Listened]) -> Classifying:
        return Classifying(request_id, cast("ClassifySounds", work).top, prepared, self)

    def joined(self, recording: Listened, scores: Sequence[Sequence[float]], top: int) -> SoundClasses:
        """The classes of a recording by those of its windows.

        Where one class is right, each window counts by its seconds; where several may be, a class is as likely as in
        the window where it is likeliest: what is heard once has been heard.
        """
        values = torch.tensor(scores, dtype=torch.float64)
        if self._model.has_several:
            whole = values.amax(0)
        else:
            own = torch.tensor([each.own for each in recording.windows], dtype=torch.float64)
            whole = (values * own[:, None]).sum(0) / own.sum()
        best = whole.topk(min(top, len(whole)))
        labels = (
            Label(self.labels[number], score)
            for number, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        )
        return SoundClasses(recording.sound.seconds, tuple(labels))


class Classifying:
    """Recordings that are being sorted. Windows come in any order."""

    def __init__(self, request_id: str, top: int, recordings: Sequence[Listened], head: ClassesHead) -> None:
        self._request_id = request_id
        self._top = top
        self._recordings = recordings
        self._head = head
        windows = [(recording, window) for recording in recordings for window in recording.windows]
        self.parts: Sequence[Part] = [Part(each, number, window) for number, (each, window) in enumerate(windows)]
        self._scores: dict[int, list[float]] = {}

    def may_start(self, _part: Part) -> bool:
        return True

    def begin(self) -> Iterator[Result]:
        return iter(())

    def add(self, part: Part, value: list[float]) -> Iterator[Result]:
        self._scores[part.number] = value
        if len(self._scores) == len(self.parts):
            yield Finished(self._request_id, value=tuple(map(self._joined, self._recordings)))

    def _joined(self, recording: Listened) -> SoundClasses:
        scores = [self._scores[part.number] for part in self.parts if part.request is recording]
        return self._head.joined(recording, scores, self._top)


def _own_length(features: Any) -> int | None:
    """Samples that a feature extractor makes of any recording; None where it leaves it as long as it is."""
    if hasattr(features, "n_samples"):  # Whisper's
        return int(features.n_samples)
    if hasattr(features, "num_mel_bins") and hasattr(features, "max_length"):  # AST's, in frames of 10 ms
        return int(features.max_length) * int(features.sampling_rate) // 100
    return None


def _moved(value: torch.Tensor, module: Any) -> torch.Tensor:
    return value.to(module.device, module.dtype if value.is_floating_point() else None)
