"""Together with the other agent handlers in any order, and with those that a dataset names."""

from __future__ import annotations

import json
from itertools import permutations

import llamafarm
import pytest
from asked import DATASETS, PORT, QUESTION, RAG, STOP, barn, hit, installed, pieces, streamed, text_of, whole
from llamafarm.errors import ConfigError
from llamafarm_kit.testing import ScriptedProvider

pytestmark = pytest.mark.anyio
PROPERTIES = {"port": {"type": "integer"}, "why": {"type": "string"}}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["port"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "port", "schema": SCHEMA}}
JSON = '{"port": 11540, "why": "The guide says so [1][9]. Ask ada@b.org."}'
PROMPTS = [
    {"name": "law", "messages": [{"role": "system", "content": "You are a lawyer."}]},
    {"name": "usual", "messages": [{"role": "system", "content": "You are kind."}]},
]


@pytest.fixture
def anyio_backend():
    return "asyncio"


def handlers(*names):
    return tuple(installed().agent_handler(name) for name in names)


REDACTING = {"guard": {"after": [{"check": "emails"}]}}
GUARDED = {"handlers": handlers("structured", "guard", "tools"), "handler_options": REDACTING}


@pytest.mark.parametrize("chain", [*permutations(("rag", "structured", "guard"))], ids="-".join)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_object_is_checked_redacted_and_cites_what_is_there(chain, stream, tmp_path):
    async with barn(tmp_path, ScriptedProvider(whole(JSON)), chain=chain, **GUARDED) as road:
        if stream:
            chunks = await road.chunks(response_format=FORMAT)
            text = streamed(chunks)
            [told] = [chunk for chunk in chunks if "sources" in chunk]
            assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "stop"
        else:
            told = await road.answer(response_format=FORMAT)
            text = text_of(told)
    assert text == '{"port": 11540, "why": "The guide says so [1]. Ask [e-mail]."}'
    assert (_with_object(chunks) if stream else told)["llamafarm"]["object"] == json.loads(text)
    assert [row["cited"] for row in told["sources"]] == [True, False]
    assert all(reply.closed for reply in road.model.replies)


def _with_object(chunks):
    [chunk] = [chunk for chunk in chunks if "object" in chunk.get("llamafarm", {})]
    return chunk


@pytest.mark.parametrize("chain", [("rag", "tools"), ("tools", "rag")], ids="-".join)
async def test_calls_of_the_clients_functions_pass(chain, tmp_path):
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    calling = pieces("I look [9].")
    calling._chunks[-1]["choices"][0] = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    async with barn(tmp_path, ScriptedProvider(calling), chain=chain, **GUARDED) as road:
        answer = await road.answer(tools=tools)
    [choice] = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "I look."
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "look"
    assert len(answer["sources"]) == 2


async def test_a_guard_behind_sees_the_sources_and_one_before_the_users_words_alone(tmp_path):
    options = {"handler_options": {"guard": {"before": [{"check": "length", "most": 60}]}}}
    for chain, refused in ((("guard", "rag"), False), (("rag", "guard"), True)):
        async with barn(tmp_path, ScriptedProvider("So."), chain=chain, handlers=handlers("guard"), **options) as road:
            answer = await road.answer()
        assert (answer["choices"][0]["finish_reason"] == "content_filter") is refused


async def test_what_a_source_says_is_redacted_too(tmp_path):
    options = {"handler_options": REDACTING}
    found = hit("Ask ada@b.org.")
    async with barn(
        tmp_path, ScriptedProvider("So [1]."), found, chain=("guard", "rag"), handlers=handlers("guard"), **options
    ) as road:
        answer = await road.answer()
    assert answer["sources"][0]["text"] == "Ask [e-mail]."


