"""What can be asked of a model of the Universal Runtime, as LlamaFarm calls it."""

from __future__ import annotations

from collections.abc import Mapping

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
    SOUND_CLASSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    ZERO_SHOT,
    Operation,
)

SIGHT = (PICTURE_CLASSES, ZERO_SHOT, FEATURES, DETECT, SEGMENT, DEPTH, CAPTION)
"""What can be asked about pictures."""
SERVED: Mapping[str, tuple[Operation, ...]] = {
    "text": (CHAT, COMPLETIONS, EMBEDDINGS),
    "multimodal": (CHAT, COMPLETIONS),
    "embedding": (EMBEDDINGS, RERANK, SCORE, ZERO_SHOT),
    "reranking": (RERANK, SCORE, CLASSIFY),
    "classification": (CLASSIFY,),
    "ner": (NER,),
    "audio": (TRANSCRIPTIONS, TRANSLATIONS, SPEECH, SOUND_CLASSES),
    "diffusion": (IMAGES, IMAGE_EDITS, IMAGE_VARIATIONS),
    "vision": SIGHT,
}
"""What can be asked of a model, by its task."""
SOUND: Mapping[str, tuple[Operation, ...]] = {
    "whisper": (TRANSCRIPTIONS, TRANSLATIONS),
    "ctc": (TRANSCRIPTIONS,),
    "classes": (SOUND_CLASSES,),
    "vits": (SPEECH,),
    "speecht5": (SPEECH,),
    "bark": (SPEECH,),
}
"""What can be asked of a model of sound, by how it is executed."""
ADAPTED = ("text", "multimodal", "diffusion")
"""The tasks whose models take adapters."""
