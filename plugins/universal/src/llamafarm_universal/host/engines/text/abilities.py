"""What the files of a model that generates text tell of what it can be asked."""

from __future__ import annotations

from llamafarm_universal.chat_template import chat_template_of, read_object
from llamafarm_universal.context_length import context_length_of, unknown_length
from llamafarm_universal.engine import Abilities, Candidate
from llamafarm_universal.message_parts import FEATURES
from llamafarm_universal.task import is_encoder_decoder

_LATER = frozenset({"reasoning", "structured"})
_READERS = {"image": "image_processor_type", "audio": "feature_extractor_type"}
"""What a preprocessor's configuration has where it reads a kind of media."""


def abilities(candidate: Candidate) -> Abilities:
    """Reads the template and the settings of the processor. Whether answers can be held to a form, tokenizers say."""
    template = chat_template_of(candidate.folder)
    operations, features = {"generate", "count"}, {"completions"}
    features |= {"chat"} if template else set()
    features |= {"tools"} if "tools" in template else set()
    if candidate.task == "multimodal":
        media = _media(candidate)
        features |= {"chat", *media} if media else set()
    elif not is_encoder_decoder(candidate.config):
        operations.add("embed")
        features.add("embeddings")
    length = context_length_of(candidate.config)
    return Abilities(frozenset(operations), frozenset(features), length, _LATER | unknown_length(length))


def _media(candidate: Candidate) -> set[str]:
    settings = [read_object(candidate.folder / name) for name in ("preprocessor_config.json", "processor_config.json")]
    nested = [part for each in settings for part in each.values() if isinstance(part, dict)]
    return {FEATURES[kind] for kind, key in _READERS.items() if any(key in each for each in [*settings, *nested])}
