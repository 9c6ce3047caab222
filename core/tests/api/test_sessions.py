"""Conversations over HTTP: stateless without a header, kept with one, listed, read, deleted, and one turn at a time."""

from __future__ import annotations

import threading

import httpx
import pytest
from llamafarm_kit.testing.scripted import ScriptedProvider, ScriptedReply

HI = {"role": "user", "content": "Hi"}


def ask(server, session: str | None = None, *messages, stream: bool = False, prefix: str = "") -> httpx.Response:
    headers = {} if session is None else {"x-session-id": session}
    body = {"messages": list(messages) or [HI], "stream": stream}
    return httpx.post(f"{server.url}{prefix}/chat/completions", json=body, headers=headers)


def test_without_a_header_nothing_is_kept(serve):
    server = serve()
    answer = ask(server)
    assert "x-session-id" not in answer.headers
    assert httpx.get(f"{server.url}/chat/sessions").json()["data"] == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prefix", ["", "/projects/default/shop"])
def test_a_conversation_goes_on_across_a_restart_with_the_new_messages_only(serve, stream, prefix):
    first = ask(serve(ScriptedProvider("Hello.")), "new", stream=stream, prefix=prefix)
    key = first.headers["x-session-id"]
    provider = ScriptedProvider("Fine.")
    again = {"role": "user", "content": "How are you?"}
    server = serve(provider)
    second = ask(server, key, again, stream=stream, prefix=prefix)
    assert second.headers["x-session-id"] == key
    said = [HI, {"role": "assistant", "content": "Hello."}, again]
    assert provider.requests[0]["messages"] == said
    history = httpx.get(f"{server.url}{prefix}/chat/sessions/{key}/history").json()
    assert history == {"id": key, "messages": [*said, {"role": "assistant", "content": "Fine."}]}


def test_the_next_turn_of_a_streamed_conversation_never_comes_too_early(serve):
    server = serve(ScriptedProvider("Hello."))
    key = ask(server, "new", stream=True).headers["x-session-id"]
    for turn in range(10):
        assert ask(server, key, stream=True).status_code == 200, turn
    assert len(httpx.get(f"{server.url}/chat/sessions/{key}/history").json()["messages"]) == 22


def test_sessions_are_listed_and_deleted(serve):
    server = serve()
    one = ask(server, "new").headers["x-session-id"]
    two = ask(server, "new", {"role": "user", "content": "Second"}).headers["x-session-id"]
    rows = httpx.get(f"{server.url}/chat/sessions").json()["data"]
    assert [(row["id"], row["title"], row["count"]) for row in rows] == [(two, "Second", 2), (one, "Hi", 2)]
    assert httpx.delete(f"{server.url}/chat/sessions/{one}").json()["deleted"] is True
    assert httpx.get(f"{server.url}/chat/sessions/{one}/history").status_code == 404
    assert httpx.delete(f"{server.url}/chat/sessions").json()["count"] == 1
    assert httpx.get(f"{server.url}/chat/sessions").json()["data"] == []


@pytest.mark.parametrize("session", ["nothing", "", "' OR 1=1 --", "x" * 5000])
def test_a_session_that_does_not_exist_is_a_404(serve, session):
    answer = ask(serve(), session)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "session_not_found")


def test_two_writers_at_once_are_a_409_for_the_second(serve):
    gate = threading.Event()
    server = serve(ScriptedProvider("Hello.", ScriptedReply("Slow answer.", gate=gate)))
    other = serve(ScriptedProvider("Fine."))
    key = ask(server, "new").headers["x-session-id"]
    with httpx.Client() as client:
        body = {"messages": [HI], "stream": True}
        url = f"{server.url}/chat/completions"
        with client.stream("POST", url, json=body, headers={"x-session-id": key}) as running:
            lines = running.iter_lines()
            next(lines)
            for second in (server, other):
                refused = ask(second, key)
                assert (refused.status_code, refused.json()["error"]["code"]) == (409, "session_busy")
            assert httpx.delete(f"{server.url}/chat/sessions/{key}").status_code == 409
            gate.set()
            assert list(lines)[-2] == "data: [DONE]"
    assert ask(other, key).status_code == 200


def test_a_client_that_goes_away_leaves_its_session_as_it_was(serve):
    server = serve(ScriptedProvider("Hello.", ScriptedReply("Slow answer.", gate=threading.Event()), "Fine."))
    key = ask(server, "new").headers["x-session-id"]
    with httpx.Client() as client:
        body = {"messages": [{"role": "user", "content": "Lost"}], "stream": True}
        url = f"{server.url}/chat/completions"
        with client.stream("POST", url, json=body, headers={"x-session-id": key}) as running:
            next(running.iter_lines())
    assert ask(server, key, {"role": "user", "content": "Again"}).status_code == 200
    messages = httpx.get(f"{server.url}/chat/sessions/{key}/history").json()["messages"]
    assert [message["content"] for message in messages] == ["Hi", "Hello.", "Again", "Fine."]


def test_a_refused_first_turn_leaves_no_session(serve):
    from llamafarm.errors import UpstreamError

    server = serve(ScriptedProvider(UpstreamError("no")))
    assert ask(server, "new").status_code == 502
    assert httpx.get(f"{server.url}/chat/sessions").json()["data"] == []


def test_embeddings_have_no_session(serve):
    server = serve()
    answer = httpx.post(f"{server.url}/embeddings", json={"input": "x"}, headers={"x-session-id": "new"})
    assert answer.status_code == 400
