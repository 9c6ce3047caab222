"""Which notes the model gets to read, what the reader and the trace are told of them, and what is asked for vectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import llamafarm
import psutil
import pytest
from llamafarm.errors import ConfigError, ProviderUnavailable
from llamafarm.wire import EMBEDDINGS, sse
from llamafarm_kit.testing import ScriptedProvider, ScriptedReply
from llamafarm_recall_handler.handler import RecallHandler
from llamafarm_recall_handler.options import RecallOptions
from llamafarm_recall_handler.plugin import build, check

pytestmark = pytest.mark.anyio

ENTRY = llamafarm.ModelEntry(name="cow", provider="scripted", model="cow")
WORDS = llamafarm.ModelEntry(name="words", provider="scripted", model="words")
NOTES = """\
# What we know of the farm.
Cows eat hay in winter.

Pigs like mud.
The barn is red.
"""
VOCABULARY = ("cows", "hay", "winter", "pigs", "mud", "barn", "red")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Farm:
    """A model that repeats what it is asked, and one whose vectors count words; asked: texts of each request."""

    def __init__(self) -> None:
        self.model = ScriptedProvider(lambda request: str(request["messages"][-1]["content"]))
        self.asked: list[list[str]] = []
        self.is_asked = asyncio.Event()
        self.error: Exception | None = None
        self.turns: list[llamafarm.Turn] = []

    async def embed(self, operation: Any, request: Any, model: str | None) -> Any:
        assert (operation, model) == (EMBEDDINGS, "words")
        self.asked.append(request["input"])
        self.is_asked.set()
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        rows = [{"index": at, "embedding": counts(text)} for at, text in enumerate(request["input"])]
        return {"data": rows[::-1]}

    async def answer(self, turn: llamafarm.Turn) -> llamafarm.Reply:
        return await self.model.chat(turn.request, turn.call)

    async def ask(self, handler: RecallHandler, content: Any, *before: Any, recall: Any = None) -> llamafarm.Reply:
        request: Any = {"messages": [*before, {"role": "user", "content": content}]}
        project: Any = SimpleNamespace(models=[ENTRY, WORDS])
        fields = {"recall": recall}
        call = llamafarm.Call(ENTRY, "r")
        turn = llamafarm.Turn(project, ENTRY, request, call, fields=fields, ask_model=self.embed)
        self.turns.append(turn)
        return await handler.run(turn, self.answer)

    @property
    def shown(self) -> Any:
        """What the model was shown last."""
        return self.model.requests[-1]["messages"]

    @property
    def trace(self) -> list[dict[str, Any]]:
        """What the last turn has noted, without its times."""
        rows = self.turns[-1].trace.rows
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def counts(text: str) -> list[float]:
    plain = "".join(letter for letter in text.lower() if letter.isalpha() or letter == " ").split()
    return [float(plain.count(word)) for word in VOCABULARY]


@pytest.fixture
def farm() -> Farm:
    return Farm()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text(NOTES)
    return path


@asynccontextmanager
async def started(notes: Path, **options: Any) -> AsyncIterator[RecallHandler]:
    handler = build(RecallOptions(notes=str(notes), **{"embedder": "words", **options}))
    await handler.start()
    try:
        yield handler
    finally:
        await handler.aclose()


async def test_the_notes_near_a_question_stand_before_it(farm, notes):
    async with started(notes) as handler:
        await farm.ask(handler, "What do cows eat in winter?")
    [message] = farm.shown
    context, question = message["content"].split("\n\n")
    assert (message["role"], question) == ("user", "What do cows eat in winter?")
    assert context.splitlines()[1:] == ["- Cows eat hay in winter."]


async def test_the_messages_before_the_question_are_left_alone(farm, notes):
    before = [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": "Pigs like mud."}]
    async with started(notes) as handler:
        await farm.ask(handler, "Is the barn red?", *before)
    assert farm.shown[:2] == before


async def test_a_question_with_a_picture_keeps_it(farm, notes):
    parts = [{"type": "text", "text": "Is this the barn?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    async with started(notes) as handler:
        await farm.ask(handler, parts)
    [message] = farm.shown
    assert "The barn is red." in message["content"][0]["text"]
    assert message["content"][1:] == parts


async def test_a_picture_alone_asks_for_no_notes(farm, notes):
    parts = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    async with started(notes) as handler:
        await farm.ask(handler, parts)
    assert (farm.asked, farm.shown) == ([], [{"role": "user", "content": parts}])


async def test_the_sources_are_the_last_chunk_of_a_stream(farm, notes):
    async with started(notes) as handler:
        reply = await farm.ask(handler, "cows hay winter")
    frames = [frame async for frame in reply.frames()]
    models_own = [frame async for frame in ScriptedReply(farm.shown[-1]["content"]).frames()]
    assert frames[:-2] == models_own[:-1]
    chunk = await anext(sse.events(_bytes(frames[-2])))
    assert '"sources":[{"text":"Cows eat hay in winter.","line":2,"score":1.0}]' in chunk.data
    assert frames[-1] == sse.DONE


async def test_a_whole_answer_has_the_sources_as_a_field(farm, notes):
    async with started(notes) as handler:
        reply = await farm.ask(handler, "cows hay winter")
    answer = await reply.completion()
    assert answer["sources"] == [{"text": "Cows eat hay in winter.", "line": 2, "score": 1.0}]


async def test_as_many_notes_as_the_options_say_the_nearest_first(farm, notes):
    question = "Do pigs like mud and cows hay, and is the mud red?"
    async with started(notes, top=2, threshold=0.1) as handler:
        sources = (await (await farm.ask(handler, question)).completion())["sources"]
    assert [source["text"] for source in sources] == ["Pigs like mud.", "Cows eat hay in winter."]


async def test_the_trace_tells_the_scores_also_of_what_is_not_near_enough(farm, notes):
    async with started(notes, threshold=0.5) as handler:
        await farm.ask(handler, "Is the mud red?")
    assert farm.trace == [{"stage": "recall", "scores": [0.5, 0.5, 0.0], "used": 2}]


async def test_without_a_near_note_the_models_own_reply_is_passed_on(farm, notes):
    async with started(notes) as handler:
        assert await farm.ask(handler, "Who are you?") is farm.model.replies[0]
    assert farm.shown == [{"role": "user", "content": "Who are you?"}]


async def test_a_request_switches_it_off(farm, notes):
    async with started(notes) as handler:
        assert await farm.ask(handler, "cows hay", recall=False) is farm.model.replies[0]
    assert (farm.asked, farm.trace) == ([], [])


async def test_the_notes_are_embedded_once_also_for_turns_at_once(farm, notes):
    async with started(notes) as handler:
        await asyncio.gather(*(farm.ask(handler, f"cows {number}") for number in range(4)))
    assert farm.asked[0] == ["Cows eat hay in winter.", "Pigs like mud.", "The barn is red."]
    assert sorted(farm.asked[1:]) == [[f"cows {number}"] for number in range(4)]


async def test_many_notes_are_embedded_in_several_requests(farm, notes):
    notes.write_text("".join(f"Cows, {number} of them.\n" for number in range(250)))
    async with started(notes) as handler:
        await farm.ask(handler, "cows")
    assert [len(texts) for texts in farm.asked] == [100, 100, 50, 1]


async def test_a_note_that_is_added_is_known_to_the_next_turn(farm, notes):
    async with started(notes) as handler:
        await farm.ask(handler, "barn")
        with notes.open("a") as file:
            file.write("Hay is in the barn.\n")
        sources = (await (await farm.ask(handler, "hay barn")).completion())["sources"]
    assert sources[0]["text"] == "Hay is in the barn."
    assert farm.asked[2] == ["Hay is in the barn."]


async def test_notes_whose_vectors_could_not_be_had_are_asked_for_again(farm, notes):
    farm.error = ProviderUnavailable("Not yet.")
    async with started(notes) as handler:
        with pytest.raises(ProviderUnavailable, match="Not yet"):
            await farm.ask(handler, "barn")
        farm.error = None
        assert (await (await farm.ask(handler, "barn")).completion())["sources"]


async def test_a_reader_that_goes_away_while_notes_are_embedded_leaves_the_others_in_peace(farm, notes):
    async with started(notes) as handler:
        first, second = (asyncio.create_task(farm.ask(handler, "barn")) for _ in range(2))
        await farm.is_asked.wait()
        first.cancel()
        assert (await (await second).completion())["sources"]
    assert first.cancelled()


def test_an_embedder_that_the_project_does_not_have_is_told_before_anybody_asks():
    project = llamafarm.Project("farm", "default", None, (WORDS,))
    assert [*check(RecallOptions(notes="notes.txt", embedder="words"), project, ENTRY)] == []
    [lack] = check(RecallOptions(notes="notes.txt", embedder="wrods"), project, ENTRY)
    assert lack.startswith("There is no model 'wrods'")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file or directory"),
        (lambda path: path.write_bytes(b"Caf\xe9\n"), "is not UTF-8 text: byte 3"),
    ],
    ids=["missing", "latin-1"],
)
async def test_notes_that_cannot_be_read_are_told_with_their_path(notes, make, message):
    make(notes)
    with pytest.raises(ConfigError, match=message) as caught:
        async with started(notes):
            pass
    assert str(notes) in caught.value.message
    assert "`notes`" in (caught.value.hint or "")


async def test_its_file_is_open_from_its_start_to_its_end(notes):
    handler = build(RecallOptions(notes=str(notes), embedder="words"))
    assert not is_open(notes)
    await handler.start()
    assert is_open(notes)
    await handler.aclose()
    assert not is_open(notes)


def is_open(path: Path) -> bool:
    return str(path.resolve()) in {file.path for file in psutil.Process().open_files()}


async def _bytes(content: bytes) -> AsyncIterator[bytes]:
    yield content
