"""Sound: transcribed, translated, spoken, and sorted into classes.

Source: OpenAI's API reference, "Audio"; of classes Hugging Face's inference task "Audio Classification".
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from llamafarm.wire.upload import MediaInput, Upload
from llamafarm.wire.vision import Label


class TranslationRequest(TypedDict):
    """A recording to be written down in English. prompt: a text that goes before, for style and names.

    temperature: 0 to 1. response_format: `json` or `verbose_json`, or a text: `text`, `srt`, `vtt`.

    Source: OpenAI's API reference, "Create translation".
    """

    file: Upload
    model: NotRequired[str]
    prompt: NotRequired[str | None]
    response_format: NotRequired[str | None]
    temperature: NotRequired[float | None]


class TranscriptionRequest(TranslationRequest):
    """A recording to be written down.

    language: of the recording, ISO 639-1; languages: those that it may be in. keywords: words that it may hold.
    response_format: also `diarized_json`. chunking_strategy: `auto` or an object. known_speaker_names,
    known_speaker_references: one for each speaker.

    Source: OpenAI's API reference, "Create transcription".
    """

    language: NotRequired[str | None]
    languages: NotRequired[list[str] | None]
    keywords: NotRequired[list[str] | None]
    timestamp_granularities: NotRequired[list[Literal["segment", "word"]] | None]
    include: NotRequired[list[str] | None]
    chunking_strategy: NotRequired[str | dict[str, Any] | None]
    known_speaker_names: NotRequired[list[str] | None]
    known_speaker_references: NotRequired[list[str] | None]
    stream: NotRequired[bool | None]


class Transcription(TypedDict):
    """The text; `verbose_json` has more beside it: language, duration in seconds, segments, words.

    Source: OpenAI's API reference, "The transcription object".
    """

    text: str


class SpeechRequest(TypedDict):
    """A text to be spoken. voice: a name, or an object; servers of one voice need none. instructions: how.

    speed: 0.25 to 4. response_format: the audio format.

    stream_format: the file itself as it is made (`audio`), or events that hold pieces of it (`sse`).

    Source: OpenAI's API reference, "Create speech".
    """

    input: str
    model: NotRequired[str]
    voice: NotRequired[str | dict[str, Any] | None]
    instructions: NotRequired[str | None]
    response_format: NotRequired[str | None]
    speed: NotRequired[float | None]
    stream_format: NotRequired[Literal["sse", "audio"] | None]


class SoundClassesRequest(TypedDict):
    """Recordings to be sorted into the classes of a model. top_n: how many classes are told of each.

    input: one recording or several: a data URL, base64 or an address, as far as the runtime takes it, as it is or as an
    object, `{"audio": …}` or `{"type": "input_audio", "input_audio": {"data": …}}`.
    """

    input: MediaInput
    model: NotRequired[str]
    top_n: NotRequired[int | None]


class SoundClasses(TypedDict):
    """What is heard in a recording: the likeliest label and its score, and those of `classes`, the likeliest first.

    duration: in seconds.
    """

    index: int
    label: str
    score: float
    classes: list[Label]
    duration: NotRequired[float]


class SoundClassesResponse(TypedDict):
    """One row for each recording, in the order of the request. usage: in seconds of sound."""

    object: NotRequired[str]
    data: list[SoundClasses]
    model: NotRequired[str]
    usage: NotRequired[dict[str, Any]]
