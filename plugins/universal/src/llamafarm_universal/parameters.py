"""What the runtime does with each field of a request, as its own tables say."""

from __future__ import annotations

from llamafarm import Field, Parameters, wire

from llamafarm_universal.server.fields import Advisory, Refused, Rule
from llamafarm_universal.server.tables import audio, encode, images, text, vision

_TABLES = {
    wire.CHAT: text.CHAT,
    wire.COMPLETIONS: text.COMPLETIONS,
    wire.EMBEDDINGS: encode.EMBEDDINGS,
    wire.RERANK: encode.RERANK,
    wire.SCORE: encode.SCORE,
    wire.CLASSIFY: encode.CLASSIFY,
    wire.NER: encode.NER,
    wire.SPEECH: audio.SPEECH,
    wire.TRANSCRIPTIONS: audio.TRANSCRIPTION,
    wire.TRANSLATIONS: audio.TRANSLATION,
    wire.SOUND_CLASSES: audio.SOUND_CLASSES,
    wire.IMAGES: images.IMAGES,
    wire.IMAGE_EDITS: images.IMAGE_EDITS,
    wire.IMAGE_VARIATIONS: images.IMAGE_VARIATIONS,
    wire.PICTURE_CLASSES: vision.PICTURE_CLASSES,
    wire.ZERO_SHOT: vision.ZERO_SHOT,
    wire.FEATURES: vision.FEATURES,
    wire.DETECT: vision.DETECT,
    wire.SEGMENT: vision.SEGMENT,
    wire.DEPTH: vision.DEPTH,
    wire.CAPTION: vision.CAPTION,
}


def _field(rule: Rule) -> Field:
    match rule:
        case Refused():
            return Field("refused", rule.why.removesuffix("."), rule.inert)
        case Advisory():
            return Field("advisory")
    return Field("mapped", rule.note.removesuffix("."))


RUNTIME = Parameters(
    fields={f"{row.name}.{name}": _field(rule) for row, table in _TABLES.items() for name, rule in table.items()},
    native={row.name: frozenset(table) for row, table in _TABLES.items()},
    forward_unknown=False,
)
"""For checking a configuration. Requests are judged by the runtime itself, which may be a newer one."""
