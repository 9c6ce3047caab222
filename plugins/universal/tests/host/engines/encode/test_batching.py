"""Rows that are read together are of about one length, and no request holds up the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Classify, Embed, Finished, RequestFailed, Score
from llamafarm_universal.host.engines.encode.batching import read_together


@pytest.mark.parametrize(
    ("lengths", "at", "chosen"),
    [
        ([10], 0, [10]),
        ([10] * 5, 2, [10] * 5),
        ([5, 5, 100], 2, [100]),  # the short ones would cost as much as long ones
        ([5, 5, 100], 0, [5, 5]),
        ([90, 95, 100, 500], 1, [90, 95, 100]),
        ([10, 20, 30, 40, 50], 2, [10, 20, 30]),  # all padding together costs no more than a step
        ([100] * 50, 0, [100] * 20),  # the limit of a step
        ([5000], 0, [5000]),  # more than a step, and there is no smaller one
        ([100, 5000], 1, [5000]),
    ],
)
def test_rows_of_about_one_length_are_chosen(lengths: list[int], at: int, chosen: list[int]) -> None:
    places = read_together(lengths, at, most=2000, cost=32)
    assert at in places
    assert [lengths[place] for place in places] == chosen


def test_where_a_step_is_dear_padding_is_not(encoding: Callable[..., Any]) -> None:
    assert list(read_together([5, 5, 100], 2, most=2000, cost=2048)) == [0, 1, 2]


class Counting:
    """An encoder without a model: it notes what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def encode(self, batch: Any) -> Any:
        import numpy as np

        self.batches.append([len(row) for row in batch])
        return [np.zeros(4, np.float32) for _ in batch]


@pytest.fixture
def counting(encoding: Callable[..., Any], bert: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    model = encoding(Path(bert.id), batch=100)
    model.encoder = Counting()
    monkeypatch.setattr(model.engine, "_encoder", model.encoder)
    return model


def ids(*lengths: int) -> Embed:
    return Embed(tuple(tuple([7 + at] * length) for at, length in enumerate(lengths)))


def test_single_texts_of_many_clients_share_steps(counting: Any) -> None:
    counting.values(*[ids(10)] * 5, *[ids(60)] * 2)
    assert sorted(counting.encoder.batches) == [[10] * 5, [60], [60]]


def test_a_request_of_many_rows_gives_each_other_one_its_turn(counting: Any) -> None:
    ended: list[str] = []
    for name, work in [("bulk", ids(*[20] * 40)), ("small", ids(20)), ("long", ids(60))]:
        note = lambda event, name=name: ended.append(name) if isinstance(event, Finished) else None  # noqa: E731
        counting.engine.submit(name, work, counting.engine.prepare(work), note)
    steps = 0
    while counting.engine.step():
        steps += 1
        if steps == 3:
            assert set(ended) == {"small", "long"}
    assert set(ended) == {"bulk", "small", "long"}


def test_a_row_that_comes_again_is_read_once(counting: Any) -> None:
    counting.values(Embed(((1, 2), (3, 4), (1, 2), (1, 2))))
    assert counting.encoder.batches == [[2, 2]]


@pytest.mark.parametrize("work", [Embed(()), Score(()), Classify(())])
def test_a_request_without_texts_is_refused(encoding: Callable[..., Any], bert: Any, work: Any) -> None:
    engine = encoding(Path(bert.id)).engine
    if work.operation in engine.model.operations:
        with pytest.raises(RequestFailed, match="nothing to"):
            engine.prepare(work)
