"""What requests about sound may say: one table per operation, one row per field.

Source of the fields: OpenAI's API reference, "Audio".
"""

from __future__ import annotations

from typing import Any

from llamafarm_universal.server.fields import (
    SEED_LIMIT,
    Advisory,
    Done,
    Refused,
    Table,
    any_text,
    as_list,
    boolean,
    choice,
    integer,
    number,
    text,
    wrong,
)
from llamafarm_universal.server.inputs import sounds

MAX_SPOKEN = 20_000
"""Characters of one text: half an hour of speech."""


def file(value: Any, path: str) -> Any:
    """A file of a form."""
    from llamafarm_universal.media.form import UploadedFile  # not above: clients read these tables, too

    if not isinstance(value, UploadedFile):
        wrong(path, "a file", value)
    return value


def spoken(value: Any, path: str) -> str:
    """A text of at most MAX_SPOKEN characters."""
    if not isinstance(value, str) or not value or len(value) > MAX_SPOKEN:
        wrong(path, f"a text of 1 to {MAX_SPOKEN:,} characters", value)
    return value


def voice(value: Any, path: str) -> str:
    """A name, or an object with the name as its `id`."""
    if isinstance(value, dict):
        return text(value.get("id"), f"{path}.id")
    return text(value, path)


def granularities(value: Any, path: str) -> tuple[str, ...]:
    """One of a transcript's kinds of times, or a list of them; in a form it may be one item of a list."""
    items = [value] if isinstance(value, str) else as_list(value, path, most=2)
    known = choice("segment", "word")
    return tuple(known(item, path) for item in items)


TRANSLATION: Table = {
    "model": Done(text, required=True),
    "file": Done(file, required=True, note="any common container of sound, also of films."),
    "prompt": Done(any_text, note="its end counts where it is long."),
    "response_format": Done(choice("json", "text", "srt", "verbose_json", "vtt")),
    "temperature": Done(number(0, 1), note="0, the default, is raised where a text looks like a failure."),
    "user": Advisory(),
}

TRANSCRIPTION: Table = {
    **TRANSLATION,
    "language": Done(text, note="ISO 639-1, or its English name; else it is detected, where the model can."),
    "timestamp_granularities": Done(granularities, note="`segment`, and `word` where the model tells them."),
    "stream": Done(boolean, note="with `json` or `text`."),
    "chunking_strategy": Advisory(),
    "include": Refused("log probabilities of each token are not told.", inert=([],)),
    "languages": Refused("name one by 'language', or leave it out to have it detected.", inert=([],)),
    "keywords": Refused("say them in 'prompt'.", inert=([],)),
    "known_speaker_names": Refused("speakers are not told apart.", inert=([],)),
    "known_speaker_references": Refused("speakers are not told apart.", inert=([],)),
}

SOUND_CLASSES: Table = {
    "model": Done(text, required=True),
    "input": Done(
        sounds, required=True, note="data URLs, base64 or addresses, alone or in objects with `audio` or `audio_url`."
    ),
    "top_n": Done(integer(1), note="how many classes of each recording; 5 by default."),
    "user": Advisory(),
}

SPEECH: Table = {
    "model": Done(text, required=True),
    "input": Done(spoken, required=True),
    "voice": Done(voice, note="one of the model's; `default` is its first."),
    "response_format": Done(choice("mp3", "opus", "aac", "flac", "wav", "pcm")),
    "speed": Done(number(0.25, 4)),
    "seed": Done(integer(0, SEED_LIMIT), note="of what is left to chance; 0 by default."),
    "stream_format": Done(choice("audio", "sse")),
    "instructions": Refused("models here take a text and a voice.", inert=("",)),
    "user": Advisory(),
}
