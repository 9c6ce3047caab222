"""What is looked for in the middle of a conversation."""

from __future__ import annotations

import pytest
from asked import Cow, barn
from llamafarm.errors import RateLimited
from llamafarm_kit.testing import ScriptedProvider

pytestmark = pytest.mark.anyio
FIRST = {"role": "user", "content": "How do I install LlamaFarm on Linux?"}
ANSWER = {"role": "assistant", "content": "With pip: pip install llamafarm [1]."}
NEXT = {"role": "user", "content": "And on Windows?"}


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def looked_for(tmp_path, model, *messages, **options):
    async with barn(tmp_path, model, options=options) as road:
        await road.answer(*messages)
        [(question, _)] = road.retriever.asked
        return question.text, {**road.notes, "queries": question.queries}


async def test_the_first_question_is_looked_for_as_it_is(tmp_path):
    model = ScriptedProvider()
    text, _ = await looked_for(tmp_path, model, {"role": "system", "content": "Be kind."}, FIRST)
    assert text == FIRST["content"]
    assert len(model.requests) == 1


async def test_a_later_question_is_put_so_that_it_stands_alone(tmp_path):
    model = ScriptedProvider('"How do I install LlamaFarm on Windows?"\n', "Like so [1].")
    text, notes = await looked_for(tmp_path, model, FIRST, ANSWER, NEXT)
    assert text == "How do I install LlamaFarm on Windows?"
    assert notes["rewritten"] == text
    rewriting, answering = model.requests
    assert rewriting["messages"][1]["content"] == (
        "User: How do I install LlamaFarm on Linux?\n"
        "Assistant: With pip: pip install llamafarm [1].\n"
        "User: And on Windows?"
    )
    assert answering["messages"][-1]["content"].endswith("\n\nAnd on Windows?")
    assert answering["messages"][1:3] == [FIRST, ANSWER]


@pytest.mark.parametrize(
    ("rewritten", "cause"),
    [
        ("", "it is empty"),
        ("Line one\nLine two", "it is no single question"),
        ("How do I install LlamaFarm on Windows? " * 20, "it is no single question"),
        ("Where do cows sleep in winter nights?", "it says what the conversation does not"),
        ("How do I install LlamaFarm 7 on Windows?", "it says what the conversation does not"),
        ("How do I install LlamaFarm on Linux?", "it leaves out what is asked"),
    ],
)
async def test_what_is_no_question_of_this_conversation_is_not_used(rewritten, cause, tmp_path):
    text, notes = await looked_for(tmp_path, ScriptedProvider(rewritten, "So."), FIRST, ANSWER, NEXT)
    assert text == "How do I install LlamaFarm on Linux?\nAnd on Windows?"
    assert notes["not_rewritten"] == cause


async def test_a_model_that_fails_at_it_does_not_end_the_turn(tmp_path):
    text, notes = await looked_for(tmp_path, ScriptedProvider(RateLimited("Later."), "So."), FIRST, ANSWER, NEXT)
    assert text == "How do I install LlamaFarm on Linux?\nAnd on Windows?"
    assert notes["not_rewritten"] == "Later."


async def test_nobody_is_asked_where_llamafarm_yaml_says_so(tmp_path):
    model = ScriptedProvider()
    text, notes = await looked_for(tmp_path, model, FIRST, ANSWER, NEXT, rewrite="off")
    assert notes["queries"] == (text, NEXT["content"])
    assert text == "How do I install LlamaFarm on Linux?\nAnd on Windows?"
    assert len(model.requests) == 1


async def test_another_model_can_be_asked(tmp_path):
    async with barn(tmp_path, Cow("How do I install LlamaFarm on Windows?", "So."), options={"rewrite": "cow"}) as road:
        await road.answer(FIRST, ANSWER, NEXT)
    assert [call.entry.name for call in road.model.calls] == ["cow", "cow"]


async def test_queries_of_the_client_need_no_rewriting(tmp_path):
    model = ScriptedProvider()
    async with barn(tmp_path, model) as road:
        await road.answer(FIRST, ANSWER, NEXT, rag_queries=["install windows"])
        [(question, _)] = road.retriever.asked
    assert (question.text, question.queries) == ("And on Windows?", ("install windows",))
    assert len(model.requests) == 1


async def test_the_history_of_a_session_counts_as_conversation(tmp_path):
    async with barn(tmp_path, ScriptedProvider("One.", "How do I install LlamaFarm on Windows?", "Two.")) as road:
        road.session = "new"
        await road.answer(FIRST)
        await road.answer(NEXT)
        assert [question.text for question, _ in road.retriever.asked] == [
            FIRST["content"],
            "How do I install LlamaFarm on Windows?",
        ]
