"""Our own engines keep the contract that others are held to."""

from __future__ import annotations

import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import (
    ChatPrompt,
    Classify,
    Count,
    Embed,
    FindEntities,
    Generate,
    Limits,
    ModelRef,
    Sampling,
    Score,
    TextPrompt,
)
from llamafarm_universal.testing import EngineContract
from tiny_models import make_bert

TEXTS = ("hello world", "the quick brown fox", "jumps over the lazy dog")
MANY = tuple(f"{'hello ' * (number % 7)}world {number}" for number in range(24))


class TestText(EngineContract):
    engine = "llamafarm_universal.host.engines.text.spec:ENGINE"
    works = [
        Generate(TextPrompt("hello"), Sampling(max_tokens=3, temperature=0), n=2),
        Generate(ChatPrompt(({"role": "user", "content": "hello"},)), Sampling(max_tokens=3, temperature=0)),
        Count(ChatPrompt(({"role": "user", "content": "hello"},))),
        Embed(TEXTS),
    ]
    long = Generate(TextPrompt("the quick"), Sampling(max_tokens=20, temperature=0, logit_bias={2: -100}))
    wrong = [
        Generate(TextPrompt("")),
        Generate(TextPrompt((100_000,))),
        Generate(TextPrompt("hello"), Sampling(max_tokens=100_000)),
        Generate(TextPrompt("hello"), Sampling(stop=("",))),
        Generate(TextPrompt("hello"), n=0),
        Count(ChatPrompt(({"role": "robot", "content": "hello"},))),
        Embed(()),
    ]

    @pytest.fixture
    def model_folder(self, llama_folder: Path) -> Path:
        return llama_folder

    def weights(self, engine: Any) -> list[Any]:
        return [engine._weights.module, *engine._weights.module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        run = engine._runner.run

        def broken(readings: Any) -> Any:
            failing = {id(item.context) for item in engine._scheduler._all() if item.request_id == request_id}
            if any(id(reading.context) in failing for reading in readings):
                raise RuntimeError("broken")
            return run(readings)

        monkeypatch.setattr(engine._runner, "run", broken)

    def alike(self, alone: Any, together: Any) -> bool:
        return vectors_alike(alone, together) if isinstance(alone.work, Embed) else super().alike(alone, together)


class Encode(EngineContract):
    """The model reads two or three texts in a step."""

    engine = "llamafarm_universal.host.engines.encode.spec:ENGINE"
    limits = Limits(batch_tokens=64)

    def weights(self, engine: Any) -> list[Any]:
        return [engine._encoder]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        [job] = [job for job in engine._jobs if job.request_id == request_id]
        encode = engine._encoder.encode

        def broken(rows: Any) -> Any:
            if any(row is own for row in rows for own in job.rows.distinct):
                raise RuntimeError("broken")
            return encode(rows)

        monkeypatch.setattr(engine._encoder, "encode", broken)


class TestEmbedding(Encode):
    works = [Embed(TEXTS), Score((("hello", "world"), ("hello", "the lazy dog")))]
    long = Embed(MANY)
    wrong = [Embed(()), Embed(("",)), Embed(((100_000,),)), Embed(TEXTS, dimensions=1000), Embed(("hello " * 100,))]

    @pytest.fixture
    def model_folder(self, bert: ModelRef) -> Path:
        return Path(bert.id)

    def alike(self, alone: Any, together: Any) -> bool:
        return vectors_alike(alone, together)


class TestClassification(Encode):
    works = [Classify(TEXTS)]
    long = Classify(MANY)
    wrong = [Classify(()), Classify(("hello " * 100,)), Classify(TEXTS, labels=("good", "bad"))]

    @pytest.fixture
    def model_folder(self, models_folder: Path, tokenizer: Any) -> Path:
        return make_bert(models_folder / "contract-classes", tokenizer, "SequenceClassification", "calm", "loud")

    def alike(self, alone: Any, together: Any) -> bool:
        return close(alone, together, lambda classes: [share for row in classes.probs for share in row])


class TestCrossEncoder(Encode):
    works = [Score((("hello", "world"), ("hello", "the lazy dog"))), Classify(TEXTS)]
    long = Score(tuple(("hello", text) for text in MANY))
    wrong = [Score(()), Score((("hello", "world " * 100),))]

    @pytest.fixture
    def model_folder(self, models_folder: Path, tokenizer: Any) -> Path:
        return make_bert(models_folder / "contract-pairs", tokenizer, "SequenceClassification", "fits")

    def alike(self, alone: Any, together: Any) -> bool:
        if isinstance(alone.work, Score):
            return close(alone, together, lambda scores: [*scores.values])
        return close(alone, together, lambda classes: [share for row in classes.probs for share in row])


class TestEntities(Encode):
    works = [FindEntities(TEXTS), FindEntities(TEXTS, "first")]
    long = FindEntities(MANY)
    wrong = [FindEntities(()), FindEntities(("hello " * 100,))]

    @pytest.fixture
    def model_folder(self, models_folder: Path, tokenizer: Any) -> Path:
        return make_bert(models_folder / "contract-names", tokenizer, "TokenClassification", "O", "B-PER", "I-PER")

    def alike(self, alone: Any, together: Any) -> bool:
        [one], [beside] = alone.finished, together.finished
        places = [[[(each.label, each.start, each.end) for each in row] for row in end.value] for end in (one, beside)]
        same = places[0] == places[1]
        return same and close(alone, together, lambda rows: [each.score for row in rows for each in row])


def close(alone: Any, together: Any, numbers_in: Callable[[Any], list[float]]) -> bool:
    """Whether two answers count the same tokens, and their numbers differ in the last bits alone."""
    [one], [beside] = alone.finished, together.finished
    return one.usage == beside.usage and numbers_in(one.value) == pytest.approx(numbers_in(beside.value), abs=1e-5)


def vectors_alike(alone: Any, together: Any) -> bool:
    return close(alone, together, numbers)


def numbers(value: Any) -> list[float]:
    """Of vectors, or of scores."""
    if isinstance(value, tuple):
        return [number for vector in value for number in array.array("f", vector)]
    return [*value.values]
