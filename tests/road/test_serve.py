"""`lf serve` in front of a real runtime, asked by the official client and by hand."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from commands import BOUND, Served
from counting_model import CONTEXT, counted
from farms import Farm

COUNT = [{"role": "user", "content": "Count"}]


def client_of(base_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=BOUND)


@pytest.fixture(params=["/v1", "/v1/projects/default/road"])
def client(request: pytest.FixtureRequest, api: str) -> Iterator[openai.OpenAI]:
    """The official client on both base URLs."""
    with client_of(api + request.param) as made:
        yield made


@pytest.fixture
def http(api: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{api}/v1", timeout=BOUND) as made:
        yield made


def test_the_official_client_gets_the_same_answer_streamed_or_not(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="counting", messages=COUNT, max_tokens=12)
    stream = client.chat.completions.create(
        model="counting", messages=COUNT, max_tokens=12, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    assert whole.choices[0].message.content == counted(12)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == counted(12)
    told = chunks[-1].usage
    assert (told.prompt_tokens, told.total_tokens) == (whole.usage.prompt_tokens, whole.usage.total_tokens)
    assert told.prompt_tokens_details.cached_tokens == (told.prompt_tokens - 1) // 16 * 16, "its blocks, from before"
    assert (whole.usage.completion_tokens, whole.choices[0].finish_reason) == (12, "length")


def test_the_official_client_lists_completes_and_embeds(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {
        "counting", "brief", "minilm", "demo", "demo-with-tools", "weather", "tickets", "absent",
    }  # fmt: skip
    assert client.completions.create(model="counting", prompt="ten", max_tokens=2).choices[0].text.split()[-1] == "two"
    vectors = client.embeddings.create(model="minilm", input=["A cat sleeps.", "A kitten is asleep.", "Tax law"])
    cat, kitten, law = (item.embedding for item in vectors.data)
    assert len(cat) == 384
    assert dot(cat, kitten) > dot(cat, law) + 0.3


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_parameters_of_the_request_win_over_the_configuration_and_both_reach_the_runtime(http: httpx.Client) -> None:
    configured = ask(http, model="brief")
    requested = ask(http, model="brief", max_tokens=5)
    both = ask(http, model="brief", stop=" three", max_tokens=None)

    assert text(configured) == counted(3)
    assert text(requested) == counted(5)
    assert (text(both), both.json()["choices"][0]["finish_reason"]) == (counted(2), "stop")


@pytest.mark.parametrize("wrong", [-1, 0, 1.5, "many", True])
def test_a_wrong_max_tokens_is_a_400_that_names_it(http: httpx.Client, wrong: object) -> None:
    answered = http.post("/chat/completions", json={"model": "counting", "messages": COUNT, "max_tokens": wrong})

    assert answered.status_code == 400
    error = answered.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "max_tokens")
    assert "max_tokens" in error["message"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_that_is_too_long_is_a_400_with_both_lengths_and_the_next_one_is_answered(
    http: httpx.Client, stream: bool
) -> None:
    long = [{"role": "user", "content": "one " * (CONTEXT + 10)}]

    answered = http.post("/chat/completions", json={"model": "counting", "messages": long, "stream": stream})

    assert answered.status_code == 400
    error = answered.json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert f"the model can take {CONTEXT:,}" in error["message"]
    assert text(ask(http, model="brief")) == counted(3)


def test_a_model_that_is_neither_here_nor_reachable_is_a_404(http: httpx.Client) -> None:
    answered = http.post("/chat/completions", json={"model": "absent", "messages": COUNT, "stream": True})

    assert answered.status_code == 404
    assert "is not on this machine, and http://127.0.0.1:9 cannot be reached" in answered.json()["error"]["message"]


def test_two_streams_interleave_and_the_short_one_ends_first(api: str) -> None:
    both_run = threading.Barrier(2, timeout=BOUND)
    ended: list[str] = []

    def stream(name: str, tokens: int) -> list[str]:
        pieces = []
        with client_of(f"{api}/v1") as client:
            answer = client.chat.completions.create(model="counting", messages=COUNT, max_tokens=tokens, stream=True)
            for chunk in answer:
                if not pieces:
                    both_run.wait()  # each has begun before either goes on
                pieces.append(chunk.choices[0].delta.content or "")
        ended.append(name)
        return pieces

    with ThreadPoolExecutor(2) as pool:
        long, short = pool.submit(stream, "long", 500), pool.submit(stream, "short", 20)
        assert "".join(short.result()) == counted(20)
        assert "".join(long.result()) == counted(500)
    assert ended == ["short", "long"]


def test_a_session_goes_on_after_the_server_was_started_again(shared: Farm) -> None:
    with Served(shared) as root:
        first = httpx.post(**question(root, "Count", "new"))
        session = first.headers["x-session-id"]
    with Served(shared) as root:
        second = httpx.post(**question(root, "Go on", session))
        kept = httpx.get(f"{root}/v1/chat/sessions/{session}/history", timeout=BOUND).json()

    assert second.headers["x-session-id"] == session
    assert second.json()["usage"]["prompt_tokens"] > first.json()["usage"]["prompt_tokens"]
    told = [message["content"] for message in kept["messages"]]
    assert told == ["Count", counted(3), "Go on", counted(3)]


def question(root: str, said: str, session: str) -> dict:
    messages = [{"role": "user", "content": said}]
    return {
        "url": f"{root}/v1/chat/completions",
        "json": {"model": "brief", "messages": messages},
        "headers": {"X-Session-ID": session},
        "timeout": BOUND,
    }


def test_a_client_that_goes_away_frees_the_slot(api: str, shared: Farm) -> None:
    with client_of(f"{api}/v1") as client:
        answer = client.chat.completions.create(model="counting", messages=COUNT, stream=True)
        next(iter(answer))
        answer.close()

    assert shared.lf("chat", "Count", "--model", "brief").stdout == counted(3) + "\n"


def test_sigterm_lets_a_running_answer_end_and_then_stops(shared: Farm) -> None:
    serve = Served(shared)
    with serve as root, client_of(f"{root}/v1") as client:
        answer = client.chat.completions.create(model="counting", messages=COUNT, max_tokens=400, stream=True)
        pieces = [next(iter(answer)).choices[0].delta.content or ""]

        serve.command.process.send_signal(signal.SIGTERM)

        pieces += [chunk.choices[0].delta.content or "" for chunk in answer]
        assert "".join(pieces) == counted(400)
        assert serve.command.end() == 0
        assert "Traceback" not in serve.command.stderr


def test_a_port_that_is_in_use_is_said_with_the_way_on(shared: Farm) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shared.lf("serve", "--port", str(port))

    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr


def test_an_address_that_others_can_reach_needs_a_key(shared: Farm) -> None:
    done = shared.lf("serve", "--host", "0.0.0.0", "--port", "0")

    assert done.returncode == 1
    assert "LF_API_KEY" in done.stderr
    assert "listens" not in done.stderr


def test_chat_through_a_server_says_the_same(api: str, shared: Farm) -> None:
    done = shared.lf("chat", "Count", "--model", "brief", "--server-url", api)

    assert (done.returncode, done.stdout) == (0, counted(3) + "\n")


def ask(http: httpx.Client, **fields: object) -> httpx.Response:
    return http.post("/chat/completions", json={"messages": COUNT, **fields})


def text(answered: httpx.Response) -> str:
    assert answered.status_code == 200, answered.text
    return answered.json()["choices"][0]["message"]["content"]
