"""Vision engines in this process, and small models of every kind with random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Failed, Finished, Result, Work, decoder_of
from llamafarm_universal.host.engines.vision.load import load_vision
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from vision_models import make_vision_model


class Looking:
    """One engine, driven by hand. The steps are so short that a request takes several."""

    def __init__(self, folder: Path) -> None:
        ref = ModelRef(str(folder), LoadSettings(device="cpu", dtype="fp32"))
        self.folder = folder
        self.plan = make_plan(ref, folder, Machine(), Limits(batch_tokens=64))
        self.engine = load_vision(self.plan)

    def start(self, request_id: str, work: Work) -> list[Result]:
        events: list[Result] = []
        self.engine.submit(request_id, work, self.engine.prepare(work), events.append)
        return events

    def values(self, *works: Work) -> list[Any]:
        """The value of each work; all of them run beside each other."""
        told = [self.start(str(number), work) for number, work in enumerate(works)]
        while self.engine.step():
            pass
        ends = [events[-1] for events in told]
        assert all(isinstance(end, Finished) for end in ends), [end for end in ends if isinstance(end, Failed)]
        return [end.value for end in ends if isinstance(end, Finished)]


@pytest.fixture(scope="session")
def looking(models_folder: Path, word_tokenizer: Any) -> Callable[[str], Looking]:
    """The engine of a kind of model, which is loaded once."""
    return cache(lambda kind: Looking(make_vision_model(models_folder / f"vision-{kind}", kind, word_tokenizer)))


@pytest.fixture(scope="module", autouse=True)
def decoders() -> Iterator[None]:
    """The processes that decode, which end with the tests that need them."""
    yield
    decoder_of(MediaSettings()).close()
    decoder_of.cache_clear()
