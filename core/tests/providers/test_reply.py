"""One base class for answers: who writes `chunks` has the rest, and an answer can be changed on its way."""

from __future__ import annotations

import json

import pytest
from llamafarm.errors import UpstreamError
from llamafarm.providers.reply import JsonReply, Reply
from llamafarm.wire import sse

pytestmark = pytest.mark.anyio


def chunk(text: str | None = None, finish: str | None = None, index: int = 0) -> dict:
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice]}


class Spoken(Reply):
    """Says what it was given; raises what is an error."""

    def __init__(self, *script: dict | Exception) -> None:
        self.script = script
        self.closed = False

    async def chunks(self):
        for item in self.script:
            if isinstance(item, Exception):
                raise item
            yield item

    async def aclose(self) -> None:
        self.closed = True


def whole(text: str = "one two", **fields) -> dict:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": []}}
    head = {"id": "c1", "object": "chat.completion", "created": 7, "model": "m", "usage": {"total_tokens": 3}}
    return {**head, "choices": [choice], **fields}


async def texts(reply: Reply) -> list[str | None]:
    return [choice["delta"].get("content") async for chunk in reply.chunks() for choice in chunk["choices"]]


async def text_of(reply: Reply) -> str:
    return (await reply.completion())["choices"][0]["message"]["content"]


HELLO = (chunk("Hel"), chunk("lo"), chunk(finish="stop"))


async def test_frames_completion_and_body_come_from_the_chunks():
    assert [frame async for frame in Spoken(*HELLO).frames()] == [*map(sse.encode, HELLO), sse.DONE]
    answer = await Spoken(*HELLO).completion()
    assert answer["choices"][0] == {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Hello"},
    }
    assert json.loads(await Spoken(*HELLO).body()) == answer


async def test_a_reply_that_does_not_say_its_chunks_is_a_mistake_of_its_author():
    with pytest.raises(NotImplementedError, match="Reply does not say"):
        await Reply().completion()


async def test_a_whole_answer_gives_its_own_bytes_where_they_are_known():
    assert await JsonReply({"a": 1}, content=b'{ "a": 1 }').body() == b'{ "a": 1 }'
    assert await JsonReply({"a": 1}).body() == b'{"a":1}'


async def test_one_more_chunk_comes_last_and_what_is_before_it_is_untouched():
    class Odd(Spoken):
        async def frames(self):
            yield b'data:   {"id":"c1", "model":"m", "choices":[]}\n\n'
            yield sse.DONE

    first, last, done = [frame async for frame in Odd().after({"sources": ["a.md"]}).frames()]
    assert first == b'data:   {"id":"c1", "model":"m", "choices":[]}\n\n'
    assert json.loads(last[6:]) == {"id": "c1", "model": "m", "choices": [], "sources": ["a.md"]}
    assert done == sse.DONE


async def test_the_last_chunk_is_a_field_of_the_whole_answer():
    answer = whole()
    assert await JsonReply(answer).after({"sources": ["a.md"]}).completion() == {**answer, "sources": ["a.md"]}
    *_, last = [chunk async for chunk in Spoken(*HELLO).after({"sources": []}).chunks()]
    assert last == {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [],
        "sources": [],
    }


async def test_an_answer_that_breaks_off_gets_no_last_chunk():
    got = []
    with pytest.raises(UpstreamError):
        async for chunk in Spoken(HELLO[0], UpstreamError("cut")).after({"sources": []}).chunks():
            got.append(chunk)  # noqa: PERF401 - what came before the error is wanted
    assert got == [HELLO[0]]


async def test_changed_replies_have_the_headers_of_the_first_and_close_it():
    reply = Spoken(*HELLO)
    reply.headers["X-LF-Ignored"] = "user"
    changed = reply.map_text(lambda: lambda text, last: text).after({})
    assert changed.headers == {"X-LF-Ignored": "user"}
    await changed.aclose()
    assert reply.closed


async def shout(chunks):
    async for chunk in chunks:
        for choice in chunk["choices"]:
            choice["delta"]["content"] = (choice["delta"].get("content") or "").upper()
        yield chunk


async def test_chunks_are_changed_streamed_and_whole_and_nothing_else_is_lost():
    assert await texts(Spoken(chunk("a"), chunk("b", "stop")).map_chunks(shout)) == ["A", "B"]
    assert await JsonReply(whole("one")).map_chunks(shout).completion() == whole("ONE")


def no_digits():
    """Holds a digit and what follows it back until it is known that it is no number of three digits."""
    held = ""

    def change(text: str, last: bool) -> str:
        nonlocal held
        held += text
        at = len(held) if last else next((i for i, letter in enumerate(held) if letter.isdigit()), len(held))
        if len(held) - at >= 3:
            at = len(held)
        out, held = held[:at], held[at:]
        return "".join("*" if letter.isdigit() else letter for letter in out)

    return change


async def test_a_text_may_be_held_back_and_comes_before_the_finish():
    reply = Spoken(chunk("pin 1"), chunk("2"), chunk(finish="stop")).map_text(no_digits)
    got = [chunk["choices"][0] async for chunk in reply.chunks()]
    assert [(choice["delta"].get("content"), choice["finish_reason"]) for choice in got] == [
        ("pin ", None),
        ("", None),
        ("**", "stop"),
    ]


async def test_each_choice_has_a_change_of_its_own():
    reply = Spoken(chunk("a1", index=0), chunk("b2", index=1), chunk("3", "stop", 1), chunk(finish="stop"))
    answer = await reply.map_text(no_digits).completion()
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["a*", "b**"]


async def test_what_is_held_back_of_an_answer_without_a_finish_reason_still_comes():
    assert await texts(Spoken(chunk("a1")).map_text(no_digits)) == ["a", "*"]
