"""Rows asked side by side."""

from __future__ import annotations

import asyncio
from typing import Any

import llamafarm
import pytest
from llamafarm.errors import ConnectionFailed, ContextLengthExceeded, UsageError
from llamafarm_agents.evaluation.answers import ask_all
from llamafarm_agents.evaluation.rows import Row

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Farm:
    """As much of a farm as is needed: answers with the last word of a text, or raises what it is given for it."""

    def __init__(self, errors: dict[str, Exception] | None = None, facts: Any = None) -> None:
        self.errors = errors or {}
        self.facts = facts
        self.asked: list[str] = []
        self.most = self.running = 0

    async def ask(self, operation, request, *, model, progress):
        assert (operation, model) == ("chat", "sorter")
        text = request["messages"][0]["content"]
        self.asked.append(text)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(5):
                await asyncio.sleep(0)
        finally:
            self.running -= 1
        if error := self.errors.get(text):
            raise error
        answer = {"choices": [{"message": {"content": f" {text.split()[-1]}\n"}}]}
        return llamafarm.JsonReply({**answer, **({"llamafarm": {"classification": self.facts}} if self.facts else {})})


def rows(*texts: str) -> list[Row]:
    return [Row(line, text, "cows") for line, text in enumerate(texts, 2)]


async def asked(farm: Any, table: list[Row]) -> list[Any]:
    done: list[int] = []
    answers = await ask_all(farm, table, "sorter", at_once=3, done=lambda: done.append(1))
    assert len(done) == len(table)
    return answers


async def test_each_row_is_asked_and_so_many_at_once():
    farm = Farm()
    answers = await asked(farm, rows(*(f"it is {number}" for number in range(20))))
    assert [answer.label for answer in answers] == [str(number) for number in range(20)]
    assert farm.most == 3


async def test_a_classification_wins_over_the_text():
    [answer] = await asked(Farm(facts={"label": "pigs", "score": 0.9, "scores": {"pigs": 0.9}}), rows("x"))
    assert (answer.label, answer.scores) == ("pigs", {"pigs": 0.9})


async def test_a_row_that_fails_leaves_the_others():
    farm = Farm({"too long": ContextLengthExceeded("It is\ntoo long.")})
    unlabelled = Row(9, "no label", "")
    answers = await asked(farm, [*rows("too long", "cows"), unlabelled])
    assert [(answer.label, answer.error) for answer in answers] == [
        ("", "It is too long."),
        ("cows", ""),
        ("", "It has no label."),
    ]
    assert "no label" not in farm.asked


async def test_an_error_that_is_no_rows_ends_it():
    farm = Farm({"b": ConnectionFailed("It is not there.")})
    with pytest.raises(ConnectionFailed):
        await asked(farm, rows("a", "b", *"cdefghijkl"))
    assert len(farm.asked) < 10
    assert farm.running == 0


async def test_an_entry_with_several_labels_is_not_compared():
    with pytest.raises(UsageError, match="several labels"):
        await asked(Farm(facts={"labels": [], "scores": {}}), rows("x"))
