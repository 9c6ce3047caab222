"""Steps in which each text reads one token are computed again from fixed memory, and give what they give otherwise.

Graphs themselves are a GPU's. Here what would be recorded is computed anew each time, out of the same memory.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import language_models as models
import pytest
import torch
from llamafarm_universal.host.engines.text import decode_graphs, flat_runner
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.kv_cache import KVCache
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Compute = Callable[[], torch.Tensor]
LENGTHS = (3, 40, 17, 16, 100)
STEPS = 24


class Recorder:
    """recorded: of how many rows each computation was. replayed: how often any was computed again."""

    def __init__(self) -> None:
        self.recorded: list[int] = []
        self.replayed = 0
        self.error = 0.0  # what is added to what is computed again

    def __call__(self, compute: Compute) -> Compute:
        self.recorded.append(len(compute()))
        output: list[torch.Tensor] = []

        def replay() -> torch.Tensor:
            self.replayed += 1
            if not output:
                output.append(compute())
            else:
                output[0].copy_(compute())
            return output[0].mul_(1 + self.error)

        return replay


class Inputs(TorchDispatchMode):
    """What is read within it and was not made there."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[weakref.ref[torch.Tensor]] = []
        self._made: dict[int, torch.Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        self.inputs += [weakref.ref(each) for each in given if id(each) not in self._made]
        output = func(*args, **(kwargs or {}))
        self._made |= {id(each): each for each in tree_leaves(output)}
        return output

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._made.clear()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(flat_runner, "can_record", lambda device: True)
    monkeypatch.setattr(decode_graphs, "recorder", lambda: made)
    return made


def written(runner: FlatRunner, ends: list[int] | None = None) -> list[list[int]]:
    """What a model writes behind prompts of different lengths, read first and then together, token by token."""
    cache = KVCache(60)
    runner.allocate(60)
    texts = [Context(models.prompt(length, length)) for length in LENGTHS]
    ends = [len(text.tokens) + steps for text, steps in zip(texts, ends or [STEPS] * len(texts), strict=True)]
    for text in texts:
        text.table = cache.open(text.tokens, "")
        assert cache.grow(text.table, len(text.tokens) + STEPS)
    while going := [text for text, end in zip(texts, ends, strict=True) if len(text.tokens) < end]:
        readings = [Reading(text, text.unread) for text in going]
        for text, row in zip(going, runner.run(readings), strict=True):
            text.stored = len(text.tokens)
            text.tokens.append(int(row.argmax()))
    return [text.tokens for text in texts]


@pytest.mark.parametrize("name", ["Llama", "GPT2", "Gemma2", "Gemma3Text", "GptOss"])
def test_texts_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    """With windows, capped scores and sinks, too."""
    runner = FlatRunner(models.build(name), "cpu")
    recorded = written(runner)
    assert recorder.replayed > STEPS / 2
    monkeypatch.setattr(flat_runner, "can_record", lambda device: False)
    assert recorded == written(runner)


def test_texts_are_filled_up_to_a_few_sizes(recorder: Recorder) -> None:
    """Five texts, of which one after the other ends: rows are those of the next power of two."""
    written(FlatRunner(models.build("Llama"), "cpu"), ends=[24, 20, 15, 10, 5])
    assert recorder.recorded == [8, 4, 2, 1]


def test_a_size_that_is_met_seldom_is_not_recorded(recorder: Recorder) -> None:
    written(FlatRunner(models.build("Llama"), "cpu"), ends=[3] * len(LENGTHS))
    assert recorder.recorded == []


def test_what_gives_something_else_is_not_replayed(recorder: Recorder) -> None:
    recorder.error = 0.5
    runner = FlatRunner(models.build("Llama"), "cpu")
    wrong = written(runner)
    assert recorder.replayed == 1  # to be compared
    recorder.error = 0.0
    assert written(runner) == wrong


def test_a_model_that_cannot_be_recorded_is_launched_as_before(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    runner = FlatRunner(models.build("Llama"), "cpu")
    expected = written(runner)

    def refuse(_: Compute) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(decode_graphs, "recorder", lambda: refuse)
    assert written(runner) == expected


def test_what_a_recorded_step_reads_lasts(monkeypatch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    """A graph reads memory, whoever has it by then."""
    read: list[weakref.ref[torch.Tensor]] = []

    def record(compute: Compute) -> Compute:
        with Inputs() as inputs:
            output = compute()
        read.extend(inputs.inputs)
        return lambda: output

    monkeypatch.setattr(decode_graphs, "recorder", lambda: record)
    runner = FlatRunner(models.build("Llama"), "cpu")
    written(runner)
    assert len(read) > len(list(runner._module.parameters()))
    assert all(tensor() is not None for tensor in read)
