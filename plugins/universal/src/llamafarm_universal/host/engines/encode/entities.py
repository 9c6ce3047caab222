"""Names in texts: the classes of tokens, joined to entities with their place in the text.

The ways to join are those of transformers' token classification pipeline, so that a model gives the same entities here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from llamafarm_universal.engine import Entity, FindEntities, Strategy, Work
from llamafarm_universal.host.engines.encode.base import Numbers
from llamafarm_universal.host.engines.encode.classify import activated
from llamafarm_universal.host.engines.encode.rows import Rows
from llamafarm_universal.host.engines.encode.tokens import Tokens

OUTSIDE = "O"
"""The class of what is no name."""


@dataclass(frozen=True)
class Spans:
    """A text and where its tokens stand in it. joined: whether a token goes on with the word of the one before it.

    places: of the tokens in their row; special tokens have none here.
    """

    text: str
    places: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    joined: tuple[bool, ...]


@dataclass(frozen=True)
class _Tag:
    """One token or word, with its likeliest class."""

    label: str
    start: int
    end: int
    score: float

    @property
    def name(self) -> str:
        """The class without the sign that says where in a name it is: `PER` of `B-PER`."""
        return self.label[2:] if self.label.startswith(("B-", "I-")) else self.label


class EntitiesHead:
    """labels: of the classes of tokens, in their order."""

    def __init__(self, tokens: Tokens, labels: tuple[str, ...]) -> None:
        self._tokens = tokens
        self._labels = labels

    def prepare(self, work: Work) -> Rows:
        """The rows of distinct texts: two texts of the same tokens may have them at other places."""
        distinct = list(dict.fromkeys(cast("FindEntities", work).inputs))
        if not distinct:
            return Rows((), ())
        encoded = self._tokens.encoded(distinct, return_offsets_mapping=True, return_special_tokens_mask=True)
        rows = self._tokens.rows_of(encoded, field="input")
        numbers = {text: number for number, text in enumerate(distinct)}
        places = tuple(numbers[text] for text in cast("FindEntities", work).inputs)
        return Rows(tuple(rows), places, tuple(spans_of(self._tokens.tokenizer, encoded, distinct)))

    def read(self, work: Work, rows: Rows, number: int, numbers: Numbers) -> tuple[Entity, ...]:
        spans: Spans = rows.details[number]
        strategy = cast("FindEntities", work).strategy
        return tuple(found(spans, activated(numbers, "softmax")[list(spans.places)], self._labels, strategy))

    def value(self, _work: Work, rows: Rows, kept: Sequence[tuple[Entity, ...]]) -> tuple[tuple[Entity, ...], ...]:
        return tuple(kept[place] for place in rows.places)


def spans_of(tokenizer: Any, encoded: Any, texts: Sequence[str]) -> Iterator[Spans]:
    """Where the tokens of each text stand. encoded: what the tokenizer said of the texts."""
    prefix = getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
    for at, text in enumerate(texts):
        special, offsets = encoded["special_tokens_mask"][at], encoded["offset_mapping"][at]
        places = tuple(place for place, is_special in enumerate(special) if not is_special)
        tokens = tokenizer.convert_ids_to_tokens([encoded["input_ids"][at][place] for place in places])
        starts, ends = (tuple(offsets[place][side] for place in places) for side in (0, 1))
        unknown = tokenizer.unk_token
        joined = tuple(
            token != unknown and (token.startswith(prefix) if prefix else _goes_on(text, start))
            for token, start in zip(tokens, starts, strict=True)
        )
        yield Spans(text, places, starts, ends, joined)


def _goes_on(text: str, start: int) -> bool:
    """Whether no space stands before what begins there: all that a tokenizer without marks for words can say."""
    return start > 0 and " " not in text[start - 1 : start + 1]


def found(spans: Spans, scores: Numbers, labels: Sequence[str], strategy: Strategy) -> Iterator[Entity]:
    """The entities of one text. scores: [tokens, classes], of the tokens that have a place in the text.

    strategy: `none` takes each token by itself, `simple` joins neighbours of one class; the others first give all
    tokens of a word the class of its first one, of its surest one, or the one that is likeliest on average.
    """
    if strategy in ("none", "simple"):
        tags = [_tag(spans, at, at, row, labels) for at, row in enumerate(scores)]
    else:
        words = [(first, last, _word_scores(scores[first : last + 1], strategy)) for first, last in _words(spans)]
        tags = [_tag(spans, first, last, row, labels) for first, last, row in words]
    for group in [[tag] for tag in tags] if strategy == "none" else _groups(tags):
        entity = _entity(group, spans.text, keep_sign=strategy == "none")
        if group[0].label != OUTSIDE and group[0].name != OUTSIDE and entity.end > entity.start:
            yield entity


def _tag(spans: Spans, first: int, last: int, scores: Numbers, labels: Sequence[str]) -> _Tag:
    best = int(scores.argmax())
    return _Tag(labels[best], spans.starts[first], spans.ends[last], float(scores[best]))


def _words(spans: Spans) -> Iterator[tuple[int, int]]:
    """The first and the last token of each word."""
    begins = [at for at, joined in enumerate(spans.joined) if at == 0 or not joined]
    yield from zip(begins, [*(at - 1 for at in begins[1:]), len(spans.joined) - 1], strict=True) if begins else ()


def _word_scores(scores: Numbers, strategy: Strategy) -> Numbers:
    match strategy:
        case "first":
            return cast("Numbers", scores[0])
        case "max":
            return cast("Numbers", scores[scores.max(-1).argmax()])
    return cast("Numbers", scores.mean(0))


def _groups(tags: Sequence[_Tag]) -> Iterator[list[_Tag]]:
    """Neighbours of one class; a class that says `B-` begins anew."""
    group: list[_Tag] = []
    for tag in tags:
        if group and (tag.name != group[-1].name or tag.label.startswith("B-")):
            yield group
            group = []
        group.append(tag)
    if group:
        yield group


def _entity(group: Sequence[_Tag], text: str, *, keep_sign: bool) -> Entity:
    """The group as an entity, without the space that some tokenizers count to a word."""
    start, end = group[0].start, group[-1].end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    label = group[0].label if keep_sign else group[0].name
    return Entity(label, start, end, float(np.mean([tag.score for tag in group])))
