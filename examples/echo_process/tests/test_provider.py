"""What is particular to a provider around a child process, beyond the contract."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import llamafarm
import psutil
import pytest
from fakes import FakeProgram
from llamafarm.errors import ProviderError, UpstreamError
from llamafarm.wire import ChatRequest
from llamafarm_echo_process.config import EchoEntry, endpoint
from llamafarm_echo_process.plugin import connect
from pydantic import ValidationError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def entry(*command: str, **fields) -> EchoEntry:
    own = {"command": list(command)} if command else {}
    return EchoEntry(**{"name": "bird", "provider": "echo", "model": "parrot", **own, **fields})


def hello(**fields) -> ChatRequest:
    return {"messages": [{"role": "user", "content": "Hello there."}], "model": "parrot", **fields}


@asynccontextmanager
async def asking(entry: EchoEntry) -> AsyncIterator:
    provider = connect(endpoint(entry))
    try:
        yield lambda **fields: provider.chat(hello(**fields), llamafarm.Call(entry, "r"))
    finally:
        await provider.aclose()


async def failure(entry: EchoEntry) -> ProviderError:
    async with asking(entry) as ask:
        with pytest.raises(ProviderError) as caught:
            await (await ask()).completion()
    return caught.value


async def test_the_program_that_comes_along_answers():
    async with asking(entry()) as ask:
        answer = await (await ask()).completion()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Hello there."}
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}


async def test_its_models_are_listed_and_described():
    provider = connect(endpoint(entry()))
    assert [info.id for info in await provider.list_models()] == ["parrot", "shout"]
    assert (await provider.describe("shout")).context_length == 1000


async def test_tokens_arrive_while_the_program_is_still_at_work(tmp_path: Path):
    program = FakeProgram(tmp_path, 'say(token="Hello "), time.sleep(600)')
    async with asking(entry(*program.command)) as ask:
        reply = await ask(stream=True)
        first = await anext(reply.chunks())
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": "Hello "}
        assert program.running()
        await reply.aclose()


async def test_closing_also_kills_what_the_program_has_started(tmp_path: Path):
    child = "import time; time.sleep(600)"
    code = (
        f"import subprocess; child = subprocess.Popen([sys.executable, '-c', {child!r}])\nsay(token=str(child.pid))\n"
    )
    program = FakeProgram(tmp_path, code + "time.sleep(600)")
    async with asking(entry(*program.command)) as ask:
        reply = await ask(stream=True)
        first = await anext(reply.chunks())
        await reply.aclose()
    assert not program.running()
    assert await ended(int(first["choices"][0]["delta"]["content"]))


async def test_a_program_that_writes_faster_than_anybody_reads_is_killed_too(tmp_path: Path):
    program = FakeProgram(tmp_path, "while True: say(token='x' * 1000)")
    async with asking(entry(*program.command)) as ask:
        reply = await ask(stream=True)
        await reply.aclose()
    assert not program.running()


async def test_another_task_can_close_a_reply_that_waits(tmp_path: Path):
    program = FakeProgram(tmp_path, 'say(token="Hello "), time.sleep(600)')
    async with asking(entry(*program.command)) as ask:
        reply = await ask(stream=True)
        reading = asyncio.create_task(reply.completion())
        await asyncio.sleep(0)
        await reply.aclose()
        assert not program.running()
        with pytest.raises(UpstreamError):
            await reading


async def test_closing_the_provider_ends_all_runs(tmp_path: Path):
    program = FakeProgram(tmp_path, 'say(token="Hello "), time.sleep(600)')
    async with asking(entry(*program.command)) as ask:
        await asyncio.gather(*(ask(stream=True) for _ in range(3)))
        assert len(program.running()) == 3
    assert not program.running()


async def test_a_program_that_is_not_there_is_named():
    error = await failure(entry("no-such-program", "--fast"))
    assert "Cannot start the program of echo, no-such-program --fast: No such file or directory" in error.message
    assert "`command` of the model entry" in (error.hint or "")


async def test_a_program_that_fails_is_quoted():
    error = await failure(entry(sys.executable, "-c", "import sys; sys.exit('The disk is full.')"))
    assert (
        error.message == "The program of echo ended with exit code 1 before its answer was complete: The disk is full."
    )
    assert "Run it by hand" in (error.hint or "")


async def test_a_program_that_was_killed_is_told_from_one_that_failed(tmp_path: Path):
    error = await failure(entry(*FakeProgram(tmp_path, "os.kill(os.getpid(), 9)").command))
    assert "was killed by signal 9" in error.message


@pytest.mark.parametrize("line", ["Hello!", "[]", '{"tokn": "Hello"}', '{"end": "moo"}'])
async def test_a_line_that_says_nothing_known_is_shown(line: str):
    error = await failure(entry(sys.executable, "-c", f"print('''{line}''')"))
    assert "says nothing known" in error.message
    assert "`command` of the model entry" in (error.hint or "")


async def test_a_program_that_talks_much_on_stderr_does_not_stop(tmp_path: Path):
    program = FakeProgram(tmp_path, "sys.stderr.write('x' * 1000000)\nsay(token='Hi'), say(end='stop')")
    async with asking(entry(*program.command)) as ask:
        assert (await (await ask()).completion())["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize("field", [{"base_url": "http://127.0.0.1"}, {"api_key": "k"}, {"command": []}])
def test_an_entry_says_nothing_that_has_no_effect(field: dict):
    with pytest.raises(ValidationError, match=next(iter(field))):
        entry(**field)


async def ended(pid: int) -> bool:
    """Whether a process that was killed ends: the system may take a moment for one that is not our child."""
    for _ in range(400):
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
