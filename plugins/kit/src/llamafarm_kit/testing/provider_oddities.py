"""The part of the provider contract that is about odd runtimes: what they say beside the book is lost to nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llamafarm.errors import UpstreamError
from llamafarm.wire import CHAT, EMBEDDINGS

from llamafarm_kit.testing.oddities import CALLS, CITIES, COMPLETE, THINKING, UNREADABLE
from llamafarm_kit.testing.provider_setup import ProviderSetup
from llamafarm_kit.testing.scenes import Scene
from llamafarm_kit.testing.wire_values import TOOL


class ProviderOddities(ProviderSetup):
    """Held where `scenes` plays the oddity, as OpenAIScenes do: a runtime with a wire of its own has few of them."""

    @pytest.mark.parametrize("oddity", COMPLETE, ids=str)
    async def test_an_odd_stream_is_read_to_its_end(self, oddity: Scene) -> None:
        if oddity not in self.scenes:
            return
        async with self.asking(oddity) as asking:
            for operation in asking.textual[:1]:
                chunks = [chunk async for chunk in (await asking.ask(operation, stream=True)).chunks()]
                choices = [choice for chunk in chunks for choice in chunk["choices"]]
                text = "".join(choice.get("text") or choice["delta"].get("content") or "" for choice in choices)
                ends = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
                assert (text, ends) == (self.text, ["stop"]), f"not the runtime's whole answer: {chunks}"

    @pytest.mark.parametrize("oddity", COMPLETE, ids=str)
    async def test_an_odd_stream_is_passed_on_so_that_every_client_reads_it(self, oddity: Scene) -> None:
        """What goes to the client are events, each a JSON object, and the last one is [DONE]: clients know no more."""
        if oddity not in self.scenes:
            return
        async with self.asking(oddity) as asking:
            for operation in asking.textual[:1]:
                frames = [frame async for frame in (await asking.ask(operation, stream=True)).frames()]
                *data, done = [line[5:].strip() for frame in frames for line in _data_lines(frame)]
                assert done == b"[DONE]", f"the last event is not [DONE]: {frames}"
                assert all(isinstance(json.loads(item or b"null"), dict) for item in data), f"no object: {frames}"

    @pytest.mark.parametrize("read", ["chunks", "frames", "completion"])
    async def test_an_empty_stop_reason_is_no_end(self, read: str) -> None:
        if Scene.NO_FINISH not in self.scenes:
            return
        async with self.asking(Scene.NO_FINISH) as asking:
            for operation in asking.textual[:1]:
                with pytest.raises(UpstreamError):
                    reply = await asking.ask(operation, stream=True)
                    await (reply.completion() if read == "completion" else _drain(getattr(reply, read)()))

    @pytest.mark.parametrize("oddity", CALLS, ids=str)
    async def test_two_tool_calls_are_put_together_from_their_pieces(self, oddity: Scene) -> None:
        if oddity not in self.scenes:
            return
        async with self.asking(oddity) as asking:
            reply = await asking.accepted(CHAT, stream=True, tools=[TOOL]) if CHAT in asking.operations else None
            if reply is not None:
                answer = await reply.completion()
                calls = [call["function"] for call in answer["choices"][0]["message"]["tool_calls"]]
                assert [call["name"] for call in calls] == [TOOL["function"]["name"]] * 2, f"other names: {calls}"
                cities = [json.loads(call["arguments"]) for call in calls]
                assert cities == [{"city": city} for city in CITIES], f"other arguments: {calls}"

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
    async def test_content_in_parts_is_the_text_and_the_reasoning(self, stream: bool) -> None:
        if Scene.PARTS not in self.scenes:
            return
        async with self.asking(Scene.PARTS) as asking:
            if CHAT in asking.operations:
                answer = await (await asking.ask(CHAT, stream=stream)).completion()
                message = answer["choices"][0]["message"]
                told = (message["content"], message.get("reasoning"))
                assert told == (self.text, THINKING), f"not the text and the thinking: {message}"

    @pytest.mark.parametrize("encoding", ["float", "base64"])
    async def test_a_vector_with_a_hole_is_the_runtimes_fault(self, encoding: str) -> None:
        if Scene.HOLES not in self.scenes:
            return
        async with self.asking(Scene.HOLES) as asking:
            if EMBEDDINGS in asking.operations:
                with pytest.raises(UpstreamError):
                    await asking.ask(EMBEDDINGS, encoding_format=encoding)

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
    @pytest.mark.parametrize("oddity", UNREADABLE, ids=str)
    async def test_an_answer_that_no_reader_takes_is_the_runtimes_fault(self, oddity: Scene, stream: bool) -> None:
        if oddity not in self.scenes:
            return
        async with self.asking(oddity) as asking:
            for operation in asking.textual[:1]:
                error = await asking.failure(operation, stream=stream)
                assert isinstance(error, UpstreamError), f"not the runtime's fault: {error!r}"


def _data_lines(frame: bytes) -> list[bytes]:
    return [line for line in frame.splitlines() if line.startswith(b"data:")]


async def _drain(pieces: Any) -> None:
    async for _ in pieces:
        pass
