"""A text engine in this process, driven by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Finished, Piece, Result, SpoolFolder, Work, decoder_of
from llamafarm_universal.host.engines.text.engine import TextEngine
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef, Quantization
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from multimodal_chats import Seeing
from multimodal_models import make_multimodal_model
from tiny_models import make_tokenizer

BLOCK_BYTES = 16 * 2 * 2 * 2 * 16 * 4
"""Of the small Llama: tokens, layers, keys and values, heads, size, bytes of a number."""


@dataclass
class Driven:
    """An engine that is driven by hand.

    told: what each request was told. chosen: all tokens of all answers; tokens: those of each. read: tokens that the
    model has read. steps: of the engine.
    """

    engine: TextEngine
    told: dict[str, list[Result]] = field(default_factory=dict)
    chosen: list[int] = field(default_factory=list)
    tokens: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    read: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        runner = self.engine._runner
        run = runner.run

        def counted(readings: Any) -> Any:
            self.read += sum(reading.count for reading in readings)
            return run(readings)

        take = self.engine._take

        def noted(sequence: Any, choice: Any) -> None:
            self.chosen.append(choice.token)
            self.tokens.setdefault((sequence.request_id, sequence.index), []).append(choice.token)
            take(sequence, choice)

        runner.run = counted  # type: ignore[method-assign]
        self.engine._take = noted  # type: ignore[method-assign]

    def start(self, work: Work) -> str:
        request_id = f"request-{len(self.told)}"
        events = self.told.setdefault(request_id, [])
        self.engine.submit(request_id, work, self.engine.prepare(work), events.append)
        return request_id

    def run(self, most: int = 10_000) -> None:
        """Until nothing is left to do."""
        for _ in range(most):
            self.steps += 1
            if not self.engine.step():
                return
        raise AssertionError("It never ends.")

    def answer(self, request_id: str, index: int = 0) -> tuple[str, str | None, int]:
        """An answer's text, why it has ended, and its tokens."""
        events = self.told[request_id]
        text = "".join(event.text for event in events if isinstance(event, Piece) and event.index == index)
        [end] = [event for event in events if isinstance(event, Finished) and event.index == index]
        return text, end.reason, end.usage.completion_tokens

    @property
    def cache(self) -> Any:
        return self.engine._cache


@pytest.fixture(scope="session")
def driven(llama_folder: Path) -> Callable[..., Driven]:
    """Load a model, the small Llama by default. blocks: of its cache, as large as the Llama's. draft: the folder of a
    draft model of the Llama's shape. quantization: of both.
    """

    def load(
        blocks: int = 200,
        folder: Path = llama_folder,
        draft: Path | None = None,
        quantization: Quantization = "none",
        **limits: Any,
    ) -> Driven:
        named = None if draft is None else str(draft)
        settings = LoadSettings(device="cpu", dtype="fp32", draft_model=named, quantization=quantization)
        plan = make_plan(ModelRef(str(folder), settings), folder, Machine(), Limits(**limits), draft=draft)
        return Driven(TextEngine.load(plan, blocks * BLOCK_BYTES * (1 if draft is None else 2)))

    return load


@pytest.fixture(scope="session")
def folder_of(models_folder: Path) -> Callable[[str], Path]:
    return lambda kind: make_multimodal_model(models_folder / kind, kind, make_tokenizer())


@pytest.fixture(scope="session")
def engines(driven: Callable[..., Driven], folder_of: Callable[[str], Path]) -> Iterator[Callable[[str], Driven]]:
    """One engine of a kind."""
    loaded: dict[str, Driven] = {}

    def engine(kind: str) -> Driven:
        if kind not in loaded:
            loaded[kind] = driven(folder=folder_of(kind))
        return loaded[kind]

    yield engine
    for each in loaded.values():
        each.engine.close()
    decoder_of(Limits().media).close()


@pytest.fixture
def spool(folder: SpoolFolder) -> SpoolFolder:
    """The same, where `folder` is that of a model."""
    return folder


@pytest.fixture
def seeing(
    engines: Callable[[str], Driven], folder_of: Callable[[str], Path], spool: SpoolFolder
) -> Callable[[str], Seeing]:
    return lambda kind: Seeing(engines(kind), folder_of(kind), spool)
