"""A runtime whose processes are killed while it is asked: what becomes of each request, and how soon the next works."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

BOUND = 90.0
"""Seconds that a request, or a recovery, may take at most."""
PAUSE = 0.05
Role = Literal["host", "store", "server"]
ROLES: tuple[Role, ...] = ("host", "store", "server")
KINDS = {"chat": 3, "stream": 3, "embeddings": 3, "load": 1}
"""The kinds of requests, and how often they come beside each other."""
ANSWERED = "answered"
LOST = "connection lost"
ENVELOPE = {"message", "type", "param", "code"}


@dataclass(frozen=True)
class Outcome:
    """How one request ended. result: ANSWERED, LOST, the code of a proper error, or what is broken.

    began, ended: on the clock of `time.monotonic`.
    """

    kind: str
    began: float
    ended: float
    result: str
    broken: bool = False


@dataclass(frozen=True)
class Kill:
    role: Role
    at: float


@dataclass
class Outage:
    """When the server was killed, and when it listened again."""

    began: float
    ended: float = math.inf


class Broken(Exception):
    """An answer that is neither right nor a proper error."""


class Service:
    """The process of a server, which is started again whenever it has ended. log: what its processes say."""

    def __init__(self, program: list[str], log: Path, environ: dict[str, str]) -> None:
        self._program = program
        self._log = log
        self._environ = {**os.environ, **environ}
        self._outages: list[Outage] = []
        self._stopping = False
        self.port = _free_port()
        self.known: set[psutil.Process] = set()
        """All processes that have been seen."""
        self._process = self._launch()
        self._wait_until_it_listens()
        self._watch = threading.Thread(target=self._keep_running)
        self._watch.start()

    def was_out(self, began: float, ended: float) -> bool:
        """Whether the server had been killed, and was not back yet, at some time in between."""
        return any(outage.began <= ended and began <= outage.ended for outage in self._outages)

    def find(self, role: Role) -> psutil.Process | None:
        """The process that plays a role; None where there is none at the moment."""
        server = psutil.Process(self._process.pid)
        if role == "server":
            return server
        with contextlib.suppress(psutil.Error):
            children = server.children()
            self.known.update(children)
            names = (f"lf-{role}", f"lf-scripted_{role}"[:15])
            return next((child for child in children if child.name() in names), None)
        return None

    def kill(self, role: Role) -> Kill | None:
        """Kill the process of a role, if there is one."""
        process = self.find(role)
        if process is None:
            return None
        at = time.monotonic()
        if role == "server":
            self._outages.append(Outage(at))
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
        return Kill(role, at)

    def close(self) -> list[psutil.Process]:
        """End it. Returns the processes that it has left behind."""
        self._stopping = True
        self._process.terminate()
        self._watch.join()
        _, alive = psutil.wait_procs(self.known, timeout=15)
        return list(alive)

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, *self._program, "--port", str(self.port)]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=self._environ)

    def _keep_running(self) -> None:
        self._process.wait()
        while not self._stopping:
            self._process = self._launch()
            if self._wait_until_it_listens() and self._outages:
                self._outages[-1].ended = time.monotonic()
            self._process.wait()

    def _wait_until_it_listens(self) -> bool:
        """False: it has ended before."""
        while self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
            time.sleep(PAUSE)
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Asking:
    """One client's requests, and what they must give. text, embedder: names of models."""

    def __init__(self, port: int, text: str, embedder: str) -> None:
        self._port = port
        self._text = text
        self._embedder = embedder
        self._right: dict[str, Any] = {}

    def learn(self) -> None:
        """Take what the models say now for right. Raises Broken."""
        self._right = {"chat": self._chat(stream=False), "embeddings": self._embeddings()}

    def ask(self, kind: str, chance: random.Random) -> None:
        """Raises Broken for a wrong answer, Refused for a proper error, OSError and HTTPException for lost ones."""
        match kind:
            case "chat" | "stream":
                self._compare("chat", self._chat(stream=kind == "stream"))
            case "embeddings":
                self._compare("embeddings", self._embeddings())
            case "load":
                self._load(chance.choice([self._text, self._embedder]))

    def _compare(self, kind: str, answer: Any) -> None:
        right = self._right[kind]
        if answer != (right if kind == "chat" else pytest.approx(right, abs=1e-4)):
            raise Broken(f"another answer to {kind} than before: {answer!r:.200}")

    def _chat(self, *, stream: bool) -> str:
        said = [{"role": "user", "content": "hello"}]
        body = {"model": self._text, "messages": said, "max_tokens": 24, "temperature": 0, "stream": stream}
        answer = self._post("/v1/chat/completions", body)
        if stream:
            return _streamed(answer)
        text: str = json.loads(answer)["choices"][0]["message"]["content"]
        return text

    def _embeddings(self) -> list[float]:
        answer = json.loads(self._post("/v1/embeddings", {"model": self._embedder, "input": "hello"}))
        vector: list[float] = answer["data"][0]["embedding"]
        return vector

    def _load(self, model: str) -> None:
        """Load it anew."""
        try:
            self._post("/v1/models/unload", {"model": model})
        except Refused as refused:
            if refused.code != "model_not_found":
                raise
        self._post("/v1/models/load", {"id": model})

    def _post(self, path: str, body: object) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=BOUND)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise _error(answer.status, content)
        return content


