"""A turn that is answered from documents: what is looked for, what the model is sent, what its reader gets."""

from __future__ import annotations

import pytest
from asked import PORT, QUESTION, STOP, Cow, barn, hit, pieces, streamed, text_of, whole
from llamafarm.errors import ConfigError, RequestError, UsageError
from llamafarm.wire import sse
from llamafarm_kit.testing import ScriptedProvider

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_an_answer_tells_its_sources_and_which_of_them_it_cites(tmp_path):
    found = hit(PORT, page=3, heading=("Setup", "Ports"), start=40, end=84, score=0.91)
    async with barn(tmp_path, ScriptedProvider("It is port 11540 [1]."), found, hit(STOP, file="stop.txt")) as road:
        answer = await road.answer()
    assert text_of(answer) == "It is port 11540 [1]."
    assert answer["sources"] == [
        {"number": 1, "file": "guide.md", "dataset": "manuals", "page": 3, "heading": ["Setup", "Ports"], "start": 40,
         "end": 84, "score": 0.91, "text": PORT, "cited": True},
        {"number": 2, "file": "stop.txt", "dataset": "manuals", "page": None, "heading": [], "start": 0,
         "end": len(STOP), "score": 0.8, "text": STOP, "cited": False},
    ]  # fmt: skip
    assert answer["citations"] == {"removed": [], "added": [], "uncited": [], "unsupported": []}


async def test_sources_are_the_last_chunk_of_a_stream_behind_its_counts(tmp_path):
    async with barn(tmp_path, ScriptedProvider("It is port 11540 [1].")) as road:
        reply = await road.reply(stream=True)
        events = [event for frame in [frame async for frame in reply.frames()] if (event := sse.parse(frame))]
        await reply.aclose()
    assert events[-1].data == "[DONE]"
    [told] = [chunk for event in events[:-1] if "sources" in (chunk := event.object())]
    assert [row["cited"] for row in told["sources"]] == [True, False]
    assert told["choices"] == []
    assert told["id"] == "scripted-1"


async def test_the_model_is_sent_the_sources_before_the_question_and_what_to_do_with_them(tmp_path):
    async with barn(tmp_path, ScriptedProvider(), hit(PORT, page=3, heading=("Setup", "Ports"))) as road:
        await road.answer({"role": "system", "content": "You are kind."}, QUESTION)
    system, user = road.sent
    assert system["role"] == "system"
    assert system["content"].startswith("You are kind.\n\nAnswer the question from the sources")
    assert "I cannot find an answer to that in the documents." in system["content"]
    first, header, text, last, blank, question = user["content"].split("\n")
    code = first.removeprefix("----- SOURCES ").removesuffix(" -----")
    assert (header, text, blank, question) == ("[1] guide.md, page 3, Setup, Ports", PORT, "", QUESTION)
    assert last == f"----- END OF SOURCES {code} -----"
    assert len(code) == 8


async def test_pictures_tools_and_all_other_fields_are_left_alone(tmp_path):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    parts = [{"type": "text", "text": QUESTION}, picture]
    tools = [{"type": "function", "function": {"name": "look"}}]
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    after = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "seen"},
    ]
    async with barn(tmp_path, ScriptedProvider()) as road:
        await road.answer({"role": "user", "content": parts}, *after, tools=tools, seed=7)
    _, user, *rest = road.sent
    assert user["content"][1:] == parts
    assert user["content"][0]["type"] == "text"
    assert rest == after
    assert {name: road.model.requests[-1][name] for name in ("tools", "seed")} == {"tools": tools, "seed": 7}
    [(question, _)] = road.retriever.asked
    assert question.text == QUESTION


async def test_marks_that_name_no_source_are_taken_out_and_told(tmp_path):
    async with barn(tmp_path, ScriptedProvider(whole("It is so [9]. It is 11540 [1, 7]【2】."))) as road:
        answer = await road.answer()
    assert text_of(answer) == "It is so. It is 11540 [1][2]."
    assert answer["citations"]["removed"] == [
        {"choice": 0, "mark": "[9]", "numbers": [9], "at": 8},
        {"choice": 0, "mark": "[1, 7]", "numbers": [7], "at": 21},
    ]
    assert road.notes["removed"] == 2


async def test_a_sentence_without_a_mark_gets_that_of_the_source_that_clearly_supports_it(tmp_path):
    said = "The Universal Runtime listens on port 11540. Cows eat grass. It stops after 30 minutes without a request"
    async with barn(tmp_path, ScriptedProvider(said)) as road:
        answer = await road.answer()
        streamed_text = streamed(await road.chunks())
    assert text_of(answer) == streamed_text
    assert streamed_text == (
        "The Universal Runtime listens on port 11540 [1]. Cows eat grass. "
        "It stops after 30 minutes without a request [2]"
    )
    assert [(row["numbers"], row["start"], row["end"]) for row in answer["citations"]["added"]] == [
        ([1], 0, 48),
        ([2], 65, 112),
    ]
    async with barn(tmp_path, ScriptedProvider(said), options={"attribution": False}) as road:
        assert text_of(await road.answer()) == said


