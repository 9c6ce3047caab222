"""A stream begins when the runtime has accepted, shows that it lives, ends clearly, and ends with its client."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager

import httpx
import openai
import pytest
from llamafarm.api.settings import Limits
from llamafarm.errors import ContextLengthExceeded, RateLimited, UpstreamError
from llamafarm.providers.base import Progress
from llamafarm.wire import sse
from llamafarm_kit.testing.scripted import ScriptedProvider, ScriptedReply

BOUND = 20.0
ASKED = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
WHOLE = {"messages": [{"role": "user", "content": "Hi"}]}


def until(condition) -> None:
    """Wait for `condition`, at most BOUND seconds."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@contextmanager
def streaming(server, body=ASKED, **headers):
    url = f"{server.url}/chat/completions"
    with httpx.Client(timeout=BOUND) as client, client.stream("POST", url, json=body, headers=headers) as answer:
        yield answer


def test_the_bytes_of_the_provider_pass_unchanged(serve):
    reply = ScriptedReply("Hello there, how are you?")

    async def expected() -> bytes:
        return b"".join([frame async for frame in ScriptedReply("Hello there, how are you?").frames()])

    with streaming(serve(ScriptedProvider(reply))) as answer:
        assert answer.read() == asyncio.run(expected())
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    until(lambda: reply.closed)


def test_each_frame_comes_when_it_is_there(serve):
    gate = threading.Event()
    with streaming(serve(ScriptedProvider(ScriptedReply("Hello there.", gate=gate)))) as answer:
        lines = answer.iter_lines()
        assert "Hello" in next(lines)
        assert not gate.is_set()
        gate.set()
        assert list(lines)[-2] == "data: [DONE]"


@pytest.mark.parametrize("body", [ASKED, WHOLE])
def test_a_refusal_of_the_runtime_is_a_status_and_never_a_broken_stream(serve, body):
    server = serve(ScriptedProvider(ContextLengthExceeded("9000 tokens, the model takes 8192.")))
    answer = httpx.post(f"{server.url}/chat/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "9000 tokens, the model takes 8192.",
        "type": "invalid_request_error",
        "code": "context_length_exceeded",
        "param": None,
    }


