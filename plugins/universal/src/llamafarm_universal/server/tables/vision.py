"""What requests about pictures may say: one table per operation, one row per field."""

from __future__ import annotations

from llamafarm_universal.server.fields import Advisory, Done, Table, boolean, choice, integer, number, text
from llamafarm_universal.server.inputs import labels, pictures

MAX_CAPTION_TOKENS = 512

PICTURES: Table = {
    "model": Done(text, required=True),
    "input": Done(
        pictures, required=True, note="data URLs, base64 or addresses, alone or in objects as of embeddings."
    ),
    "user": Advisory(),
}

PICTURE_CLASSES: Table = {**PICTURES, "top_n": Done(integer(1), note="how many classes of each picture; 5 by default.")}

ZERO_SHOT: Table = {
    **PICTURES,
    "candidate_labels": Done(labels, required=True),
    "hypothesis_template": Done(text, note="'This is a photo of {}.' by default."),
}

FEATURES: Table = {
    **PICTURES,
    "per_patch": Done(boolean),
    "encoding_format": Done(choice("float", "base64")),
}

DETECT: Table = {
    **PICTURES,
    "candidate_labels": Done(labels, note="for models that find what a request names."),
    "threshold": Done(number(0, 1), note="0.5 by default; 0.1 of OWL-ViT and OWLv2, 0.25 of Grounding DINO."),
}

SEGMENT: Table = {
    **PICTURES,
    "kind": Done(choice("semantic", "instance", "panoptic"), note="the finest that the model does by default."),
    "threshold": Done(number(0, 1), note="0.5 by default."),
}

DEPTH: Table = PICTURES

CAPTION: Table = {
    **PICTURES,
    "prompt": Done(text, note="how each caption begins."),
    "max_tokens": Done(integer(1, MAX_CAPTION_TOKENS), note="50 by default."),
}
