"""Works: what each operation asks of an engine, a frozen dataclass for each."""

from __future__ import annotations

from collections.abc import Mapping

from llamafarm_universal.messages.work.audio import (
    ClassifySounds,
    Segment,
    SoundClasses,
    Speak,
    Transcribe,
    Transcript,
    Translate,
    Word,
)
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
    CountTexts,
    Generate,
    Sampling,
    Structure,
    TextPrompt,
    ToolChoice,
)
from llamafarm_universal.messages.work.vision import (
    CaptionPictures,
    ClassifyPictures,
    Depth,
    DetectObjects,
    EmbedPictures,
    EstimateDepth,
    Features,
    Found,
    Label,
    LabelPictures,
    Object,
    PartKind,
    PicturePart,
    PictureParts,
    PicturesWork,
    SegmentPictures,
)

__all__ = [
    "CaptionPictures",
    "ChatPrompt",
    "Classes",
    "Classify",
    "ClassifyPictures",
    "ClassifySounds",
    "Count",
    "CountTexts",
    "Depth",
    "DetectObjects",
    "DrawImage",
    "Drawing",
    "EditImage",
    "Embed",
    "EmbedPictures",
    "Entity",
    "EstimateDepth",
    "Features",
    "FindEntities",
    "Found",
    "Generate",
    "ImageFormat",
    "InputType",
    "Label",
    "LabelPictures",
    "Object",
    "PartKind",
    "PicturePart",
    "PictureParts",
    "PicturesWork",
    "Sampling",
    "Score",
    "Scores",
    "Segment",
    "SegmentPictures",
    "SoundClasses",
    "Speak",
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
    "count_texts": ("embeddings/input_tokens",),
    "embed": ("embeddings",),
    "score": ("rerank", "score"),
    "classify": ("classify",),
    "find_entities": ("ner",),
    "speak": ("audio/speech",),
    "transcribe": ("audio/transcriptions",),
    "translate": ("audio/translations",),
    "classify_sounds": ("audio/classify",),
    "draw_image": ("images",),
    "edit_image": ("image edits",),
    "vary_image": ("image variations",),
    "classify_pictures": ("vision/classify",),
    "label_pictures": ("vision/zero-shot",),
    "embed_pictures": ("vision/features",),
    "detect_objects": ("vision/detect",),
    "segment_pictures": ("vision/segment",),
    "estimate_depth": ("vision/depth",),
    "caption_pictures": ("vision/caption",),
}
"""What users call the operations that engines know by other names: the paths of the API that lead to each."""


def user_names(operation: str) -> tuple[str, ...]:
    """What users call an operation; one that an engine has declared has the name that it gave it."""
    return _USER_NAMES.get(operation, (operation,))
