"""Encode engines in this process, and small models of every kind with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Failed, Finished, Result, Work
from llamafarm_universal.host.engines.encode.engine import EncodeEngine
from llamafarm_universal.host.engines.encode.load import load_encoder
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan


class Encoding:
    """One engine, driven by hand. batch: tokens of a step."""

    def __init__(self, folder: Path, batch: int = 2048, **settings: Any) -> None:
        ref = ModelRef(str(folder), LoadSettings(device="cpu", dtype="fp32", **settings))
        self.folder = folder
        self.engine: EncodeEngine = load_encoder(make_plan(ref, folder, Machine(), Limits(batch_tokens=batch)))

    def values(self, *works: Work) -> list[Any]:
        """The value of each work; all of them run beside each other."""
        told: dict[str, list[Result]] = {}
        for number, work in enumerate(works):
            events = told.setdefault(str(number), [])
            self.engine.submit(str(number), work, self.engine.prepare(work), events.append)
        while self.engine.step():
            pass
        ends = [events[-1] for events in told.values()]
        assert all(isinstance(end, Finished) for end in ends), [end for end in ends if isinstance(end, Failed)]
        return [end.value for end in ends if isinstance(end, Finished)]


@pytest.fixture(scope="session")
def encoding() -> Callable[..., Encoding]:
    """Load a model: its folder, and its settings."""
    return Encoding


@pytest.fixture(scope="session")
def make(models_folder: Path, word_tokenizer: Any) -> Callable[..., Path]:
    """Save a model of a transformers class under a name, with the word tokenizer, and return its folder."""
    import torch

    def made(name: str, model_class: Any, config: Any, tokenizer: Any = word_tokenizer) -> Path:
        folder = models_folder / name
        if not folder.exists():
            torch.manual_seed(0)
            model_class(config).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return folder

    return made
