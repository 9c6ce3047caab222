"""Time limits, retries and faults of an upstream connection, against a server that plays them."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectionBroken,
    ConnectionFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    UpstreamError,
)
from llamafarm.http import answer as answers
from llamafarm.http import connections
from llamafarm.http import upstream as client
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering

pytestmark = pytest.mark.anyio
ENTRY = ModelEntry(name="m", provider="p", model="m")


def reaching(upstream: ScriptedUpstream, **limits) -> HttpUpstream:
    return HttpUpstream(Endpoint("acme", upstream.base_url, timeouts=Timeouts(**limits)))


def call(deadline: float | None = None) -> Call:
    return Call(entry=ENTRY, request_id="req-1", deadline=deadline, trace={"traceparent": "00-1-2-03"})


async def post(upstream: ScriptedUpstream, deadline: float | None = None, **limits):
    http = reaching(upstream, **limits)
    try:
        return await http.post_json("/x", {"a": 1}, call(deadline))
    finally:
        await http.aclose()


class Watched(dict):
    """Is written only once something else has been done."""

    def __init__(self, done: threading.Event, **fields) -> None:
        super().__init__(**fields)
        self._done = done

    def items(self):
        assert self._done.wait(10), "nothing else was done while this was written"
        return super().items()


async def test_other_requests_are_asked_while_a_large_one_is_written():
    async with ScriptedUpstream(answering({})) as upstream:
        http, answered = reaching(upstream), threading.Event()
        picture = Watched(answered, url="x" * 2**20)
        large = asyncio.create_task(http.post_json("/large", {"picture": picture}, call()))
        await asyncio.sleep(0)
        await http.post_json("/small", {"a": 1}, call())
        answered.set()
        await large
        await http.aclose()
    assert [asked.path for asked in upstream.requests] == ["/v1/small", "/v1/large"]
    assert upstream.requests[1].body == {"picture": {"url": "x" * 2**20}}


async def test_the_trace_and_our_request_id_go_out_with_every_request():
    async with ScriptedUpstream(answering({})) as upstream:
        await post(upstream)
        assert upstream.requests[0].headers["traceparent"] == "00-1-2-03"
        assert upstream.requests[0].headers["x-request-id"] == "req-1"


async def test_a_server_that_is_not_there_is_a_failure_to_connect():
    async with ScriptedUpstream(answering({})) as upstream:
        pass
    with pytest.raises(ConnectionFailed, match="Cannot connect to acme at http"):
        await post(upstream)


async def test_a_429_that_says_when_is_asked_again():
    later = answering({"error": "slow down"}, 429, {"retry-after": "0.01"})
    async with ScriptedUpstream(later, later, answering({"ok": 1})) as upstream:
        assert await post(upstream) == {"ok": 1}
        assert len(upstream.requests) == 3


async def test_a_server_is_asked_three_times_at_most():
    busy = {"error": {"message": "busy", "code": "queue_full"}}
    async with ScriptedUpstream(answering(busy, 503, {"retry-after-ms": "1"})) as upstream:
        with pytest.raises(ProviderUnavailable, match="busy") as caught:
            await post(upstream)
        assert caught.value.code == "queue_full"
        assert len(upstream.requests) == 3


@pytest.mark.parametrize(
    "headers", [{}, {"retry-after": "3600"}, *({"retry-after": it} for it in ("soon", "inf", "nan"))]
)
async def test_without_a_time_to_wait_or_with_a_long_one_the_refusal_is_passed_on(headers):
    async with ScriptedUpstream(answering({"error": "slow down"}, 429, headers)) as upstream:
        with pytest.raises(RateLimited) as caught:
            await post(upstream)
        assert caught.value.retry_after == (3600 if headers.get("retry-after") == "3600" else None)
        assert len(upstream.requests) == 1


async def test_retry_after_may_be_a_date():
    when = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    async with ScriptedUpstream(answering({"error": "later"}, 503, {"retry-after": when})) as upstream:
        with pytest.raises(ProviderUnavailable) as caught:
            await post(upstream)
        assert 3500 < (caught.value.retry_after or 0) <= 3600


async def test_a_wait_that_would_pass_the_deadline_is_not_begun():
    async with ScriptedUpstream(answering({"error": "later"}, 429, {"retry-after": "10"})) as upstream:
        with pytest.raises(RateLimited):
            await post(upstream, deadline=asyncio.get_running_loop().time() + 5)
        assert len(upstream.requests) == 1


async def test_the_waits_of_one_request_are_bounded_together(monkeypatch):
    monkeypatch.setattr(client, "LONGEST_WAIT", 0.05)
    async with ScriptedUpstream(answering({"error": "later"}, 429, {"retry-after-ms": "30"})) as upstream:
        with pytest.raises(RateLimited):
            await post(upstream)
        assert len(upstream.requests) == 2


async def test_nobody_waits_longer_than_five_seconds():
    async with ScriptedUpstream(answering({"error": "later"}, 503, {"retry-after": "6"})) as upstream:
        with pytest.raises(ProviderUnavailable):
            await post(upstream)
        assert len(upstream.requests) == 1


async def test_a_500_is_not_asked_again():
    async with ScriptedUpstream(answering({"error": "boom"}, 500)) as upstream:
        with pytest.raises(UpstreamError, match="boom") as caught:
            await post(upstream)
        assert caught.value.status == 500
        assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "status, body, kind, message",
    [
        (401, {"error": "Unauthorized"}, AuthenticationFailed, "Unauthorized"),
        (403, {"error": {"message": "no access"}}, AuthenticationFailed, "no access"),
        (404, {"error": {"message": "The model `x` does not exist.", "code": 404}}, ModelNotFound, "does not exist"),
        (404, {"error": {"message": "gone", "code": "model_not_loaded"}}, ModelNotFound, "gone"),
        (404, {"detail": "Not Found"}, UpstreamError, "Not Found\nNothing answers at .*: check `base_url`"),
        (404, {"error": {"message": "no such database", "param": "database"}}, UpstreamError, "^no such database$"),
        (400, {"error": {"message": "This model's maximum context length is 8 tokens"}}, ContextLengthExceeded, "8"),
        (
            400,
            {"error": {"message": "n", "type": "exceed_context_size_error", "code": 400}},
            ContextLengthExceeded,
            "n",
        ),
        (400, {"error": "'response_format.type' must be 'text'"}, InvalidRequest, "must be 'text'"),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, InvalidRequest, "field required"),
        (501, {"error": {"message": "no embeddings"}}, UpstreamError, "no embeddings"),
        (502, "<html>Bad Gateway</html>", UpstreamError, "answered with status 502"),
        (500, "plain words", UpstreamError, "plain words"),
        (401, {"message": "Unauthorized", "request_id": "r"}, AuthenticationFailed, "^Unauthorized\n"),
        (400, {"message": "the context length of 8 is exceeded"}, ContextLengthExceeded, "of 8 is exceeded$"),
        (403, {"error": "Forbidden", "message": "not from here"}, AuthenticationFailed, "^Forbidden: not from here$"),
        (400, [{"error": {"code": 400, "message": "not valid"}}], InvalidRequest, "^not valid$"),
        (400, {"errors": [{"code": 7003, "message": "no route"}]}, InvalidRequest, "status 400: .*no route"),
        (500, {}, UpstreamError, "answered with status 500.$"),
        (504, {"error": "too slow"}, ProviderTimeout, "too slow"),
    ],
)
async def test_statuses_and_shapes_of_errors(status, body, kind, message):
    async with ScriptedUpstream(answering(body, status)) as upstream:
        with pytest.raises(kind, match=message) as caught:
            await post(upstream)
        assert caught.value.status == status
        assert caught.value.provider == "acme"


@pytest.mark.parametrize(
    "error, code",
    [
        ({"message": "too long", "type": "exceed_context_size_error", "code": 400}, "context_length_exceeded"),
        ({"message": "model 'x' not found", "type": "not_found_error"}, "model_not_found"),
        ({"message": "gone", "code": "model_not_loaded"}, "model_not_loaded"),
        ({"message": "bad", "type": "invalid_request_error", "code": "own_code"}, "own_code"),
        ({"message": "bad", "type": "own_type", "code": "400"}, "own_type"),
    ],
)
async def test_codes_that_programs_look_for_are_the_same_whoever_answers(error, code):
    async with ScriptedUpstream(answering({"error": error}, 404 if "found" in error["message"] else 400)) as upstream:
        with pytest.raises(ProviderError) as caught:
            await post(upstream)
        assert caught.value.code == code


async def test_an_error_page_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(client, "ERROR_PAGE_SECONDS", 0.05)

    async def head_only(asked: Asked, peer: Peer) -> None:
        await peer.head(401, {"content-length": "100"})
        await peer.gone()

    async with ScriptedUpstream(head_only) as upstream:
        with pytest.raises(AuthenticationFailed, match="answered with status 401"):
            await post(upstream)


async def test_nor_does_its_silence_hide_the_status_where_the_time_is_shorter():
    async def head_only(asked: Asked, peer: Peer) -> None:
        await peer.head(401, {"content-length": "100"})
        await peer.gone()

    async with ScriptedUpstream(head_only) as upstream:
        with pytest.raises(AuthenticationFailed, match="answered with status 401"):
            await post(upstream, first_byte=0.1)


async def test_a_redirect_is_not_followed():
    async with ScriptedUpstream(answering({}, 307, {"location": "http://elsewhere.example/"})) as upstream:
        with pytest.raises(UpstreamError, match="307") as caught:
            await post(upstream)
        assert "base_url" in (caught.value.hint or "")
        assert caught.value.status == 502, "to the client it is no redirect"
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("text", ["<html>hello</html>", '{"a": ', "[1]", '{"a": NaN}', "[" * 100_000])
async def test_an_answer_that_is_no_json_object_breaks_the_protocol(text):
    async with ScriptedUpstream(answering(text)) as upstream:
        with pytest.raises(UpstreamError, match="not"):
            await post(upstream)


async def test_an_answer_beyond_all_bounds_is_cut_off(monkeypatch):
    async def flood(asked: Asked, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999999999999\r\n\r\n")
        while True:
            await peer.send(b" " * 65536)

    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 1_000_000)
    async with ScriptedUpstream(flood) as upstream:
        with pytest.raises(UpstreamError, match="larger than 1000000 bytes"):
            await post(upstream)


async def test_an_endless_error_page_is_read_only_in_part():
    async def flood(asked: Asked, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\ncontent-length: 999999999999\r\n\r\n")
        while True:
            await peer.send(b"x" * 65536)

    async with ScriptedUpstream(flood) as upstream:
        with pytest.raises(UpstreamError, match="status 500: xxx"):
            await post(upstream)


async def test_an_error_page_that_breaks_off_still_has_its_status():
    async def cut(asked: Asked, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 503 Oh\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nbusy")
        peer.close()

    async with ScriptedUpstream(cut) as upstream:
        with pytest.raises(ProviderUnavailable, match="status 503"):
            await post(upstream)


@pytest.mark.parametrize(
    "own", [{"api_key": "sk-secret\nX-Evil: 1"}, {"api_key": "sk-secret…"}, {"headers": (("X Y", "secret"),)}]
)
async def test_a_header_that_cannot_be_sent_is_an_error_that_does_not_show_it(own):
    with pytest.raises(ConfigError, match="holds a character that HTTP does not allow") as caught:
        HttpUpstream(Endpoint("acme", "http://127.0.0.1:9", **own))
    assert "secret" not in str(caught.value)


async def test_a_line_end_after_the_key_is_left_out():
    async with ScriptedUpstream(answering({})) as upstream:
        http = HttpUpstream(Endpoint("acme", upstream.base_url, api_key="sk-1\n"))
        await http.post_json("/x", {}, call())
        assert upstream.requests[0].headers["authorization"] == "Bearer sk-1"
        await http.aclose()


async def test_a_user_and_a_password_in_the_address_are_credentials_that_no_message_shows():
    async with ScriptedUpstream(answering({"ok": 1}), answering({"error": "no"}, 500)) as upstream:
        url = upstream.base_url.replace("http://", "http://ann:p%40ss@")
        http = HttpUpstream(Endpoint("acme", url))
        await http.post_json("/x", {}, call())
        assert upstream.requests[0].headers["authorization"] == "Basic YW5uOnBAc3M="
        with pytest.raises(UpstreamError) as caught:
            await http.post_json("/x", {}, call())
        await http.aclose()
    assert "p%40ss" not in str(caught.value)


async def test_nor_does_the_message_of_a_server_that_is_not_there():
    async with ScriptedUpstream(answering({})) as upstream:
        pass
    http = HttpUpstream(Endpoint("acme", upstream.base_url.replace("http://", "http://ann:secret@")))
    with pytest.raises(ConnectionFailed, match=f"at {upstream.base_url}: Connection refused") as caught:
        await http.post_json("/x", {}, call())
    assert "secret" not in str(caught.value)
    await http.aclose()


@pytest.mark.parametrize("size", [2**20, 3 * 2**20])
async def test_a_large_body_is_sent_whole(size):
    async with ScriptedUpstream(answering({"ok": 1})) as upstream:
        http = reaching(upstream)
        await http.post_json("/x", {"text": "a" * size}, call())
        assert len(upstream.requests[0].body["text"]) == size
        await http.aclose()


async def test_an_answer_that_is_compressed_against_our_wish_is_read():
    async def squeezed(asked: Asked, peer: Peer) -> None:
        content = gzip.compress(b'{"ok": 1}')
        head = {"content-type": "application/json", "content-encoding": "gzip", "content-length": str(len(content))}
        await peer.head(200, head)
        await peer.send(content)

    async with ScriptedUpstream(squeezed) as upstream:
        assert await post(upstream) == {"ok": 1}


async def silent(asked: Asked, peer: Peer) -> None:
    await peer.gone()


async def test_a_server_that_does_not_begin_is_timed_out():
    async with ScriptedUpstream(silent) as upstream:
        with pytest.raises(ProviderTimeout, match="did not begin to answer in time"):
            await post(upstream, first_byte=0.05)


async def test_headers_alone_are_not_the_beginning_of_an_answer():
    async def headers_only(asked: Asked, peer: Peer) -> None:
        await peer.stream(end=False)
        await peer.gone()

    async with ScriptedUpstream(headers_only) as upstream:
        with pytest.raises(ProviderTimeout, match="did not begin in time") as caught:
            await post(upstream, first_byte=0.05, between_bytes=None)
        assert "first_byte" in (caught.value.hint or "")


async def test_a_reader_that_takes_its_time_is_no_silence_of_the_server():
    async def pours(asked: Asked, peer: Peer) -> None:
        await peer.stream(*[b"x" * 100_000] * 20)

    async with ScriptedUpstream(pours) as upstream:
        http = reaching(upstream, between_bytes=0.05)
        async with await http.open_stream("/x", {}, call()) as answer:
            size = len(await anext(answer))
            await asyncio.sleep(0.1)
            size += sum([len(piece) async for piece in answer])
        assert size == 2_000_000
        await http.aclose()


async def test_silence_inside_an_answer_is_timed_out():
    async def stops(asked: Asked, peer: Peer) -> None:
        await peer.stream(b"{", end=False)
        await peer.gone()

    async with ScriptedUpstream(stops) as upstream:
        with pytest.raises(ProviderTimeout, match="was silent for more than"):
            await post(upstream, between_bytes=0.05)


async def test_an_answer_that_trickles_forever_ends_at_the_total():
    async def trickles(asked: Asked, peer: Peer) -> None:
        await peer.stream(b"{", end=False)
        while True:
            await peer.pieces(b" ")
            await asyncio.sleep(0.01)

    async with ScriptedUpstream(trickles) as upstream:
        with pytest.raises(ProviderTimeout, match="not complete in time"):
            await post(upstream, total=0.2)


async def test_the_deadline_of_the_call_ends_it_too():
    async with ScriptedUpstream(silent) as upstream:
        with pytest.raises(ProviderTimeout):
            await post(upstream, deadline=asyncio.get_running_loop().time() + 0.05, first_byte=None)


async def test_a_connection_that_ends_in_the_middle_of_an_answer_broke_off():
    async def cut(asked: Asked, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        peer.close()

    async with ScriptedUpstream(cut) as upstream:
        with pytest.raises(UpstreamError, match="broke off"):
            await post(upstream)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_connection_that_is_lost_is_told_in_words_and_not_by_the_name_of_an_exception(begun):
    async def is_lost(asked: Asked, peer: Peer) -> None:
        if begun:
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        peer.reset()

    async with ScriptedUpstream(is_lost) as upstream:
        with pytest.raises(UpstreamError, match="the connection was lost") as caught:
            await post(upstream)
        assert "Error" not in str(caught.value)


async def test_a_fresh_connection_that_ends_without_an_answer_is_not_tried_again():
    async def hangs_up(asked: Asked, peer: Peer) -> None:
        peer.close()

    async with ScriptedUpstream(hangs_up) as upstream:
        with pytest.raises(UpstreamError, match="broke the connection before answering"):
            await post(upstream)
        assert len(upstream.requests) == 1


async def test_a_reused_connection_that_ends_without_an_answer_is_replaced_once():
    async def hangs_up_on_the_second(asked: Asked, peer: Peer) -> None:
        if [one.connection for one in upstream.requests].count(asked.connection) > 1:
            peer.close()
            return
        await peer.answer(200, {"connection": asked.connection})

    async with ScriptedUpstream(hangs_up_on_the_second) as upstream:
        http = reaching(upstream)
        assert await http.post_json("/x", {}, call()) == {"connection": 1}
        assert await http.post_json("/x", {}, call()) == {"connection": 2}
        assert [asked.connection for asked in upstream.requests] == [1, 1, 2]
        await http.aclose()


async def test_a_reused_connection_on_which_the_server_may_have_begun_to_work_is_not_replaced(monkeypatch):
    monkeypatch.setattr(connections, "CLOSING_SECONDS", 0.05)

    async def dies_at_work_on_the_second(asked: Asked, peer: Peer) -> None:
        if len(upstream.requests) == 1:
            await peer.answer(200, {})
            return
        await asyncio.sleep(0.2)
        peer.close()

    async with ScriptedUpstream(dies_at_work_on_the_second) as upstream:
        http = reaching(upstream)
        await http.post_json("/x", {}, call())
        with pytest.raises(ConnectionBroken, match="broke the connection before answering"):
            await http.post_json("/x", {}, call())
        assert len(upstream.requests) == 2
        await http.aclose()


async def test_bytes_that_are_not_http_are_no_reason_to_ask_again():
    async def garbage(asked: Asked, peer: Peer) -> None:
        await peer.send(b"SSH-2.0-OpenSSH\r\n\r\n")

    async with ScriptedUpstream(answering({}), garbage) as upstream:
        http = reaching(upstream)
        await http.post_json("/x", {}, call())
        with pytest.raises(UpstreamError):
            await http.post_json("/x", {}, call())
        assert len(upstream.requests) == 2
        await http.aclose()


async def test_requests_one_after_another_share_a_connection():
    async with ScriptedUpstream(answering({"ok": 1})) as upstream:
        http = reaching(upstream)
        for _ in range(5):
            await http.post_json("/x", {}, call())
        assert upstream.connections == 1
        await http.aclose()
        await http.aclose()


async def test_a_hundred_requests_at_once_are_all_answered():
    async with ScriptedUpstream(answering({"ok": 1})) as upstream:
        http = reaching(upstream)
        answers = await asyncio.gather(*(http.post_json("/x", {}, call()) for _ in range(100)))
        assert answers == [{"ok": 1}] * 100
        await http.aclose()


async def test_get_ends_within_its_own_limit():
    async with ScriptedUpstream(silent) as upstream:
        http = reaching(upstream)
        begun = time.monotonic()
        with pytest.raises(ProviderTimeout):
            await http.get_json("/models", within=0.05)
        assert time.monotonic() - begun < 20
        await http.aclose()


async def test_what_is_looked_up_comes_with_its_headers_and_may_be_json_of_any_kind():
    async with ScriptedUpstream(answering([{"id": "m"}], headers={"server": "acme"})) as upstream:
        http = reaching(upstream)
        async with await http.get("/models") as answer:
            assert (answer.headers["server"], await answer.value()) == ("acme", [{"id": "m"}])
        with pytest.raises(UpstreamError, match="is not a JSON object"):
            await http.get_json("/models")
        await http.aclose()


async def test_a_loopback_address_never_goes_through_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with ScriptedUpstream(answering({"ok": 1})) as upstream:
        assert await post(upstream) == {"ok": 1}


async def test_another_address_goes_through_the_proxy_of_the_environment(monkeypatch):
    async with ScriptedUpstream(answering({"ok": "proxied"})) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        http = HttpUpstream(Endpoint("acme", "http://runtime.example/v1"))
        assert await http.post_json("/x", {}, call()) == {"ok": "proxied"}
        assert proxy.requests[0].path == "http://runtime.example/v1/x"
        await http.aclose()


async def test_a_failure_to_connect_elsewhere_is_tried_again(monkeypatch):
    tried = []

    def unknown(*args, **options):
        tried.append(args)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr("llamafarm.http.upstream.CONNECT_BACKOFF", 0.001)
    http = HttpUpstream(Endpoint("acme", "http://runtime.example/v1"))
    with pytest.raises(ConnectionFailed, match="Temporary failure in name resolution"):
        await http.post_json("/x", {}, call())
    assert len(tried) == 3
    await http.aclose()


LIMITS = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-tokens": "1499",
    "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
    "ratelimit": "limit=60, remaining=59",
    "ratelimit-remaining": "59",
}


async def test_what_a_runtime_says_of_its_limits_is_passed_on_and_nothing_else():
    others = {"x-request-id": "theirs", "set-cookie": "a=b", "x-ratelimited": "no"}
    async with ScriptedUpstream(answering({"ok": 1}, headers={**LIMITS, **others})) as upstream:
        http, asked = reaching(upstream), call()
        await http.post_json("/x", {}, asked)
        assert asked.headers == LIMITS
        await http.aclose()


async def test_a_refusal_says_the_limits_too_beside_when_to_come_back():
    refused = answering({"error": "slow down"}, 429, {**LIMITS, "retry-after": "3600"})
    async with ScriptedUpstream(refused) as upstream:
        with pytest.raises(RateLimited) as caught:
            await post(upstream)
    assert (caught.value.headers, caught.value.retry_after) == (LIMITS, 3600)


async def test_fields_that_the_runtime_left_out_are_named_beside_those_that_were_left_out_before():
    async with ScriptedUpstream(answering({"ok": 1}, headers={"x-lf-ignored": "store, user"})) as upstream:
        http, asked = reaching(upstream), call()
        asked.headers["X-LF-Ignored"] = "metadata, user"
        await http.post_json("/x", {}, asked)
        assert asked.headers == {"X-LF-Ignored": "metadata, user, store"}
        await http.aclose()


async def test_limits_that_cannot_be_a_header_of_ours_are_left_out():
    async def odd(_: Asked, peer: Peer) -> None:
        await peer.send("HTTP/1.1 200 OK\r\nx-ratelimit-note: ü\r\ncontent-length: 2\r\n\r\n{}".encode())

    async with ScriptedUpstream(odd) as upstream:
        http, asked = reaching(upstream), call()
        await http.post_json("/x", {}, asked)
        assert asked.headers == {}
        await http.aclose()
