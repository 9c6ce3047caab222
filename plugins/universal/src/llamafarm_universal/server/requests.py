"""Which requests a model takes, by what its engine can do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from llamafarm_universal.message_parts import FEATURES

API = "/v1"
OPERATIONS_PATH = "operations"
PATHS: Mapping[str, tuple[str, ...]] = {
    "generate": ("chat/completions", "completions"),
    "count": ("chat/completions/input_tokens",),
    "embed": ("embeddings",),
    "count_texts": ("embeddings/input_tokens",),
    "score": ("rerank", "score"),
    "classify": ("classify",),
    "find_entities": ("ner",),
    "speak": ("audio/speech",),
    "transcribe": ("audio/transcriptions",),
    "translate": ("audio/translations",),
    "classify_sounds": ("audio/classify",),
    "draw_image": ("images/generations",),
    "edit_image": ("images/edits",),
    "vary_image": ("images/variations",),
    "classify_pictures": ("vision/classify",),
    "label_pictures": ("vision/zero-shot",),
    "embed_pictures": ("vision/features",),
    "detect_objects": ("vision/detect",),
    "segment_pictures": ("vision/segment",),
    "estimate_depth": ("vision/depth",),
    "caption_pictures": ("vision/caption",),
}
"""Where each work is asked for, in the order in which they are shown; what an engine has declared has its own name."""
_CHATS = frozenset({"chat/completions", "chat/completions/input_tokens"})
_READS = {
    "image": frozenset({"edit_image", "vary_image", *(name for name in PATHS if PATHS[name][0].startswith("vision/"))}),
    "audio": frozenset({"transcribe", "translate", "classify_sounds"}),
}
"""The works that are about a medium, by its kind."""


def requests_of(operations: Collection[str], features: Collection[str]) -> list[str]:
    """The paths of the API that a model answers to. One without a chat template does not chat."""
    return [f"{API}/{path}" for path in _paths(operations) if path not in _CHATS or "chat" in features]


def media_of(operations: Collection[str], features: Collection[str]) -> list[str]:
    """What requests may hold beside text: `pictures`, `sound`, `films`, which chats alone may hold."""
    reads = {kind for kind, works in _READS.items() if not works.isdisjoint(operations)}
    media = dict.fromkeys(name for kind, name in FEATURES.items() if kind in reads or name in features)
    films = ["films"] if "generate" in operations and FEATURES["video"] in features else []
    return [*media, *films]


def _paths(operations: Collection[str]) -> Iterator[str]:
    for operation, paths in PATHS.items():
        yield from paths if operation in operations else ()
    yield from (f"{OPERATIONS_PATH}/{name}" for name in sorted(set(operations) - PATHS.keys()))
