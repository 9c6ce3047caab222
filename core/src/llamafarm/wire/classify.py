"""Texts sorted into classes, and names found in texts.

Source: vLLM's classification API, which SGLang serves too; for its labels of the request's own, and for named entities,
Hugging Face's inference tasks "Zero-Shot Classification" and "Token Classification".
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class ClassifyRequest(TypedDict):
    """Texts to be sorted into the classes of a model, or into those of the request.

    candidate_labels: the classes, for a model that decides whether one text follows from another. hypothesis_template:
    the sentence that is to follow, with `{}` for the label. multi_label: each label is judged by itself.
    use_activation: false asks for the model's raw numbers in place of probabilities.

    Source: vLLM's documents, "Classification API"; Hugging Face's, "Zero-Shot Classification".
    """

    input: str | list[str]
    model: NotRequired[str]
    candidate_labels: NotRequired[list[str] | None]
    hypothesis_template: NotRequired[str | None]
    multi_label: NotRequired[bool | None]
    use_activation: NotRequired[bool | None]


class Classification(TypedDict):
    """The class of one text. label: the likeliest. probs: of each class; labels: their names, in the same order."""

    index: int
    label: str | None
    probs: list[float]
    num_classes: NotRequired[int]
    labels: NotRequired[list[str]]


class ClassifyResponse(TypedDict):
    """One class for each text, in the order of the request.

    Source: vLLM's documents, "Classification API"; `labels` is LlamaFarm's.
    """

    data: list[Classification]
    id: NotRequired[str]
    object: NotRequired[str]
    model: NotRequired[str]
    usage: NotRequired[dict[str, Any]]


class NerRequest(TypedDict):
    """Texts in which names are to be found: of persons, places, whatever the model was trained on.

    aggregation_strategy: how the tokens of one name become one entity; `none` leaves them as they are.

    Source: Hugging Face's documents, "Token Classification".
    """

    input: str | list[str]
    model: NotRequired[str]
    aggregation_strategy: NotRequired[Literal["none", "simple", "first", "average", "max"] | None]


class Entity(TypedDict):
    """A name in a text. start, end: where it stands, in characters (Unicode code points); `end` is behind it."""

    label: str
    text: str
    start: int
    end: int
    score: float


class Entities(TypedDict):
    """The names in one text, in their order."""

    index: int
    entities: list[Entity]


class NerResponse(TypedDict):
    """The names in each text, in the order of the request."""

    data: list[Entities]
    object: NotRequired[str]
    model: NotRequired[str]
    usage: NotRequired[dict[str, Any]]
