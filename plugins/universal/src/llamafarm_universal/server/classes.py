"""POST /v1/classify and /v1/ner."""

from __future__ import annotations

from typing import Any

from llamafarm.web import request_id_of
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import Classes, Classify, Entity, FindEntities
from llamafarm_universal.server.encoding import answered
from llamafarm_universal.server.fields import Parsed

_NAMES = {
    "input": "inputs",
    "candidate_labels": "labels",
    "hypothesis_template": "template",
    "multi_label": "multi_label",
    "use_activation": "activation",
}
"""What the work calls the fields of a request."""


async def classify(request: Request, parsed: Parsed) -> Response:
    """Source of the shape: vLLM's classification API. `labels`, which names the classes of `probs`, is ours."""
    work = Classify(**{_NAMES[name]: value for name, value in parsed.values.items() if name in _NAMES})

    def shape(classes: Classes) -> dict[str, Any]:
        data = [_class(index, probs, classes.labels) for index, probs in enumerate(classes.probs)]
        return {"id": f"classify-{request_id_of(request)}", "object": "list", "data": data}

    return await answered(request, parsed, work, shape)


async def find_entities(request: Request, parsed: Parsed) -> Response:
    texts = parsed.values["input"]
    work = FindEntities(texts, parsed.get("aggregation_strategy", "simple"))

    def shape(found: tuple[tuple[Entity, ...], ...]) -> dict[str, Any]:
        data = [
            {"index": index, "entities": [_entity(entity, text) for entity in entities]}
            for index, (text, entities) in enumerate(zip(texts, found, strict=True))
        ]
        return {"object": "list", "data": data}

    return await answered(request, parsed, work, shape)


def _class(index: int, probs: tuple[float, ...], labels: tuple[str, ...]) -> dict[str, Any]:
    label = labels[probs.index(max(probs))]
    return {"index": index, "label": label, "probs": probs, "labels": labels, "num_classes": len(labels)}


def _entity(entity: Entity, text: str) -> dict[str, Any]:
    return {
        "label": entity.label,
        "text": text[entity.start : entity.end],
        "start": entity.start,
        "end": entity.end,
        "score": entity.score,
    }