class Refused(Exception):
    """A proper error. code: its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _error(status: int, content: bytes) -> Exception:
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError):
        return Broken(f"{status} without an error: {content[:200]!r}")
    if set(error) != ENVELOPE or not error["message"] or not error["code"] or status == 500:
        return Broken(f"{status}: {error}")
    return Refused(error["code"])


def _streamed(content: bytes) -> str:
    lines = content.removesuffix(b"data: [DONE]\n\n").decode().split("\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    if events and "error" in events[-1]:
        raise _error(503, json.dumps(events[-1]).encode())
    if not content.endswith(b"data: [DONE]\n\n"):
        raise Broken(f"a stream without an end: {content[-200:]!r}")
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])


@dataclass
class Chaos:
    """Clients that ask all the time, and kills in between."""

    service: Service
    asking: Asking
    seed: int
    outcomes: list[Outcome] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def clients(self, count: int) -> Iterator[None]:
        """So many clients, asking at once."""
        threads = [threading.Thread(target=self._client, args=(random.Random(self.seed + i),)) for i in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def run(self, kills: int, *, impatient: float) -> None:
        """Kill so many processes, each role as often. impatient: share of kills after which it is not waited."""
        chance = random.Random(self.seed)
        roles = [ROLES[number % len(ROLES)] for number in range(kills)]
        chance.shuffle(roles)
        for role in roles:
            self.kills.append(self._kill(role))
            if chance.random() >= impatient:
                self.wait_for_success()
            time.sleep(chance.uniform(0, 1))

    def wait_for_success(self) -> None:
        """Until each kind of request has been answered that began after the last kill."""
        last = self.kills[-1].at
        end = time.monotonic() + BOUND
        while kinds := set(KINDS) - {one.kind for one in self.outcomes if one.result == ANSWERED and one.began > last}:
            if time.monotonic() > end:
                raise AssertionError(f"after a kill of the {self.kills[-1].role}, never answered again: {kinds}")
            time.sleep(PAUSE)

    @property
    def broken(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.broken]

    def recovery(self, role: Role) -> list[float]:
        """For each kill of a role: seconds until a request was answered that had begun after it."""
        answered = [outcome for outcome in list(self.outcomes) if outcome.result == ANSWERED]
        kills = [kill.at for kill in self.kills if kill.role == role]
        return [min(outcome.ended - at for outcome in answered if outcome.began > at) for at in kills]

    def _kill(self, role: Role) -> Kill:
        end = time.monotonic() + BOUND
        while (kill := self.service.kill(role)) is None:
            assert time.monotonic() < end, f"there is no {role}"
            time.sleep(PAUSE)
        return kill

    def _client(self, chance: random.Random) -> None:
        while not self._stop.is_set():
            outcome = self._ask(*chance.choices(list(KINDS), list(KINDS.values())), chance)
            self.outcomes.append(outcome)
            if outcome.result != ANSWERED:
                time.sleep(PAUSE)

    def _ask(self, kind: str, chance: random.Random) -> Outcome:
        began = time.monotonic()
        result, broken = ANSWERED, False
        try:
            self.asking.ask(kind, chance)
        except Refused as refused:
            result = refused.code
        except TimeoutError:
            result, broken = f"no answer within {BOUND:g} s", True
        except (OSError, http.client.HTTPException) as error:
            result = LOST
            if not self.service.was_out(began, time.monotonic()):
                result, broken = f"{LOST}: {error!r}", True
        except (Broken, ValueError, KeyError, IndexError) as error:
            result, broken = f"{error!r}", True
        return Outcome(kind, began, time.monotonic(), result, broken)
