"""POST /v1/vision/…: what is asked about pictures, and the shape of each answer.

Source of the shapes: Hugging Face's inference tasks for pictures, whose items stand in rows with an `index` here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import (
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
    PictureParts,
    PicturesWork,
    SegmentPictures,
)
from llamafarm_universal.server.embeddings import as_base64, as_floats
from llamafarm_universal.server.encoding import answered
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.media import media_spooled

_NAMES = {
    "top_n": "top",
    "candidate_labels": "labels",
    "hypothesis_template": "template",
    "per_patch": "per_patch",
    "threshold": "threshold",
    "kind": "kind",
    "prompt": "prompt",
    "max_tokens": "max_tokens",
}
"""What the works call the fields of a request."""


def looked_at(
    work: type[PicturesWork], item: Callable[[Any, Parsed], dict[str, Any]]
) -> Callable[[Request, Parsed], Awaitable[Response]]:
    """What answers a request for a kind of work. item: the fields that a row has beside its `index`."""

    async def answer(request: Request, parsed: Parsed) -> Response:
        def shape(items: tuple[Any, ...]) -> dict[str, Any]:
            data = [{"index": index, **item(each, parsed)} for index, each in enumerate(items)]
            return {"object": "list", "data": data}

        asked = {_NAMES[name]: value for name, value in parsed.values.items() if name in _NAMES}
        async with media_spooled(request, parsed.values["input"]) as (pictures, folder):
            assert folder is not None, "there is a picture at least"
            return await answered(request, parsed, work(pictures, folder, **asked), shape)

    return answer


def _classes(labels: tuple[Label, ...], _: Parsed) -> dict[str, Any]:
    return {**vars(labels[0]), "classes": [vars(label) for label in labels]}


def _features(features: Features, parsed: Parsed) -> dict[str, Any]:
    written, vectors = features.vectors.read(), features.shape
    if parsed.get("encoding_format") == "base64":
        return {"embedding": as_base64(written), "shape": vectors}
    if len(vectors) == 1:
        return {"embedding": as_floats(written), "shape": vectors}
    size = len(written) // vectors[0]
    rows = [as_floats(written[start : start + size]) for start in range(0, len(written), size)]
    return {"embedding": rows, "shape": vectors}


def _found(found: Found, _: Parsed) -> dict[str, Any]:
    return {"width": found.width, "height": found.height, "objects": [*map(_object, found.objects)]}


def _object(found: Object) -> dict[str, Any]:
    box = dict(zip(("xmin", "ymin", "xmax", "ymax"), found.box, strict=True))
    return {"label": found.label, "score": found.score, "box": box}


def _segments(found: PictureParts, _: Parsed) -> dict[str, Any]:
    parts = [
        {"label": part.label, "score": part.score, "mask": b64encode(part.mask.read()).decode()}
        for part in found.segments
    ]
    return {"width": found.width, "height": found.height, "kind": found.kind, "segments": parts}


def _depth(depth: Depth, _: Parsed) -> dict[str, Any]:
    return {**vars(depth), "depth": b64encode(depth.depth.read()).decode()}


def _caption(text: str, _: Parsed) -> dict[str, Any]:
    return {"text": text}


classify = looked_at(ClassifyPictures, _classes)
zero_shot = looked_at(LabelPictures, _classes)
features = looked_at(EmbedPictures, _features)
detect = looked_at(DetectObjects, _found)
segment = looked_at(SegmentPictures, _segments)
depth = looked_at(EstimateDepth, _depth)
caption = looked_at(CaptionPictures, _caption)
