"""What the files of an encoder tell of what it can be asked."""

from __future__ import annotations

from pathlib import Path

from llamafarm_universal.chat_template import read_object
from llamafarm_universal.context_length import context_length_of, unknown_length
from llamafarm_universal.engine import Abilities, Candidate
from llamafarm_universal.message_parts import FEATURES
from llamafarm_universal.messages.work import user_names
from llamafarm_universal.processor_files import media_read
from llamafarm_universal.task import sight_of

_OPERATIONS = {
    "embedding": ("embed", "score"),
    "reranking": ("score", "classify"),
    "classification": ("classify",),
    "ner": ("find_entities",),
}


def abilities(candidate: Candidate) -> Abilities:
    """Reads configurations alone."""
    operations = list(_OPERATIONS[str(candidate.task)])
    features = {user_names(operation)[0] for operation in operations}
    operations.append("count_texts")
    if candidate.task == "embedding" and _sees(candidate):
        operations.append("label_pictures")
        features |= {*user_names("label_pictures"), FEATURES["image"]}
    length = _length(candidate)
    return Abilities(frozenset(operations), frozenset(features), length, unknown_length(length))


def _sees(candidate: Candidate) -> bool:
    return sight_of(candidate.config) == "label_pictures" and "image" in media_read(candidate.folder)


def _length(candidate: Candidate) -> int | None:
    """The smaller one of what the model and sentence-transformers allow."""
    lengths = [context_length_of(candidate.config), _sentence_length(candidate.folder)]
    return min((length for length in lengths if length is not None), default=None)


def _sentence_length(folder: Path) -> int | None:
    length = read_object(folder / "sentence_bert_config.json").get("max_seq_length")
    return length if isinstance(length, int) else None
