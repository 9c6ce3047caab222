"""Requests wait for their model in turns, and whoever does not read what it gets holds up nobody."""

from __future__ import annotations

import json
import socket
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.server.queue import Load
from llamafarm_universal.server.settings import Settings
from runtime_servers import BOUND, Running, serving, wait_until
from scripted_host import FLOOD

CHAT = "/v1/chat/completions"


class Client:
    """A connection that has sent one request, and reads the answer when it is told to."""

    def __init__(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        host, port = url.removeprefix("http://").split(":")
        told = {"Host": host, "Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(BOUND)
        self.socket.connect((host, int(port)))
        self.socket.sendall(f"POST {CHAT} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode() + content)

    def read(self) -> str:
        """The whole answer."""
        with self.socket, self.socket.makefile("rb") as answer:
            return answer.read().decode()

    def status(self) -> int:
        return int(self.read().split()[1])

    def go(self) -> None:
        self.socket.close()


class Narrow:
    """A server that lets each model run so many answers at once, and its clients."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.clients: list[Client] = []

    def ask(
        self, text: str, model: str = "echo/model", headers: Mapping[str, str] | None = None, **fields: object
    ) -> Client:
        content = json.dumps(body(text, model, **fields)).encode()
        self.clients.append(Client(self.server.url, content, headers or {}))
        return self.clients[-1]

    def hold(self, model: str = "echo/model") -> Client:
        """Take the only place of a model, until the client goes."""
        client = self.ask("a|<hang>", model, stream=True)
        client.socket.recv(1000)
        return client

    def queue(self, *arguments: Any, **fields: Any) -> Client:
        """A request that waits by the time that this returns."""
        before = self.waiting
        client = self.ask(*arguments, **fields)
        wait_until(lambda: self.waiting > before, "it waits")
        return client

    @property
    def waiting(self) -> int:
        return sum(load.waiting for load in self.loads.values())

    @property
    def loads(self) -> dict[Hashable, Load]:
        return dict(self.server.runtime.queue)

    @property
    def stalled(self) -> int:
        """How many clients have not read what was sent to them."""
        connections: Any = list(self.server.server.server_state.connections)
        return sum(connection.transport.get_write_buffer_size() > 0 for connection in connections)

    def log(self) -> list[dict[str, str]]:
        """What the host was asked."""
        log: list[dict[str, str]] = json.loads(self.server.chat("<log>").json()["choices"][0]["message"]["content"])
        return log

    def order(self, answers: Mapping[str, str]) -> list[str]:
        """The names of answers in the order in which the host was asked for them."""
        names = {f"{id_of(answer)}-0": name for name, answer in answers.items()}
        asked = [row["request_id"] for row in self.log() if row["command"] == "Generate"]
        return [names[request_id] for request_id in asked if request_id in names]


@contextmanager
def narrow(at_once: int = 1, **settings: Any) -> Iterator[Narrow]:
    with serving(Settings(options=HostOptions(max_sequences=at_once), **settings)) as server:
        (listening,) = server.server.servers
        listening.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so will those of its connections
        made = Narrow(server)
        try:
            yield made
        finally:
            for client in made.clients:
                client.go()


def body(text: str, model: str = "echo/model", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def id_of(answer: str) -> str:
    return answer.lower().partition("x-lf-request-id: ")[2].partition("\r\n")[0]


def test_two_thousand_wait_half_of_them_never_read_and_the_others_are_served():
    with narrow(at_once=32) as narrowed:
        clients = [narrowed.ask("<flood>" if i % 2 else "a|b", stream=True) for i in range(2000)]
        for client in clients[::2]:
            assert client.read().endswith("data: [DONE]\n\n\r\n0\r\n\r\n")
        wait_until(lambda: narrowed.loads == {}, "nobody who does not read holds a place")
        wait_until(lambda: narrowed.stalled == 1000, "what half of them got waits to be read")


def test_tenants_take_turns():
    with narrow() as narrowed:
        held = narrowed.hold()
        asked = [("a1", "A"), ("a2", "A"), ("a3", "A"), ("b1", "B"), ("b2", "B")]
        clients = {name: narrowed.queue(name, headers={"X-LF-Tenant": tenant}) for name, tenant in asked}
        held.go()
        answers = {name: client.read() for name, client in clients.items()}
        assert narrowed.order(answers) == ["a1", "b1", "a2", "b2", "a3"]


def test_those_with_other_keys_are_other_tenants():
    with narrow() as narrowed:
        held = narrowed.hold()
        asked = [("a1", "one"), ("a2", "one"), ("b1", "two")]
        clients = {name: narrowed.queue(name, headers={"Authorization": f"Bearer {key}"}) for name, key in asked}
        held.go()
        answers = {name: client.read() for name, client in clients.items()}
        assert narrowed.order(answers) == ["a1", "b1", "a2"]


def test_models_do_not_wait_for_each_other():
    with narrow() as narrowed:
        held = narrowed.hold("echo/one")
        late = [narrowed.queue("a", "echo/one") for _ in range(20)]
        assert narrowed.server.chat("a", model="echo/other").status_code == 200
        assert narrowed.server.http.post("/v1/embeddings", json={"model": "echo/one", "input": "a"}).status_code == 200
        held.go()
        assert [client.status() for client in late] == [200] * 20


def test_a_model_says_how_busy_it_is():
    with narrow() as narrowed:
        held = narrowed.hold()
        late = narrowed.queue("a", n=2)
        (row,) = narrowed.server.http.get("/v1/models").json()["data"]
        assert row["queue"] == {"running": 1, "waiting": 2}
        held.go()
        assert late.status() == 200
        assert narrowed.server.http.get("/v1/models/echo/model").json()["queue"] == {"running": 0, "waiting": 0}


class TestDeadlines:
    def test_whoever_is_not_served_by_then_is_told_so(self):
        with narrow() as narrowed:
            held = narrowed.hold()
            response = narrowed.server.http.post(CHAT, json=body("a"), headers={"X-LF-Deadline": "0.05"})
            assert response.status_code == 504
            error = response.json()["error"]
            assert (error["code"], error["type"]) == ("deadline_passed", "timeout_error")
            assert error["message"].startswith("The model is busy: the request waited for its turn for 0.")
            held.go()

    def test_whoever_is_served_by_then_is_answered(self, shared):
        shared.chat("the model is loaded by now")
        for seconds in ("0", "1e9", "30", "-1"):
            response = shared.http.post(CHAT, json=body("a"), headers={"X-LF-Deadline": seconds})
            assert response.status_code == 200

    def test_whoever_waits_for_a_model_that_loads_is_told_so(self, shared):
        response = shared.http.post(CHAT, json=body("a", "hang/load"), headers={"X-LF-Deadline": "0.05"})
        assert (response.status_code, response.json()["error"]["code"]) == (504, "deadline_passed")
        assert response.json()["error"]["message"].startswith("The model was not loaded by the deadline of the request")
        assert list(shared.runtime.queue) == []

    def test_the_engine_host_is_told_it_and_the_tenant(self, shared):
        headers = {"X-LF-Deadline": "1000", "X-LF-Tenant": "shop"}
        response = shared.http.post(CHAT, json=body("<show>"), headers=headers)
        command = json.loads(response.json()["choices"][0]["message"]["content"])
        assert command["tenant"] == "shop"
        assert command["deadline"] > 0

    @pytest.mark.parametrize("seconds", ["soon", "nan", ""])
    def test_one_that_makes_no_sense_is_named(self, shared, seconds):
        response = shared.http.post(CHAT, json=body("a"), headers={"X-LF-Deadline": seconds})
        assert (response.status_code, response.json()["error"]["param"]) == (400, "X-LF-Deadline")


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_goes_while_it_waits_leaves_at_once(stream):
    with narrow() as narrowed:
        held = narrowed.hold()
        gone = narrowed.queue("a", stream=stream)
        gone.go()
        wait_until(lambda: narrowed.waiting == 0, "it has left")
        held.go()
        assert narrowed.server.chat("a").status_code == 200


def test_a_full_queue_says_when_to_come_back_and_by_then_there_is_room():
    with narrow(max_requests=3) as narrowed:
        for _ in range(10):
            narrowed.server.chat("a")
        held = narrowed.hold()
        late = [narrowed.queue("a") for _ in range(2)]
        refused = narrowed.server.chat("a")
        assert refused.status_code == 429
        assert refused.json()["error"]["message"].startswith(
            "The model is busy: 1 answers are running and 2 are waiting."
        )
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        held.go()
        assert [client.status() for client in late] == [200, 200]
        assert narrowed.server.chat("a").status_code == 200


def test_a_tenant_that_fills_the_queue_makes_room_for_another():
    with narrow(max_requests=3) as narrowed:
        held = narrowed.hold()
        flood = [narrowed.queue("a", headers={"X-LF-Tenant": "flood"}) for _ in range(2)]
        other = narrowed.ask("a", headers={"X-LF-Tenant": "other"})
        assert flood[1].status() == 429
        held.go()
        assert (flood[0].status(), other.status()) == (200, 200)


class TestReaders:
    """Who does not read what it gets."""

    @pytest.mark.parametrize("stream", [False, True])
    def test_its_place_ends_with_the_work(self, stream):
        with narrow() as narrowed:
            slow = narrowed.ask("<flood>|<flood>", stream=stream)
            assert narrowed.server.chat("a").status_code == 200
            assert narrowed.loads == {}
            answer = slow.read()
            assert answer.count("x" * (FLOOD // 8)) == 16
            assert "error" not in answer

    def test_an_answer_that_nobody_reads_is_ended_and_says_so(self):
        with narrow() as narrowed:
            slow = narrowed.ask("|".join(["<flood>"] * 40 + ["<hang>"]), stream=True)
            assert narrowed.server.chat("a").status_code == 200, "it waits until the other one has been ended"
            last = slow.read().split("data: ")[-1]
            error = json.loads(last.partition("\n\n")[0])["error"]
            assert error["code"] == "answer_not_read"
            assert error["message"].startswith("The answer was ended, because nobody read it: ")
            assert [row["command"] for row in narrowed.log()].count("Cancel") == 1

    def test_one_that_is_read_slowly_comes_whole(self):
        with narrow() as narrowed:
            slow = narrowed.ask("|".join(["<flood>"] * 20), stream=True)
            assert narrowed.server.chat("a").status_code == 200
            answer = slow.read()
            assert answer.count("x" * (FLOOD // 8)) == 160
            assert "[DONE]" in answer
