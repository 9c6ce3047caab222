"""Works of sound. Each has one Finished, whose value it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llamafarm_universal.messages.blob import Blob
from llamafarm_universal.messages.work.vision import Label

if TYPE_CHECKING:
    from llamafarm_universal.media.folder import SpoolFolder  # which is built on messages itself

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""What is tried one after the other, until a text does not look like a failure. Source: openai-whisper's transcribe."""


@dataclass(frozen=True)
class Transcribe:
    """The text of a recording, in its own language. Told in pieces as well; value: a Blob, the JSON of a `Transcript`.

    folder: of the request, where the recording is decoded. language: of the recording, as ISO 639-1 has it; None: it is
    detected. prompt: a text that goes before it, for style and names. temperatures: of the first attempt, and of those
    that follow where it looks like a failure. words: whether the times of words are wanted, too.
    """

    operation: ClassVar[str] = "transcribe"
    answers: ClassVar[int] = 1

    sound: Blob
    folder: SpoolFolder
    language: str | None = None
    prompt: str = ""
    temperatures: tuple[float, ...] = TEMPERATURES
    words: bool = False


@dataclass(frozen=True)
class Translate(Transcribe):
    """The text of a recording, in English. The rest as of Transcribe."""

    operation: ClassVar[str] = "translate"


@dataclass(frozen=True)
class Speak:
    """Texts, spoken. Each has a Finished of its own; its value is a Blob of 16-bit little-endian samples of a channel.

    The blob's media type names how many there are in a second: `audio/pcm;rate=16000`. voice: one of the model's; None
    is its first. speed: 1 is the model's own. seed: of what is left to chance.
    """

    operation: ClassVar[str] = "speak"

    texts: tuple[str, ...]
    voice: str | None = None
    speed: float = 1.0
    seed: int = 0

    @property
    def answers(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class ClassifySounds:
    """The classes of recordings, of those that the model was trained on. top: how many are told of each.

    value: a tuple of `SoundClasses`, one for each recording. folder: of the request, where they are decoded.
    """

    operation: ClassVar[str] = "classify_sounds"
    answers: ClassVar[int] = 1

    sounds: tuple[Blob, ...]
    folder: SpoolFolder
    top: int = 5


@dataclass(frozen=True)
class SoundClasses:
    """What is heard in a recording, the likeliest first. duration: in seconds."""

    duration: float
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class Transcript:
    """language: of the recording, its English name, where the model tells. duration: in seconds."""

    text: str
    language: str | None
    duration: float
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A part of a transcript. start, end: seconds from the beginning of the recording.

    The rest is known where a model writes token by token: what the tokens are, and of the attempt that they come from:
    its temperature, the mean of its log probabilities, how many times smaller its text is compressed, and how likely
    it is that nobody speaks.
    """

    start: float
    end: float
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0


@dataclass(frozen=True)
class Word:
    """A word of a transcript. start, end: as of Segment."""

    word: str
    start: float
    end: float
