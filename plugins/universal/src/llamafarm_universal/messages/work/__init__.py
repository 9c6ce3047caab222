"""Works: what each operation asks of an engine, a frozen dataclass for each."""

from __future__ import annotations

from collections.abc import Mapping

from llamafarm_universal.messages.work.audio import Segment, Transcribe, Transcript, Translate, Word
from llamafarm_universal.messages.work.base import Work
from llamafarm_universal.messages.work.encode import (
    Classes,
    Classify,
    Embed,
    Entity,
    FindEntities,
    InputType,
    Score,
    Scores,
    Strategy,
)
from llamafarm_universal.messages.work.image import DrawImage, Drawing, EditImage, ImageFormat, VaryImage
from llamafarm_universal.messages.work.text import (
    ChatPrompt,
    Count,
    Generate,
    Sampling,
    Structure,
    TextPrompt,
    ToolChoice,
)

__all__ = [
    "ChatPrompt",
    "Classes",
    "Classify",
    "Count",
    "DrawImage",
    "Drawing",
    "EditImage",
    "Embed",
    "Entity",
    "FindEntities",
    "Generate",
    "ImageFormat",
    "InputType",
    "Sampling",
    "Score",
    "Scores",
    "Segment",
    "Strategy",
    "Structure",
    "TextPrompt",
    "ToolChoice",
    "Transcribe",
    "Transcript",
    "Translate",
    "VaryImage",
    "Word",
    "Work",
    "user_names",
]

_USER_NAMES: Mapping[str, tuple[str, ...]] = {
    "generate": ("chat", "completions"),
    "count": ("input_tokens",),
    "embed": ("embeddings",),
    "score": ("rerank", "score"),
    "classify": ("classify",),
    "find_entities": ("ner",),
    "transcribe": ("audio/transcriptions",),
    "translate": ("audio/translations",),
    "draw_image": ("images",),
    "edit_image": ("image edits",),
    "vary_image": ("image variations",),
}
"""What users call the operations that engines know by other names: the paths of the API that lead to each."""


def user_names(operation: str) -> tuple[str, ...]:
    """What users call an operation; one that an engine has declared has the name that it gave it."""
    return _USER_NAMES.get(operation, (operation,))