async def test_a_dataset_has_handlers_and_prompts_for_questions_on_it(tmp_path):
    datasets = [{**DATASETS[0], "handler": ["structured"], "prompts": ["law"]}, DATASETS[1]]
    sections = {"rag": RAG, "datasets": datasets, "prompts": PROMPTS}
    async with barn(
        tmp_path,
        ScriptedProvider(whole('{"port": 1, "why": "so [1] [7]"}')),
        handlers=handlers("structured"),
        handler_options={"structured": {"schema": "port.json"}},
        sections=sections,
        files={"port.json": SCHEMA},
    ) as road:
        answer = await road.answer(dataset="manuals")
        [(question, _)] = road.retriever.asked
        system, user = road.sent
        await road.answer()
    assert question.filters == {"dataset": "manuals"}
    assert "You are a lawyer." in system["content"]
    assert "JSON" in system["content"]
    assert user["content"].endswith(QUESTION)
    assert text_of(answer) == '{"port": 1, "why": "so [1]"}'
    assert "JSON" not in road.sent[0]["content"]


async def test_filters_of_the_client_hold_beside_the_dataset(tmp_path):
    async with barn(tmp_path, ScriptedProvider()) as road:
        await road.answer(dataset="mail", rag_filters={"author": "Ada"})
    assert road.retriever.asked[0][0].filters == {"$and": [{"dataset": "mail"}, {"author": "Ada"}]}


async def test_an_entry_can_be_for_one_dataset(tmp_path):
    async with barn(tmp_path, ScriptedProvider(), options={"dataset": "mail"}) as road:
        await road.answer()
        await road.answer(database="guides")
        await road.answer(dataset="manuals")
    places = [place for _, place in road.retriever.asked]
    assert [(place.database.name, place.dataset and place.dataset.name) for place in places] == [
        ("letters", "mail"),
        ("guides", None),
        ("guides", "manuals"),
    ]
    with pytest.raises(ConfigError, match="The dataset 'mail' is in the database 'letters'"):
        async with barn(tmp_path, ScriptedProvider(), options={"dataset": "mail", "database": "guides"}):
            pass


async def test_prompts_of_a_dataset_that_are_not_there_are_an_error_of_llamafarm_yaml(tmp_path):
    sections = {"rag": RAG, "datasets": [{**DATASETS[0], "prompts": ["nothing"]}]}
    with pytest.raises(ConfigError, match=r"datasets\[0\].prompts\[0\]: there is no 'nothing'"):
        async with barn(tmp_path, ScriptedProvider(), sections=sections):
            pass


async def test_the_openai_client_reads_answers_and_their_sources(tmp_path):
    """Its types are built from what comes, as an application reads it."""
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    async with barn(tmp_path, ScriptedProvider("It is [1]."), PORT, STOP) as road:
        answer = ChatCompletion.model_validate(await road.answer())
        chunks = [ChatCompletionChunk.model_validate(chunk) for chunk in await road.chunks()]
    assert answer.choices[0].message.content == "It is [1]."
    assert answer.sources[0]["cited"] is True
    assert [chunk.sources[0]["cited"] for chunk in chunks if getattr(chunk, "sources", None)] == [True]


class Shed:
    """A source of tools with one that tells the time."""

    async def list(self):
        return [llamafarm.Tool("time", "The time.")]

    async def call(self, name, arguments):
        return llamafarm.ToolResult("noon [2]")

    async def aclose(self):
        pass


@pytest.mark.parametrize("chain", [("rag", "tools"), ("tools", "rag")], ids="-".join)
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_of_the_project_are_called_between_sources_and_answer(chain, stream, tmp_path):
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "time", "arguments": "{}"}}
    calling = pieces("I look [9].")
    calling._chunks[-1]["choices"][0] = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    model = ScriptedProvider(calling, whole("It is noon [1] [7]."))
    shed = llamafarm.ToolSourceSpec("shed", "A shed.", lambda _: ["shed"], lambda _project, _name: Shed())
    async with barn(tmp_path, model, chain=chain, tool_sources=(shed,), **GUARDED) as road:
        if stream:
            chunks = await road.chunks()
            text, told = streamed(chunks), [chunk["sources"] for chunk in chunks if "sources" in chunk]
        else:
            answer = await road.answer()
            text, told = text_of(answer), [answer["sources"]]
    assert text == "I look.\n\nIt is noon [1]."
    assert [row["cited"] for row in told[-1]] == [True, False]
    assert len(told) == 1
    assert [message["role"] for message in road.sent] == ["system", "user", "assistant", "tool"]
    assert all(reply.closed for reply in model.replies)
