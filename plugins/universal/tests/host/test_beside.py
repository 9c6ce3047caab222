"""Texts are counted while models work: nothing of it waits for the thread that runs them."""

from __future__ import annotations

from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from llamafarm_universal.engine import CountTexts, Embed, ModelRef, refused
from llamafarm_universal.host.beside import Beside
from llamafarm_universal.messages import Cancel, Failed, Finished, Run

REF = ModelRef("a/model")
PATIENCE = 60.0


class Engine:
    """Counts characters. Whoever asks it for anything else fails."""

    def __init__(self, *operations: str, error: Exception | None = None) -> None:
        self.model = SimpleNamespace(operations=operations, ref=REF, task="embedding")
        self.error = error

    def prepare(self, work: CountTexts) -> tuple[int, ...]:
        if self.error:
            raise self.error
        return tuple(map(len, work.texts))


def beside(engine: Engine | None) -> tuple[Beside, SimpleQueue[Any], list[Any]]:
    """One with this model loaded, the events that it sends, and the commands that it leaves."""
    sent: SimpleQueue[Any] = SimpleQueue()
    left: list[Any] = []
    residents: Any = {} if engine is None else {REF: SimpleNamespace(engine=engine)}
    return Beside(residents, sent.put, left.append), sent, left


def test_texts_are_counted_without_the_main_thread():
    counting, sent, left = beside(Engine("count_texts"))
    counting.take(Run("1", REF, CountTexts(("ab", "", "abc"))))
    event = sent.get(timeout=PATIENCE)
    assert isinstance(event, Finished)
    assert (event.request_id, event.value, event.usage.prompt_tokens, left) == ("1", (2, 0, 3), 5, [])


@pytest.mark.parametrize("error", [refused("No."), ZeroDivisionError("tripped")], ids=["refused", "tripped"])
def test_what_fails_is_told_and_the_next_is_counted(error):
    engine = Engine("count_texts", error=error)
    counting, sent, _ = beside(engine)
    counting.take(Run("1", REF, CountTexts(("ab",))))
    assert isinstance(sent.get(timeout=PATIENCE), Failed)
    engine.error = None
    counting.take(Run("2", REF, CountTexts(("ab",))))
    assert sent.get(timeout=PATIENCE).value == (2,)


@pytest.mark.parametrize(
    ("engine", "command"),
    [
        (Engine("count_texts"), Run("1", REF, Embed(("a",)))),
        (Engine("count_texts"), Cancel("1")),
        (Engine("embed"), Run("1", REF, CountTexts(("a",)))),
        (None, Run("1", REF, CountTexts(("a",)))),
    ],
    ids=["other-work", "other-command", "not-able", "not-loaded"],
)
def test_everything_else_is_left_to_the_main_thread(engine, command):
    counting, sent, left = beside(engine)
    counting.take(command)
    assert left == [command]
    assert sent.empty()
