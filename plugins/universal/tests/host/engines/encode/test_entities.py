"""Names in texts are those of the library's pipeline, at their place in characters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llamafarm_universal.engine import Entity, FindEntities, RequestFailed
from llamafarm_universal.host.engines.encode.entities import Spans, found

TALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TEXTS = (
    "Ada jumped over the lazy dog, hello London.",
    "hello",
    "the quick brown fox jumps over the lazy dog! The dog's name is Ada; ada 🦙 ada",
    "Ada jumped over the lazy dog, hello London.",
)
STRATEGIES = ["none", "simple", "first", "average", "max"]
LABELS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}


@pytest.fixture(scope="session")
def finder(make: Callable[..., Path], word_tokenizer: Any) -> Path:
    from transformers import BertConfig, BertForTokenClassification

    config = BertConfig(vocab_size=len(word_tokenizer), **TALL, id2label=LABELS, initializer_range=0.4)
    return make("finder", BertForTokenClassification, config)


@pytest.fixture(scope="session")
def byte_finder(make: Callable[..., Path], tokenizer: Any) -> Path:
    """A model whose tokens are of bytes, and no words."""
    from transformers import RobertaConfig, RobertaForTokenClassification

    settings = {"vocab_size": len(tokenizer), "max_position_embeddings": 514, "pad_token_id": 0, "type_vocab_size": 1}
    config = RobertaConfig(**TALL, **settings, id2label=LABELS, initializer_range=0.4)
    return make("byte-finder", RobertaForTokenClassification, config, tokenizer)


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["finder", "byte_finder"])
def test_entities_are_those_of_the_librarys_pipeline(
    request: pytest.FixtureRequest, encoding: Callable[..., Any], kind: str, strategy: Any
) -> None:
    from transformers import pipeline

    folder = request.getfixturevalue(kind)
    ask = pipeline("token-classification", str(folder), aggregation_strategy=strategy, device="cpu")
    model = encoding(folder)
    assert model.engine.model.task == "ner"
    [alone], [mixed, _] = (
        model.values(FindEntities(TEXTS[:1], strategy)),
        model.values(FindEntities(TEXTS, strategy), FindEntities(TEXTS[2:3], strategy)),
    )
    assert any(mixed), "no model without entities is worth a test"
    for text, entities in zip([TEXTS[0], *TEXTS], [*alone, *mixed], strict=True):
        wanted = [row for row in ask(text) if text[row["start"] : row["end"]].strip()]
        assert [entity.label for entity in entities] == [row.get("entity_group") or row["entity"] for row in wanted]
        assert [text[entity.start : entity.end] for entity in entities] == [
            text[row["start"] : row["end"]].strip() for row in wanted
        ]
        assert [entity.score for entity in entities] == pytest.approx([row["score"] for row in wanted], abs=1e-5)


SPANS = Spans("micro soft Ltd", (1, 2, 3), (0, 6, 11), (5, 10, 14), (False, True, False))
NAMES = ("O", "B-ORG", "I-ORG")


def scores(*rows: tuple[float, float, float]) -> Any:
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("strategy", "entities"),
    [
        ("none", [Entity("B-ORG", 0, 5, 0.75), Entity("I-ORG", 11, 14, 0.5)]),
        ("simple", [Entity("ORG", 0, 5, 0.75), Entity("ORG", 11, 14, 0.5)]),
        ("first", [Entity("ORG", 0, 14, 0.625)]),
        ("max", [Entity("ORG", 11, 14, 0.5)]),
        ("average", [Entity("ORG", 11, 14, 0.5)]),
    ],
)
def test_the_tokens_of_a_word_agree_as_the_strategy_says(strategy: Any, entities: list[Entity]) -> None:
    said = scores((0.25, 0.75, 0.0), (0.875, 0.125, 0.0), (0.25, 0.25, 0.5))
    assert list(found(SPANS, said, NAMES, strategy)) == entities


def test_a_name_that_begins_anew_is_another_one() -> None:
    said = scores((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
    assert list(found(SPANS, said, NAMES, "simple")) == [Entity("ORG", 0, 10, 1.0), Entity("ORG", 11, 14, 1.0)]


def test_offsets_count_characters_and_not_bytes(encoding: Callable[..., Any], byte_finder: Path) -> None:
    text = "🦙🦙 ada"
    [[entities]] = encoding(byte_finder).values(FindEntities((text,), "none"))
    assert all(0 <= entity.start < entity.end <= len(text) for entity in entities)


def test_a_text_without_tokens_has_no_names_and_an_empty_one_is_refused_where_nothing_is_left(
    encoding: Callable[..., Any], finder: Path, byte_finder: Path
) -> None:
    assert encoding(finder).values(FindEntities(("",)))[0] == ((),)
    with pytest.raises(RequestFailed, match="Input 0 is empty"):
        encoding(byte_finder).engine.prepare(FindEntities(("",)))
