"""What an author says of an engine, and the engine that the contract tries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from llamafarm_kit.testing import Contract

from llamafarm_universal.engine import (
    Candidate,
    EngineSpec,
    Fit,
    Limits,
    LoadPlan,
    LoadSettings,
    ModelRef,
    Piece,
    Work,
)
from llamafarm_universal.messages.plan import CONFIG_FILES
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.task import task_of
from llamafarm_universal.testing.bench import Asked, Bench


class EngineCase(Contract):
    """An engine as its author describes it; see EngineContract."""

    packages = Contract.packages | {__name__.rpartition(".")[0]}

    engine: ClassVar[str]
    works: ClassVar[Sequence[Work]]
    long: ClassVar[Work]
    wrong: ClassVar[Sequence[Work]]
    requests: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    settings: ClassVar[LoadSettings] = LoadSettings()
    limits: ClassVar[Limits] = Limits()
    most_steps: ClassVar[int] = 10_000

    def make_model(self, folder: Path) -> None:
        """Write the files of a small model into an empty folder."""
        raise NotImplementedError("`make_model` is to write the files of a small model")

    def weights(self, engine: Any) -> Sequence[Any]:
        """What holds the memory of a loaded model: objects of the engine that a weak reference can point at."""
        raise NotImplementedError("`weights` is to name what holds the memory of a loaded model")

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have what comes next in the engine for this request raise an error, and nothing that comes for others."""
        raise NotImplementedError("`fail` is to make the next step with a request raise an error")

    def alike(self, alone: Asked, together: Asked) -> bool:
        """Whether a work was answered the same beside others as alone: by default its texts, ends and values."""
        return _told(alone) == _told(together)

    @property
    def spec(self) -> EngineSpec:
        """The engine's record."""
        module, _, name = self.engine.partition(":")
        spec = getattr(import_module(module), name)
        assert isinstance(spec, EngineSpec), f"{self.engine} is no EngineSpec"
        return spec

    @pytest.fixture
    def model_folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The folder of the model, made for each test; an author may give one that is made once."""
        folder = tmp_path_factory.mktemp("model")
        self.make_model(folder)
        return folder

    @pytest.fixture
    def candidate(self, model_folder: Path) -> Candidate:
        """The model, as the runtime asks engines about it."""
        return self.candidate_of(model_folder)

    @pytest.fixture
    def fit(self, candidate: Candidate) -> Fit:
        """What the engine says of its own model."""
        fit = self.spec.fit(candidate)
        assert isinstance(fit, Fit), f"`fit` says {fit!r} of a model of its own"
        return fit

    @pytest.fixture
    def plan(self, candidate: Candidate, fit: Fit) -> LoadPlan:
        """How the runtime has the model loaded."""
        return LoadPlan.of(candidate, self.spec.name, fit, self.limits)

    @pytest.fixture
    def bench(self, plan: LoadPlan) -> Iterator[Bench]:
        """The engine with its model loaded."""
        bench = Bench(self.spec.load(plan, plan.working_bytes), self.most_steps)
        yield bench
        bench.engine.close()

    def candidate_of(self, folder: Path) -> Candidate:
        """What is known of a model before any engine is asked, on a machine without a GPU."""
        config = _config_of(folder)
        task = self.settings.model_type or task_of(folder, config)
        parameters = count_parameters(folder)
        return Candidate(ModelRef(str(folder), self.settings), folder, config, task, "cpu", "fp32", parameters)

    def all_works(self) -> Iterator[Work]:
        """The sample works, and the long one."""
        yield from self.works
        yield self.long


def _config_of(folder: Path) -> dict[str, Any]:
    files = [folder / name for name in CONFIG_FILES if (folder / name).is_file()]
    assert files, f"the model has none of {', '.join(CONFIG_FILES)}: the runtime would not take it for one"
    config = json.loads(files[0].read_text(encoding="utf-8"))
    return config if isinstance(config, dict) else {}


def _told(asked: Asked) -> list[Any]:
    """How many tokens of a prompt are known already depends on what was asked before, and is no part of an answer."""
    texts: dict[int, str] = {}
    for event in asked.events:
        if isinstance(event, Piece):
            texts[event.index] = texts.get(event.index, "") + event.text
    ends = [replace(end, usage=replace(end.usage, cached_tokens=0)) for end in asked.finished]
    return [(end.index, end.reason, end.usage, end.value, texts.get(end.index)) for end in ends]
