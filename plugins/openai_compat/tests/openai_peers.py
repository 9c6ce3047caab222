"""Real servers as processes on ports of their own, a provider for each, and our own API in front of an entry."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.gateway import Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm.providers.base import Call
from llamafarm.providers.reply import Reply
from llamafarm.web.server import Server
from llamafarm_kit.testing.served import served
from llamafarm_openai_compat.config import OpenAIEntry, endpoint
from llamafarm_openai_compat.provider import OpenAIProvider

STARTING = 90.0
"""Seconds that a server may take to start: a bound against hanging, never a measurement."""
ENDING = 20.0
BOUND = 30.0
"""Seconds that any wait of a test may last."""
ALONE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_ENDPOINT": "http://127.0.0.1:9",  # nothing listens there
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class RealServer:
    """base_url: ends in `/v1`."""

    process: subprocess.Popen[bytes]
    base_url: str

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(ENDING)


@contextmanager
def running(folder: Path, *command: str, says: str, **environ: str) -> Iterator[RealServer]:
    """Run a server until the end of the block. says: what its log says before its address."""
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ALONE, "HF_HOME": str(folder / "hub"), **environ},
        )
    try:
        yield RealServer(process, _address(process, log, re.compile(re.escape(says) + r" (http://[\d.]+:\d+)")) + "/v1")
    finally:
        process.terminate()
        try:
            process.wait(ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(ENDING)


def _address(process: subprocess.Popen[bytes], log: Path, pattern: re.Pattern[str]) -> str:
    end = time.monotonic() + STARTING
    while True:
        text = log.read_text(errors="replace")
        if found := pattern.search(text):
            return found[1]
        assert process.poll() is None, f"the server has ended: {text}"
        assert time.monotonic() < end, f"the server does not start: {text}"
        time.sleep(0.05)


class Client:
    """The provider `openai` and an entry that leads to a real server. headers: the last call's, for the client."""

    def __init__(self, base_url: str, model: str, **more: Any) -> None:
        self.entry = OpenAIEntry(name="real", provider="openai", model=model, base_url=base_url, **more)
        self.provider = OpenAIProvider(endpoint(self.entry))
        self.headers: dict[str, str] = {}

    def call(self) -> Call:
        call = Call(entry=self.entry, request_id="req-1")
        self.headers = call.headers
        return call

    async def chat(self, text: str, **more: Any) -> Reply:
        """The reply to one message, at temperature 0 where nothing else is said."""
        request = {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}
        return await self.provider.chat(request, self.call())

    async def said(self, text: str, **more: Any) -> str:
        """The text of the answer, streamed or not."""
        reply = await self.chat(text, **more)
        content: str = (await reply.completion())["choices"][0]["message"]["content"]
        return content

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.provider.aclose()


@asynccontextmanager
async def in_front(entry: OpenAIEntry) -> AsyncIterator[httpx.AsyncClient]:
    """A client of our own API, which serves a project with this one entry."""
    plugins = PluginManager()
    project = Project("shop", "default", None, (entry,))
    settings = Settings(Gateway(plugins), Projects(project), plugins, Limits())
    running = served(Server(create_app(settings), grace=5, announce=lambda url: None))
    url = await asyncio.to_thread(running.__enter__)
    try:
        async with httpx.AsyncClient(base_url=f"{url}/v1", timeout=30, trust_env=False) as client:
            yield client
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


def chunks_of(body: str) -> list[str]:
    """The data of the events of a stream."""
    return [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]


def texts_of(chunks: list[Mapping[str, Any]]) -> str:
    """What the chunks of a chat say together."""
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
