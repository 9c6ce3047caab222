"""Our own engines keep the contract that others are held to."""

from __future__ import annotations

import array
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import (
    ChatPrompt,
    Count,
    Embed,
    Generate,
    Limits,
    ModelRef,
    Sampling,
    Score,
    TextPrompt,
)
from llamafarm_universal.testing import EngineContract

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
        for name in ("decode", "prefill"):
            forward = getattr(engine._runner, name)

            def broken(sequence: Any, *rest: Any, forward: Any = forward) -> Any:
                if sequence.request_id == request_id:
                    raise RuntimeError("broken")
                return forward(sequence, *rest)

            monkeypatch.setattr(engine._runner, name, broken)

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


def vectors_alike(alone: Any, together: Any) -> bool:
    [one], [beside] = alone.finished, together.finished
    return one.usage == beside.usage and numbers(one.value) == pytest.approx(numbers(beside.value), abs=1e-5)


def numbers(value: Any) -> list[float]:
    """Of vectors, or of scores."""
    if isinstance(value, tuple):
        return [number for vector in value for number in array.array("f", vector)]
    return [*value.values]
