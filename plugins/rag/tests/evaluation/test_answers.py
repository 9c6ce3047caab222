"""Questions asked through a chat, and what is read of the answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import llamafarm
import pytest
from llamafarm.errors import ContextLengthExceeded, UsageError
from llamafarm_rag.answering.options import RagOptions
from llamafarm_rag.evaluation.answers import Asker
from made import row

pytestmark = pytest.mark.anyio

REFUSAL = "I cannot find that."
TOLD: dict[str, Any] = {
    "sources": [{"file": "a.md", "cited": True}, {"file": "b.md", "cited": True}, {"file": "c.md", "cited": False}],
    "citations": {"removed": [{}], "added": [{}, {}], "unsupported": []},
    "usage": {"prompt_tokens": 30, "completion_tokens": 4},
}


class Farm:
    """As much of a farm as is needed: answers with a text, or raises what it is given."""

    def __init__(self, text: str = "Twice [1][2].", error: Exception | None = None, **told: Any) -> None:
        self.answer = {"choices": [{"message": {"content": text}}], **told}
        self.error = error
        self.asked: list[Any] = []
        options = RagOptions(refusal=REFUSAL)
        self.project = SimpleNamespace(entry=lambda name: name, options_of=lambda entry, handler: options)

    async def ask(self, operation, request, *, model):
        self.asked.append((operation, request, model))
        if self.error:
            raise self.error
        return llamafarm.JsonReply(self.answer)


async def asked(farm: Any, *rows: Any, strategies: Any = (None,), **more: Any) -> list[Any]:
    asker = Asker(farm, **more)
    await asker.ask_all(rows, strategies, at_once=2, done=lambda: None)
    return asker.answers


async def test_an_answer_tells_what_it_cites():
    [answer] = await asked(Farm(**TOLD), row("a.md c.md"))
    assert (answer.text, answer.context, answer.cited) == ("Twice [1][2].", ("a.md", "b.md", "c.md"), ("a.md", "b.md"))
    assert (answer.right, answer.removed, answer.added, answer.unsupported) == (1, 1, 2, 0)
    assert (answer.tokens, answer.is_refused, answer.error) == ((30, 4), False, "")


async def test_what_is_named_is_asked_for_and_nothing_else():
    farm = Farm(**TOLD)
    await asked(farm, row(question="Why?"), strategies=["near", None], model="big", database="barn")
    messages = [{"role": "user", "content": "Why?"}]
    named = {"messages": messages, "database": "barn", "rag_retrieval_strategy": "near"}
    assert farm.asked[0] == ("chat", named, "big")
    assert farm.asked[1] == ("chat", {"messages": messages, "database": "barn"}, "big")


@pytest.mark.parametrize(
    ("text", "told", "is_refused"),
    [
        (REFUSAL, {"sources": []}, True),
        ("Sorry, i cannot find\nthat!", {"sources": [{"file": "a.md", "cited": False}]}, True),
        (REFUSAL, TOLD, False),
        ("I do not know.", {"sources": []}, False),
    ],
)
async def test_a_refusal_is_what_the_entry_is_told_to_say(text, told, is_refused):
    [answer] = await asked(Farm(text, **told), row())
    assert answer.is_refused is is_refused


async def test_a_row_that_fails_leaves_the_others():
    [first, second] = await asked(Farm(error=ContextLengthExceeded("It is\ntoo long.")), row(), row(question=""))
    assert (first.error, second.error) == ("It is too long.", "It has no question.")


async def test_an_entry_that_answers_without_documents_is_not_measured():
    with pytest.raises(UsageError, match="without documents"):
        await asked(Farm(), row())
