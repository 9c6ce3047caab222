"""What the runtime does with each field of a request, as its own tables say."""

from __future__ import annotations

from llamafarm import Field, Parameters
from llamafarm.wire import (
    CAPTION,
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    DEPTH,
    DETECT,
    EMBEDDINGS,
    FEATURES,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    NER,
    PICTURE_CLASSES,
    RERANK,
    SCORE,
    SEGMENT,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    ZERO_SHOT,
)

from llamafarm_universal.server import image_tables, tables
from llamafarm_universal.server.fields import Advisory, Refused, Rule

_TABLES = {
    CHAT: tables.CHAT,
    COMPLETIONS: tables.COMPLETIONS,
    EMBEDDINGS: tables.EMBEDDINGS,
    RERANK: tables.RERANK,
    SCORE: tables.SCORE,
    CLASSIFY: tables.CLASSIFY,
    NER: tables.NER,
    SPEECH: tables.SPEECH,
    TRANSCRIPTIONS: tables.TRANSCRIPTION,
    TRANSLATIONS: tables.TRANSLATION,
    IMAGES: image_tables.IMAGES,
    IMAGE_EDITS: image_tables.IMAGE_EDITS,
    IMAGE_VARIATIONS: image_tables.IMAGE_VARIATIONS,
    PICTURE_CLASSES: tables.PICTURE_CLASSES,
    ZERO_SHOT: tables.ZERO_SHOT,
    FEATURES: tables.FEATURES,
    DETECT: tables.DETECT,
    SEGMENT: tables.SEGMENT,
    DEPTH: tables.DEPTH,
    CAPTION: tables.CAPTION,
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
