"""The part of the provider contract that is about answers: texts, stop reasons, usage, tool calls, vectors, media."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from llamafarm.wire import (
    CHAT,
    CLASSIFY,
    EMBEDDINGS,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    NER,
    RERANK,
    SCORE,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    Operation,
    sse,
)

from llamafarm_kit.testing.provider_setup import TEXTUAL, ProviderSetup
from llamafarm_kit.testing.scenes import Scene
from llamafarm_kit.testing.wire_values import TOOL

AT_ONCE = 10

each_textual = pytest.mark.parametrize("operation", TEXTUAL, ids=lambda operation: operation.name)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


class ProviderAnswers(ProviderSetup):
    """An operation that the provider does not have is not asked: those tests hold for it as they are."""

    @each_textual
    async def test_a_whole_answer_has_text_stop_reason_and_usage(self, operation: Operation) -> None:
        async with self.asking(Scene.READY) as asking:
            if operation in asking.operations:
                answer = await (await asking.ask(operation)).completion()
                assert _text(answer) == self.text, f"another text than the runtime's: {answer}"
                assert _finish(answer) == "stop", f"`finish_reason` is not `stop`: {answer}"
                self._check_usage(answer.get("usage"))

    @each_textual
    async def test_a_streamed_answer_is_the_same_in_chunks(self, operation: Operation) -> None:
        async with self.asking(Scene.READY) as asking:
            if operation in asking.operations:
                reply = await asking.ask(operation, stream=True)
                self._check_chunks([chunk async for chunk in reply.chunks()])

    @each_textual
    async def test_a_streamed_answer_can_be_read_whole(self, operation: Operation) -> None:
        async with self.asking(Scene.READY) as asking:
            if operation in asking.operations:
                answer = await (await asking.ask(operation, stream=True)).completion()
                assert (_text(answer), _finish(answer)) == (self.text, "stop"), f"not the whole answer: {answer}"

    @each_textual
    async def test_frames_are_events_and_end_with_done(self, operation: Operation) -> None:
        async with self.asking(Scene.READY) as asking:
            if operation in asking.operations:
                reply = await asking.ask(operation, stream=True)
                events = [sse.parse(frame) async for frame in reply.frames()]
                data = [event.data for event in events if event is not None]
                assert data[-1:] == ["[DONE]"], f"the last frame is not [DONE]: {data[-1:]}"
                self._check_chunks([json.loads(one) for one in data[:-1]])

    @each_textual
    async def test_a_stream_that_asks_for_its_usage_ends_with_it(self, operation: Operation) -> None:
        async with self.asking(Scene.READY) as asking:
            if operation in asking.operations:
                reply = await asking.ask(operation, stream=True, stream_options={"include_usage": True})
                told = [chunk["usage"] async for chunk in reply.chunks() if chunk.get("usage")]
                self._check_usage(told[-1] if told else None)

    @whole_and_streamed
    async def test_an_answer_that_was_cut_at_the_limit_says_so(self, stream: bool) -> None:
        async with self.asking(Scene.LENGTH) as asking:
            for operation in asking.textual[:1]:
                reply = await asking.accepted(operation, stream=stream, max_tokens=2)
                answer = reply and await reply.completion()
                assert not reply or _finish(answer) == "length", f"`finish_reason` is not `length`: {answer}"

    @whole_and_streamed
    async def test_a_tool_call_is_told_as_one(self, stream: bool) -> None:
        """A provider that refuses `tools` has said so; that is held by the test of the fields."""
        async with self.asking(Scene.TOOLS) as asking:
            reply = await asking.accepted(CHAT, stream=stream, tools=[TOOL]) if CHAT in asking.operations else None
            if reply is not None:
                answer = await reply.completion()
                calls = answer["choices"][0]["message"].get("tool_calls") or []
                names = [call["function"]["name"] for call in calls]
                assert names == [TOOL["function"]["name"]], f"not the call of the runtime: {answer}"
                assert all(call.get("id") for call in calls), f"a call without `id` cannot be answered: {calls}"
                assert isinstance(json.loads(calls[0]["function"]["arguments"]), dict), f"no JSON arguments: {calls}"
                assert _finish(answer) == "tool_calls", f"`finish_reason` is not `tool_calls`: {answer}"

    async def test_there_is_one_vector_for_each_input(self) -> None:
        async with self.asking(Scene.READY) as asking:
            if EMBEDDINGS in asking.operations:
                for inputs, count in ((["One text.", "Another text."], 2), ("One text.", 1)):
                    rows = (await asking.ask(EMBEDDINGS, input=inputs))["data"]
                    assert [row["index"] for row in rows] == [*range(count)], f"not {count} vectors: {rows}"
                    assert all(row["embedding"] for row in rows), f"an empty vector: {rows}"

    async def test_there_is_one_score_for_each_document_and_pair(self) -> None:
        async with self.asking(Scene.READY) as asking:
            if RERANK in asking.operations:
                results = (await asking.ask(RERANK, documents=["One.", "Two.", "Three."]))["results"]
                places, scores = [row["index"] for row in results], [row["relevance_score"] for row in results]
                assert sorted(places) == [0, 1, 2], f"not one result for each of three documents: {results}"
                assert scores == sorted(scores, reverse=True), f"the best one does not come first: {results}"
            if SCORE in asking.operations:
                for texts, count in ((["One.", "Two."], 2), ("One.", 1)):
                    rows = (await asking.ask(SCORE, text_2=texts))["data"]
                    assert [row["index"] for row in rows] == [*range(count)], f"not {count} scores: {rows}"
                    assert all(isinstance(row["score"], int | float) for row in rows), f"no number: {rows}"

    async def test_there_are_classes_and_names_for_each_text(self) -> None:
        async with self.asking(Scene.READY) as asking:
            for inputs, count in ((["One text.", "Another text."], 2), ("One text.", 1)):
                if CLASSIFY in asking.operations:
                    rows = (await asking.ask(CLASSIFY, input=inputs))["data"]
                    assert [row["index"] for row in rows] == [*range(count)], f"not {count} classes: {rows}"
                    assert all(row["probs"] for row in rows), f"a class without `probs`: {rows}"
                if NER in asking.operations:
                    rows = (await asking.ask(NER, input=inputs))["data"]
                    assert [row["index"] for row in rows] == [*range(count)], f"not {count} lists of names: {rows}"
                    texts = [inputs] if isinstance(inputs, str) else inputs
                    for text, row in zip(texts, rows, strict=True):
                        found = [text[name["start"] : name["end"]] for name in row["entities"]]
                        assert found == [name["text"] for name in row["entities"]], f"names from elsewhere: {row}"

    async def test_pictures_come_as_the_runtime_made_them(self) -> None:
        async with self.asking(Scene.READY) as asking:
            for operation in (IMAGES, IMAGE_EDITS, IMAGE_VARIATIONS):
                if operation in asking.operations:
                    answer = await (await asking.ask(operation)).json()
                    drawn = [row.get("b64_json") for row in answer["data"]]
                    assert drawn == [self.picture], f"{operation.name}: not the runtime's picture: {answer}"

    async def test_a_recording_is_written_down(self) -> None:
        async with self.asking(Scene.READY) as asking:
            for operation in (TRANSCRIPTIONS, TRANSLATIONS):
                if operation in asking.operations:
                    answer = await (await asking.ask(operation)).json()
                    assert answer.get("text") == self.text, f"{operation.name}: another text: {answer}"

    async def test_a_sound_comes_with_its_media_type_and_all_its_bytes(self) -> None:
        async with self.asking(Scene.READY) as asking:
            if SPEECH in asking.operations:
                content = await asking.ask(SPEECH)
                said = (content.media_type.partition(";")[0], await content.read())
                assert said == self.sound, f"another sound than the runtime's: {said[0]}, {len(said[1])} bytes"

    async def test_the_runtime_is_asked_for_the_entrys_model(self) -> None:
        async with self.asking(Scene.READY) as asking:
            for operation in asking.operations:
                before = len(asking.stage.seen())
                await asking.ask(operation)
                seen = asking.stage.seen()[before:]
                assert self.model in repr(seen), f"{operation.name} does not say {self.model!r}: {seen}"

    async def test_ten_requests_at_once_each_get_their_own_answer(self) -> None:
        async with self.asking(Scene.ECHO) as asking:

            async def answer_to(question: str, *, stream: bool) -> str:
                reply = await asking.ask(CHAT, messages=[{"role": "user", "content": question}], stream=stream)
                return _text(await reply.completion())

            if CHAT in asking.operations:
                questions = [f"Question {number}." for number in range(AT_ONCE)]
                asked = (answer_to(one, stream=at % 2 == 0) for at, one in enumerate(questions))
                assert (found := await asyncio.gather(*asked)) == questions, f"another request's answer: {found}"

    def _check_chunks(self, chunks: list[dict[str, Any]]) -> None:
        texts = [_text(chunk) for chunk in chunks if chunk["choices"]]
        assert "".join(texts) == self.text, f"another text than the runtime's: {texts}"
        ends = [_finish(chunk) for chunk in chunks if chunk["choices"] and _finish(chunk)]
        assert ends == ["stop"], f"a stream has one `finish_reason`, at its end: {ends}"

    def _check_usage(self, usage: Any) -> None:
        if self.tokens is None:
            return
        prompt, answer = self.tokens
        wanted = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        told = {name: (usage or {}).get(name) for name in wanted}
        assert told == wanted, f"another usage than the runtime's {wanted}: {usage}"


def _text(answer: dict[str, Any]) -> str:
    """The text of an answer or a chunk, of a chat or a text completion."""
    return "".join(_texts(answer["choices"]))


def _texts(choices: Iterable[dict[str, Any]]) -> Iterable[str]:
    for choice in choices:
        said = choice.get("message") or choice.get("delta") or {}
        yield choice.get("text") or said.get("content") or ""


def _finish(answer: dict[str, Any]) -> Any:
    return answer["choices"][0].get("finish_reason")