async def test_what_is_stated_without_a_source_is_told(tmp_path):
    refusal = "I cannot find an answer to that in the documents."
    said = f"Cows eat grass all day. Why is that so today? Yes. # Heading\n{refusal}"
    async with barn(tmp_path, ScriptedProvider(said)) as road:
        answer = await road.answer()
    assert answer["citations"]["uncited"] == [
        {"choice": 0, "sentence": "Cows eat grass all day.", "start": 0, "end": 23}
    ]
    assert road.notes["uncited"] == 1


async def test_a_sentence_that_its_source_does_not_support_is_flagged(tmp_path):
    said = "The runtime listens on port 11540 [1]. It listens on port 99 [1]. Cows eat grass [2]. So be it."
    async with barn(tmp_path, ScriptedProvider(said), options={"verify": "quote"}) as road:
        answer = await road.answer()
    assert text_of(answer) == said
    assert answer["citations"]["unsupported"] == [
        {"choice": 0, "numbers": [1], "sentence": "It listens on port 99.", "start": 39, "end": 65, "score": 1.0,
         "missing": ["99"]},
        {"choice": 0, "numbers": [2], "sentence": "Cows eat grass.", "start": 66, "end": 85, "score": 0.0,
         "missing": []},
    ]  # fmt: skip
    assert road.notes["unsupported"] == 2


async def test_each_choice_is_read_by_itself(tmp_path):
    one, two = pieces("It is [", "1", "]."), pieces("It is [1", "9", "].", choice=1)
    mixed = [chunk for pair in zip(one._chunks, two._chunks, strict=True) for chunk in pair]
    one._chunks = mixed
    async with barn(tmp_path, ScriptedProvider(one)) as road:
        answer = await road.answer(n=2)
    assert [text_of(answer, choice) for choice in (0, 1)] == ["It is [1].", "It is."]
    assert [row["choice"] for row in answer["citations"]["removed"]] == [1]


async def test_what_an_answer_without_an_end_has_held_back_comes_too(tmp_path):
    async with barn(tmp_path, ScriptedProvider(pieces("It is ", "[1", reason=None))) as road:
        assert streamed(await road.chunks()) == "It is [1"


async def test_json_keeps_its_arrays_and_its_texts_are_read(tmp_path):
    said = '{"ids": [1, 2, 9], "text": "It is \\"so\\" [1, 9] and [2]", "open": "x [9]"}'
    async with barn(tmp_path, ScriptedProvider(whole(said))) as road:
        answer = await road.answer()
    assert text_of(answer) == '{"ids": [1, 2, 9], "text": "It is \\"so\\" [1] and [2]", "open": "x"}'
    async with barn(tmp_path, ScriptedProvider(whole("[1, 9]"))) as road:
        assert text_of(await road.answer(response_format={"type": "json_object"})) == "[1, 9]"
        assert text_of(await road.answer()) == "[1]"


