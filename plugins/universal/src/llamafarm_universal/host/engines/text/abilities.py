"""What the files of a model that generates text tell of what it can be asked."""

from __future__ import annotations

from llamafarm_universal.chat_template import chat_template_of
from llamafarm_universal.context_length import context_length_of, unknown_length
from llamafarm_universal.engine import Abilities, Candidate
from llamafarm_universal.message_parts import FEATURES
from llamafarm_universal.processor_files import media_read
from llamafarm_universal.task import is_encoder_decoder

_LATER = frozenset({"reasoning", "structured"})


def abilities(candidate: Candidate) -> Abilities:
    """Reads the template and the settings of the processor. Whether answers can be held to a form, tokenizers say."""
    template = chat_template_of(candidate.folder)
    operations, features = {"generate", "count", "count_texts"}, {"completions"}
    features |= {"chat"} if template else set()
    features |= {"tools"} if "tools" in template else set()
    if candidate.task == "multimodal":
        media = {FEATURES[kind] for kind in media_read(candidate.folder)}
        features |= {"chat", *media} if media else set()
    elif not is_encoder_decoder(candidate.config):
        operations.add("embed")
        features.add("embeddings")
    length = context_length_of(candidate.config)
    return Abilities(frozenset(operations), frozenset(features), length, _LATER | unknown_length(length))
