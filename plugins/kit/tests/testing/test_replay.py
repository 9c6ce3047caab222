"""Recorded exchanges come back byte for byte, in their pieces, to the requests that they fit."""

from __future__ import annotations

import json

import httpx
import pytest
from llamafarm_kit.testing import Exchange, ReplayUpstream

pytestmark = pytest.mark.anyio
SSE = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
STREAM = Exchange("POST", "/v1/chat", 200, SSE, (b'data: {"a":', b" 1}\n\n", b"data: [DONE]\n\n"), {"stream": True})
WHOLE = Exchange("POST", "/v1/chat", 200, {"content-type": "application/json"}, (b'{"a"', b": 1}"))
RECORDING = {
    "request": {"method": "POST", "path": "/v1/chat", "json": {"model": "m", "stream": True}},
    "status": 200,
    "headers": SSE,
    "pieces": [{"ms": 1.5, "text": "data: {}\n\n"}, {"ms": 2.5, "text": "data: [DONE]\n\n"}],
}


@pytest.fixture
async def client():
    async with httpx.AsyncClient(timeout=10) as client:
        yield client


async def pieces_of(client, url, **body):
    async with client.stream("POST", url, json=body) as answer:
        return answer, [piece async for piece in answer.aiter_raw()]


async def test_a_stream_comes_in_the_pieces_in_which_it_was_recorded(client):
    async with ReplayUpstream(STREAM) as upstream:
        answer, pieces = await pieces_of(client, f"{upstream.base_url}/chat", stream=True)
    assert tuple(pieces) == STREAM.pieces
    assert answer.headers["content-type"] == "text/event-stream"


async def test_a_text_that_was_edited_after_the_recording_gets_its_own_length(client):
    edited = Exchange("GET", "/v1/models", 200, {"content-length": "900"}, (b'{"data":[]}',))
    async with ReplayUpstream(edited) as upstream:
        answer = await client.get(f"{upstream.base_url}/models")
    assert answer.headers["content-length"] == "11"
    assert answer.json() == {"data": []}


async def test_a_whole_answer_gets_the_length_that_was_not_recorded(client):
    async with ReplayUpstream(WHOLE) as upstream:
        answer = await client.post(f"{upstream.base_url}/chat", json={})
    assert (answer.status_code, answer.content) == (200, b'{"a": 1}')
    assert answer.headers["content-length"] == "8"


async def test_the_first_exchange_that_fits_answers_as_often_as_it_is_asked(client):
    async with ReplayUpstream(STREAM, WHOLE) as upstream:
        url = f"{upstream.base_url}/chat"
        kinds = [(await client.post(url, json={"stream": stream})).content for stream in (False, True, False)]
    assert kinds == [b'{"a": 1}', b"".join(STREAM.pieces), b'{"a": 1}']


async def test_a_field_that_must_be_false_may_be_absent(client):
    exchange = Exchange(None, None, pieces=(b"{}",), sent={"stream": False})
    async with ReplayUpstream(exchange) as upstream:
        answers = [await client.post(upstream.base_url, json=body) for body in ({}, {"stream": False}, {"stream": 1})]
    assert [answer.status_code for answer in answers] == [200, 200, 501]


async def test_a_request_that_nothing_fits_is_told_what_was_recorded(client):
    async with ReplayUpstream(STREAM) as upstream:
        answer = await client.get(f"{upstream.base_url}/models")
    assert answer.status_code == 501
    assert answer.json()["error"]["message"] == (
        "Nothing is recorded for GET /v1/models; there is POST /v1/chat {'stream': True}."
    )


async def test_an_exchange_for_any_request_has_the_status_and_headers_that_it_is_given(client):
    async with ReplayUpstream(Exchange.any(429, '{"error": "later"}', retry_after="30")) as upstream:
        answer = await client.get(upstream.base_url)
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (429, {"error": "later"}, "30")


async def test_a_held_answer_stays_open_until_the_client_goes(client):
    async with ReplayUpstream(STREAM.held_after(1)) as upstream:
        async with client.stream("POST", f"{upstream.base_url}/chat", json={"stream": True}) as answer:
            assert await anext(answer.aiter_raw()) == STREAM.pieces[0]
            assert upstream.working() == 1
        assert upstream.working() == 0


async def test_a_cut_answer_breaks_off_after_its_pieces(client):
    async with (
        ReplayUpstream(WHOLE.cut_after(1)) as upstream,
        client.stream("POST", f"{upstream.base_url}/chat", json={}) as answer,
    ):
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b'{"a"'
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(pieces)


async def test_a_recording_is_read_with_the_stream_that_it_was_asked_for(client, tmp_path):
    (tmp_path / "chat.json").write_text(json.dumps(RECORDING))
    exchange = Exchange.load(tmp_path / "chat.json")
    assert exchange.sent == {"stream": True}
    async with ReplayUpstream(exchange) as upstream:
        _, pieces = await pieces_of(client, f"{upstream.base_url}/chat", stream=True)
    assert pieces == [b"data: {}\n\n", b"data: [DONE]\n\n"]


async def test_a_recording_with_pieces_left_out_is_refused(tmp_path):
    (tmp_path / "long.json").write_text(json.dumps({**RECORDING, "pieces": [{"omitted_pieces": 9}]}))
    with pytest.raises(ValueError, match="does not hold every piece"):
        Exchange.load(tmp_path / "long.json")