async def test_where_nothing_is_found_the_model_is_not_asked(tmp_path):
    async with barn(tmp_path, Cow(), options={"refusal": "Not in the documents."}) as road:
        road.retriever.hits = ()
        answer = await road.answer(n=2)
        chunks = await road.chunks(stream_options={"include_usage": True})
    assert road.model.requests == []
    assert [text_of(answer, choice) for choice in (0, 1)] == ["Not in the documents."] * 2
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop"] * 2
    assert answer["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert answer["sources"] == []
    assert streamed(chunks) == "Not in the documents."
    assert [chunk["usage"]["total_tokens"] for chunk in chunks if chunk.get("usage")] == [0]
    assert [chunk["sources"] for chunk in chunks if "sources" in chunk] == [[]]
    assert "refused" in road.notes
    assert road.notes["below"] == 2


async def test_the_model_answers_without_sources_where_llamafarm_yaml_wants_it(tmp_path):
    async with barn(tmp_path, ScriptedProvider("Perhaps [1]."), options={"answer_without_context": "model"}) as road:
        road.retriever.hits = ()
        answer = await road.answer()
    assert road.sent == [{"role": "user", "content": QUESTION}]
    assert text_of(answer) == "Perhaps."
    assert answer["sources"] == []


async def test_a_request_can_do_without_documents_and_its_answer_is_left_as_it_is(tmp_path):
    async with barn(tmp_path, ScriptedProvider("So [9].")) as road:
        answer = await road.answer(rag_enabled=False)
    assert text_of(answer) == "So [9]."
    assert "sources" not in answer
    assert road.retriever.asked == []
    async with barn(tmp_path, ScriptedProvider("So [9]."), options={"enabled": False}) as road:
        assert text_of(await road.answer()) == "So [9]."
        assert text_of(await road.answer(rag_enabled=True)) == "So."
        assert text_of(await road.answer(rag_enabled=None)) == "So [9]."


async def test_a_message_without_a_text_is_refused_like_a_question_without_an_answer(tmp_path):
    """Else a picture of a question would go past what holds for questions."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    async with barn(tmp_path, ScriptedProvider()) as road:
        answer = await road.answer({"role": "user", "content": [picture]})
    assert text_of(answer) == "I cannot find an answer to that in the documents."
    assert "no_question" in road.notes


async def test_fields_of_a_request_stand_over_the_options_and_these_over_the_strategy(tmp_path):
    options = {"top_k": 7, "score_threshold": 0.2, "retrieval_strategy": "all"}
    async with barn(tmp_path, ScriptedProvider(), options=options) as road:
        await road.answer()
        await road.answer(rag_top_k=None, rag_score_threshold=None, rag_retrieval_strategy=None, database=None)
        await road.answer(
            rag_top_k=2, rag_score_threshold=0, rag_retrieval_strategy="near_letters", database="letters",
            rag_queries=["port", "listens"], rag_filters={"author": "Ada"},
        )  # fmt: skip
        await road.answer(dataset="mail")
    first, second, third, fourth = road.retriever.asked
    assert first == second
    assert [(question.top_k, question.score_threshold, place.strategy.name) for question, place in (first, third)] == [
        (7, 0.2, "all"),
        (2, 0, "near_letters"),
    ]
    assert (third[0].queries, third[0].filters, third[0].text) == (("port", "listens"), {"author": "Ada"}, QUESTION)
    assert [(place.database.name, place.dataset and place.dataset.name) for _, place in (first, third, fourth)] == [
        ("guides", None),
        ("letters", None),
        ("letters", "mail"),
    ]
    async with barn(tmp_path, ScriptedProvider()) as road:
        await road.answer()
    [(question, place)] = road.retriever.asked
    assert (question.top_k, question.score_threshold, place.strategy.name) == (None, None, "near_guides")


@pytest.mark.parametrize(
    ("field", "there"),
    [("database", "guides, letters"), ("rag_retrieval_strategy", "near_guides, all"), ("dataset", "manuals, mail")],
)
async def test_a_name_that_is_not_there_is_an_error_and_never_an_answer_without_documents(field, there, tmp_path):
    async with barn(tmp_path, ScriptedProvider()) as road:
        with pytest.raises(UsageError) as raised:
            await road.answer(**{field: "nowhere"})
    assert (raised.value.status, raised.value.param) == (404, field)
    assert there in raised.value.hint
    assert road.model.requests == []


async def test_a_dataset_in_another_database_than_the_named_one_is_an_error(tmp_path):
    async with barn(tmp_path, ScriptedProvider()) as road:
        with pytest.raises(RequestError, match="'mail' is in the database 'letters', not in 'guides'"):
            await road.answer(dataset="mail", database="guides")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"database": "nowhere"}, "There is no database 'nowhere'"),
        ({"retrieval_strategy": "near_letters"}, "There is no retrieval strategy 'near_letters'"),
        ({"verify_model": "nobody"}, "There is no model 'nobody'"),
        ({"rewrite": "nobody"}, "There is no model 'nobody'"),
    ],
)
async def test_options_that_name_what_is_not_there_are_errors_of_llamafarm_yaml(options, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        async with barn(tmp_path, ScriptedProvider(), options=options):
            pass


async def test_without_the_section_the_handler_cannot_be_used(tmp_path):
    with pytest.raises(ConfigError, match="has no section `rag`"):
        async with barn(tmp_path, ScriptedProvider(), sections={}):
            pass


async def test_a_session_keeps_what_the_user_wrote_and_got(tmp_path):
    async with barn(tmp_path, ScriptedProvider("It is [1][9].")) as road:
        road.session = "new"
        await road.answer()
        session = await road.sessions.of(road.project.identity).open(road.session)
        assert await session.history() == [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": "It is [1]."},
        ]


async def test_the_trace_tells_what_was_looked_for_and_what_was_used(tmp_path):
    async with barn(tmp_path, Cow(context_length=4096)) as road:
        await road.answer()
    facts = {name: road.notes[name] for name in ("database", "strategy", "queries", "hits", "used", "left_out")}
    assert facts == {
        "database": "guides", "strategy": "near_guides", "queries": [QUESTION], "hits": 2, "used": 2, "left_out": 0,
    }  # fmt: skip
    assert (road.notes["context_length"], road.notes["counted"]) == (4096, "estimated")


async def test_the_retriever_is_closed_with_the_handler(tmp_path):
    async with barn(tmp_path, ScriptedProvider()) as road:
        await road.answer()
    assert road.retriever.is_closed