def test_a_rate_limit_says_when_to_come_back(serve):
    server = serve(ScriptedProvider(RateLimited("later", retry_after=2.2)))
    answer = httpx.post(f"{server.url}/chat/completions", json=WHOLE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


def test_an_error_in_a_running_stream_is_one_error_event_and_the_end(serve):
    reply = ScriptedReply("Hello there.", error=UpstreamError("The runtime ran out of memory.", hint="Free some."))
    with streaming(serve(ScriptedProvider(reply))) as answer:
        frames = answer.read().split(b"\n\n")
    assert answer.status_code == 200
    assert frames[-1] == b""
    event = sse.parse(frames[-2])
    assert event is not None
    assert '"error":{"message":"The runtime ran out of memory.\\nFree some."' in event.data
    assert b"[DONE]" not in b"".join(frames)


def test_the_official_client_raises_the_error_of_a_running_stream(serve):
    server = serve(ScriptedProvider(ScriptedReply("Hello there.", error=UpstreamError("out of memory"))))
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as api:
        stream = api.chat.completions.create(model="small", messages=WHOLE["messages"], stream=True)
        with pytest.raises(openai.APIError, match="out of memory"):
            list(stream)


def test_a_defect_in_a_running_stream_is_an_error_event_without_a_traceback(serve):
    with streaming(serve(ScriptedProvider(ScriptedReply("Hello there.", error=ZeroDivisionError("x"))))) as answer:
        text = answer.read().decode()
    assert "provider 'scripted') failed: ZeroDivisionError: x" in text
    assert "Traceback" not in text


def test_an_error_in_the_middle_of_an_answer_that_is_not_streamed_is_a_status(serve):
    server = serve(ScriptedProvider(ScriptedReply("Hello there.", error=UpstreamError("out of memory"))))
    answer = httpx.post(f"{server.url}/chat/completions", json=WHOLE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")


@pytest.mark.parametrize("before_gate", [0, 1])
def test_silence_is_filled_with_comments_also_before_the_first_frame(serve, before_gate):
    gate = threading.Event()
    reply = ScriptedReply("Hello there.", gate=gate, before_gate=before_gate)
    with streaming(serve(ScriptedProvider(reply), limits=Limits(keep_alive=0.02))) as answer:
        lines = answer.iter_lines()
        for _ in range(2 * before_gate):
            next(lines)
        assert [next(lines) for _ in range(4)] == [": keep-alive", "", ": keep-alive", ""]
        gate.set()
        words = [line for line in lines if line.startswith("data:")]
    assert words[-1] == "data: [DONE]"


def test_a_client_that_goes_away_closes_the_stream_upstream(serve):
    reply = ScriptedReply("Hello there.", gate=threading.Event())
    with streaming(serve(ScriptedProvider(reply))) as answer:
        lines = answer.iter_lines()  # closes the answer when it is thrown away
        assert "Hello" in next(lines)
        assert not reply.closed
    until(lambda: reply.closed)
    assert reply.sent == 1


def test_a_client_that_goes_away_closes_an_answer_that_is_not_streamed(serve):
    reply = ScriptedReply("Hello there.", gate=threading.Event())
    server = serve(ScriptedProvider(reply))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/chat/completions", json=WHOLE, timeout=0.3)
    until(lambda: reply.closed)


def test_a_client_that_goes_away_cancels_a_request_that_waits_for_the_runtime(serve):
    class Slow(ScriptedProvider):
        waiting = False
        cancelled = False

        async def chat(self, request, call):
            self.waiting = True
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise

    provider = Slow()
    server = serve(provider)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/chat/completions", json=ASKED, timeout=0.3)
    until(lambda: provider.waiting)
    until(lambda: provider.cancelled)


def test_a_connection_serves_the_next_request_after_a_stream(serve):
    server = serve(ScriptedProvider("Hello."))
    with httpx.Client() as client:
        for _ in range(3):
            with client.stream("POST", f"{server.url}/chat/completions", json=ASKED) as answer:
                assert answer.read().endswith(b"data: [DONE]\n\n")


def test_many_streams_at_once_do_not_mix(serve):
    class Echo(ScriptedProvider):
        async def chat(self, request, call):
            return ScriptedReply(" ".join([request["messages"][-1]["content"]] * 30))

    server = serve(Echo())

    async def ask(client: httpx.AsyncClient, word: str) -> None:
        body = {"messages": [{"role": "user", "content": word}], "stream": True}
        answer = await client.post(f"{server.url}/chat/completions", json=body)
        assert answer.text.count(word) == 30

    async def main() -> None:
        async with httpx.AsyncClient(timeout=BOUND) as client:
            await asyncio.gather(*(ask(client, f"word{number:03}x") for number in range(30)))

    asyncio.run(main())


def test_the_log_tells_each_stage_that_a_first_request_waits_for_once(serve, caplog):
    class Loading(ScriptedProvider):
        async def chat(self, request, call):
            for done in range(3):
                call.progress(Progress("downloading", "Downloading the model", done, 3))
            call.progress(Progress("loading", "Loading the model"))
            return await super().chat(request, call)

    with caplog.at_level("INFO", logger="llamafarm.api.operations"):
        httpx.post(f"{serve(Loading()).url}/chat/completions", json=WHOLE)
    texts = [record.message.rsplit(" ", 1)[0] for record in caplog.records if "operations" in record.name]
    assert texts == ["Downloading the model", "Loading the model"]


@pytest.mark.parametrize("stream", [True, False])
def test_the_trace_of_a_turn_comes_with_its_answer_where_the_header_asks_for_it(serve, stream):
    server = serve(ScriptedProvider("Hello."))
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    url = f"{server.url}/chat/completions"
    asked = httpx.post(url, json=body, headers={"X-LF-Trace": "1"})
    plain = httpx.post(url, json=body)
    assert '"llamafarm":{"trace":[{"stage":"provider"' in asked.text
    assert "llamafarm" not in plain.text


@pytest.mark.parametrize("step", [RateLimited("Later."), ScriptedReply("Hello", error=UpstreamError("Out."))])
def test_an_error_tells_the_trace_of_its_turn_beside_it_where_the_header_asks_for_it(serve, step):
    server = serve(ScriptedProvider(step))
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    told = httpx.post(f"{server.url}/chat/completions", json=body, headers={"X-LF-Trace": "1"}).text
    last = json.loads(told.rstrip().rpartition("data: ")[2])
    assert list(last) == ["error", "llamafarm"]
    assert last["llamafarm"]["trace"][0]["stage"] == "provider"
