"""What becomes of each field of a request: one table.

Recorded: unknown fields of a chat are accepted; so are `none`, `required` and a function by its name as `tool_choice`,
`json_object`, `json_schema`, and a negative `max_tokens`. Only read, in the server's documents ("OpenAI-Compatible
API", "llama.cpp-Specific API") and its sources: all that is said of pictures, sound and rerank. What it does not know
there it ignores, so a field that it does not list is refused, but for values that ask for what it does anyway.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from llamafarm import Field, Parameters
from llamafarm.wire import IMAGE_EDITS, IMAGE_VARIATIONS, IMAGES, RERANK, SPEECH, TRANSCRIPTIONS, Operation

PICTURES = (IMAGES, IMAGE_EDITS, IMAGE_VARIATIONS)

_TEXTS = {
    "input": Field("mapped", "a chat model answers 501"),
    "model": Field("mapped", "the entry's; the server loads it where it is not loaded"),
    "stream": Field("mapped", "comments come while the model thinks; errors may come inside a 200"),
    "stream_options": Field("mapped", "the last chunk carries the backend's `timings` too"),
    "max_tokens": Field("mapped", "a negative number is no limit", least=-math.inf),
    "max_completion_tokens": Field("mapped", "the same", least=-math.inf),
    "response_format": Field("mapped", "`json_object` and `json_schema`"),
    "reasoning_effort": Field("mapped", "the model's template decides"),
    "dimensions": Field("refused", "the vectors come in the model's own length, whatever is asked"),
    "input_type": Field("refused", "queries and documents are embedded alike; a prefix in `input` tells them apart"),
    "user": Field("advisory", "Lemonade does not tell users apart"),
    "metadata": Field("advisory", "Lemonade stores nothing"),
    "store": Field("advisory", "Lemonade stores nothing"),
}
_DRAWN = "Lemonade draws without it"
_PICTURES = {
    "response_format": Field("refused", "Lemonade sends pictures as base64 alone", ("b64_json",)),
    "quality": Field("refused", f"{_DRAWN}; `steps` and `cfg_scale` are its own", ("auto", "standard")),
    "background": Field("refused", _DRAWN, ("auto", "opaque")),
    "style": Field("refused", _DRAWN),
    "input_fidelity": Field("refused", _DRAWN),
    "markup": Field("refused", _DRAWN),
    "complexity": Field("refused", _DRAWN),
    "output_format": Field("refused", "Lemonade's pictures are PNG", ("png",)),
    "output_compression": Field("refused", "Lemonade's pictures are PNG", (100,)),
    "svg": Field("refused", "Lemonade's pictures are PNG"),
    "frame_count": Field("refused", "Lemonade's pictures are PNG"),
    "frame_duration_ms": Field("refused", "Lemonade's pictures are PNG"),
    "stream": Field("refused", "Lemonade sends a picture when it is finished", (False,)),
    "partial_images": Field("refused", "Lemonade sends a picture when it is finished", (0,)),
    "moderation": Field("advisory", "Lemonade moderates nothing"),
}
_HEARD = "Lemonade does not pass it to its transcribers"
_SOUND = {
    "languages": Field("refused", "Lemonade takes one `language`, and finds it out where none is said"),
    "keywords": Field("refused", f"{_HEARD}; `prompt` may hold them"),
    "timestamp_granularities": Field("refused", f"{_HEARD}; `verbose_json`, `srt` and `vtt` have segments"),
    "include": Field("refused", _HEARD),
    "chunking_strategy": Field("refused", _HEARD),
    "known_speaker_names": Field("refused", _HEARD),
    "known_speaker_references": Field("refused", _HEARD),
    "stream": Field("refused", "Lemonade sends the text when all of it is heard", (False,)),
    "response_format": Field("mapped", "`json`, `verbose_json`, `text`, `srt`, `vtt`, as the backend has them"),
    "file": Field("mapped", "a WAV file"),
}
_SPEECH = {
    "instructions": Field("refused", "OpenMOSS models take them as `voice`, others have none"),
    "stream_format": Field("refused", "Lemonade streams the sound itself, and no events", ("audio",)),
    "response_format": Field(
        "mapped", "what the model's backend encodes; `mp3` by default, `pcm` where it is streamed"
    ),
}
_RERANK = {
    "documents": Field("mapped", "texts"),
    "top_n": Field("mapped", "so many of the best are passed on, however many the server sends"),
    "return_documents": Field("refused", "Lemonade sends numbers alone", (False,)),
}


def _only(fields: Mapping[str, Field], *operations: Operation) -> Iterable[tuple[str, Field]]:
    """The fields for these operations alone."""
    for row in operations:
        yield from ((f"{row.name}.{name}", found) for name, found in fields.items() if name in row.fields)


PARAMETERS = Parameters(
    fields={
        **_TEXTS,
        **dict(_only(_PICTURES, *PICTURES)),
        "images.n": Field("refused", "Lemonade makes one picture of a prompt", (1,)),
        "image edits.image": Field("mapped", "one picture"),
        "image edits.mask": Field("mapped", "what is white in it is changed, not what is transparent"),
        **dict(_only(_SOUND, TRANSCRIPTIONS)),
        **dict(_only(_SPEECH, SPEECH)),
        **dict(_only(_RERANK, RERANK)),
    },
    forward_unknown=True,
    synonyms=(
        frozenset({"max_tokens", "max_completion_tokens", "n_predict"}),
        frozenset({"response_format", "json_schema", "grammar"}),
    ),
)
"""Fields that are not named are mapped; those that the wire does not define go to the server as they are."""
