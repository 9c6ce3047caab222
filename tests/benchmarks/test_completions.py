"""What a benchmark of text generation counts, and what it does not believe."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from completions import Miscounted, Work, credit, measure, summary
from llamafarm_kit.testing import Asked, Peer, ScriptedUpstream
from stream import Answer, Recording, connect
from textservers import Server, running


def count(text: str) -> int:
    return len(text.split())


def event(text: str, usage: int | None = None) -> bytes:
    told: dict[str, Any] = {"choices": [{"index": 0, "text": text}]}
    if usage is not None:
        told["usage"] = {"completion_tokens": usage}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def recorded(*pieces: bytes, seconds: tuple[float, ...]) -> Recording:
    """An answer in chunks, each of which came at its time."""
    received, arrivals = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", []
    for second, piece in zip(seconds, pieces, strict=True):
        received += b"%x\r\n%s\r\n" % (len(piece), piece)
        arrivals.append((second, len(received)))
    received += b"0\r\n\r\n"
    arrivals.append((seconds[-1], len(received)))
    return Recording(0.0, received, tuple(arrivals))


def test_an_event_came_when_its_last_byte_came() -> None:
    whole = event("a ") + event("b ") + event("c", 3)
    recording = recorded(whole[:10], whole[10:70], whole[70:], seconds=(1.0, 2.0, 4.0))
    assert recording.read() == Answer((2.0, 4.0, 4.0), "a b c", 3)


def test_the_time_to_the_first_token_and_between_tokens_are_of_events_with_text() -> None:
    answer = recorded(event(""), event("a "), event("b "), event("", 2), seconds=(1.0, 2.0, 2.5, 9.0)).read()
    assert (answer.first, answer.gaps) == (2.0, [0.5])


def test_an_error_in_the_stream_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="out of cache"):
        recorded(event("a"), b'data: {"error": "out of cache"}\n\n', seconds=(1.0, 2.0)).read()


def test_tokens_per_second_are_of_all_clients_together() -> None:
    answers = [recorded(event("a "), event("b", 2), seconds=(1.0, second)) for second in (2.0, 4.0)]
    row = summary("peer", 2, answers, 2, count)
    assert (row.tokens_per_second, row.first_p50, row.between_p99, row.short) == (1.0, 1000, 3000, 0)


def test_a_server_is_credited_with_what_its_usage_claims_where_the_texts_bear_it_out() -> None:
    assert credit("peer", [Answer((1.0, 2.0), "a b c d e f g h i", 10)], 64, count) == [10]


def test_without_usage_the_tokenizer_counts() -> None:
    assert credit("peer", [Answer((1.0,), "a b c", None)], 64, count) == [3]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer((1.0,), "a b c", 64), "claims 64 tokens for texts of 3"),
        (Answer((1.0,), "a b c", 65), "of at most 64"),
        (Answer((1.0, 2.0, 3.0), "a b c", 2), "more events"),
    ],
)
def test_a_server_that_claims_what_its_answers_do_not_show_is_not_believed(answer: Answer, why: str) -> None:
    with pytest.raises(Miscounted, match=why):
        credit("peer", [answer], 64, count)


def test_answers_that_end_early_are_told() -> None:
    assert summary("peer", 1, [recorded(event("a", 1), seconds=(1.0,))], 2, count).short == 1


def test_every_client_asks_for_something_else_and_every_server_is_asked_the_same() -> None:
    work = Work(words=5, answers=4)
    prompts = [work.prompts(4, client) for client in range(4)]
    assert len({prompt for own in prompts for prompt in own}) == 8
    assert prompts[0] == Work(words=5, answers=4).prompts(4, 0)
    assert len(work.prompts(1, 0)) == 4


async def play(asked: Asked, peer: Peer) -> None:
    """A server that does not know all fields."""
    if b"ignore_eos" in asked.content:
        await peer.answer(422, {"detail": "Unexpected fields in the request: {'ignore_eos'}"})
    else:
        await peer.stream(event("a "), event("b", 2))


@pytest.mark.anyio
async def test_fields_that_a_server_refuses_are_left_out() -> None:
    async with ScriptedUpstream(play) as upstream:
        server = Server(
            "peer", upstream.base_url.removeprefix("http://").removesuffix("/v1"), "/v1/completions", "tiny"
        )
        row = await asyncio.to_thread(measure, server, 2, Work(words=5, length=2), count)
    assert (row.tokens, row.events, row.clients) == (8, 8, 2)
    last = upstream.requests[-1].body
    assert last["max_tokens"] == 2 and last["stream_options"] == {"include_usage": True} and "ignore_eos" not in last


@pytest.mark.anyio
async def test_a_connection_notes_when_what_came() -> None:
    async with ScriptedUpstream(play) as upstream:
        host, _, port = upstream.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
        connection = await connect(host, int(port), 10.0)
        recording = await connection.record(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        connection.close()
    assert recording.read().text == "a b"
    assert recording.asked <= recording.arrivals[0][0] <= recording.ended


def test_a_running_peer_is_named_with_its_address_and_model() -> None:
    assert running("vllm=http://gpu:8000/v1,org/model") == Server("vllm", "gpu:8000", "/v1/completions", "org/model")
    with pytest.raises(ValueError, match="NAME=URL,MODEL"):
        running("http://gpu:8000")
