"""Files read in a process of their own: what it says, and that nothing a file does to it reaches us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.documents.exchange import dump_job, framed
from llamafarm_rag.documents.reading import read
from llamafarm_rag.documents.worker import Reader
from llamafarm_rag.errors import UnreadableFile

pytestmark = pytest.mark.anyio
DEFAULT = ProcessingStrategy(name="default")
HANG = "import pathlib, os, time\n(pathlib.Path(__file__).parent / 'pid').write_text(str(os.getpid()))\ntime.sleep(600)"
PARENT = """
import asyncio, pathlib, sys
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.documents.worker import Reader
asyncio.run(Reader().read(pathlib.Path(sys.argv[1]), ProcessingStrategy(name="default")))
"""


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "fine.txt"
    path.write_text("Fine.")
    return path


@pytest.fixture
def guide(tmp_path):
    path = tmp_path / "guide.md"
    path.write_text("# Guide\n\nText.\n\n```\ncode\n```")
    return path


@pytest.fixture
def do_when_markdown_is_read(tmp_path, monkeypatch):
    """Has a reader's process execute code when it imports what it reads Markdown with."""

    def planted(code):
        folder = tmp_path / "planted"
        folder.mkdir()
        (folder / "markdown_it.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        return folder / "pid"

    return planted


def processes():
    return [child.pid for child in psutil.Process().children() if "worker_process" in _command_line(child)]


def _command_line(process: psutil.Process) -> str:
    """Nothing of a process that has ended and that nobody has asked about yet, as other tests may leave it."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def wait_until(is_so):
    while not is_so():
        time.sleep(0.02)


async def test_it_says_what_reading_here_says(guide, text):
    async with Reader() as reader:
        assert await reader.read(guide, DEFAULT) == read(guide, DEFAULT)
        [process] = processes()
        both = await asyncio.gather(reader.read(text, DEFAULT), reader.read(guide, DEFAULT))
        assert [document.title for document in both] == ["fine", "Guide"]
        with pytest.raises(UnreadableFile, match=r"gone\.txt cannot be opened"):
            await reader.read(text.with_name("gone.txt"), DEFAULT)
        with pytest.raises(UnreadableFile, match="max_file_bytes"):
            await reader.read(text, DEFAULT.model_copy(update={"max_file_bytes": 2}))
        assert processes() == [process]
    assert processes() == []


async def test_closing_twice_or_before_anything_was_read_does_nothing(text):
    reader = Reader()
    await reader.aclose()
    await reader.read(text, DEFAULT)
    await reader.aclose()
    await reader.aclose()


async def test_a_file_that_takes_too_long_is_unreadable(guide, do_when_markdown_is_read):
    do_when_markdown_is_read("while True: pass")
    async with Reader(seconds=0.5) as reader:
        with pytest.raises(UnreadableFile, match=r"guide\.md takes more than the 0\.5 seconds of computing"):
            await reader.read(guide, DEFAULT)


async def test_a_file_that_takes_too_much_memory_is_unreadable(tmp_path, text):
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(400 * 1024 * 1024)
    async with Reader(memory=300 * 1024 * 1024) as reader:
        with pytest.raises(UnreadableFile, match=r"large\.txt .*memory"):
            await reader.read(large, DEFAULT.model_copy(update={"max_file_bytes": 1024**3}))
        assert (await reader.read(text, DEFAULT)).text == "Fine."


async def test_a_file_that_crashes_its_reader_is_unreadable(guide, text, do_when_markdown_is_read):
    do_when_markdown_is_read("import os\nos._exit(3)")
    async with Reader() as reader:
        for _ in range(2):
            assert (await reader.read(text, DEFAULT)).text == "Fine."
            with pytest.raises(UnreadableFile, match=r"guide\.md cannot be read: its reader crashed \(exit code 3\)"):
                await reader.read(guide, DEFAULT)


async def test_a_process_that_somebody_else_ended_is_replaced(text):
    async with Reader() as reader:
        await reader.read(text, DEFAULT)
        os.kill(processes()[0], signal.SIGKILL)
        assert (await reader.read(text, DEFAULT)).text == "Fine."


async def test_what_is_cancelled_does_not_answer_later(guide, text, do_when_markdown_is_read):
    pid = do_when_markdown_is_read(HANG)
    async with Reader() as reader:
        reading = asyncio.create_task(reader.read(guide, DEFAULT))
        await asyncio.to_thread(wait_until, pid.exists)
        reading.cancel()
        assert (await reader.read(text, DEFAULT)).text == "Fine."
        assert reading.cancelled()


async def test_closing_ends_what_is_under_way(guide, text, do_when_markdown_is_read):
    pid = do_when_markdown_is_read(HANG)
    reader = Reader()
    await reader.read(text, DEFAULT)
    reading = asyncio.create_task(reader.read(guide, DEFAULT))
    await asyncio.to_thread(wait_until, pid.exists)
    await reader.aclose()
    with pytest.raises(UnreadableFile, match=r"guide\.md was not read to its end: its reader was closed"):
        await reading
    assert processes() == []


async def test_the_process_knows_no_secrets(guide, do_when_markdown_is_read, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    do_when_markdown_is_read("import os\nraise ValueError(sorted(os.environ))")
    async with Reader() as reader:
        with pytest.raises(UnreadableFile, match="PATH") as caught:
            await reader.read(guide, DEFAULT)
    assert "OPENAI_API_KEY" not in caught.value.message


def test_the_process_ends_with_its_parent_in_the_middle_of_a_file(guide, do_when_markdown_is_read):
    pid = do_when_markdown_is_read(HANG)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(guide)])
    wait_until(lambda: pid.exists() and pid.read_text())
    parent.kill()
    parent.wait()
    wait_until(lambda: not psutil.pid_exists(int(pid.read_text())))


@pytest.mark.parametrize(
    ("code", "limits", "signal_number"),
    [
        ("import time\ntime.sleep(600)", ["--computing-seconds", "60", "--seconds", "0.2"], signal.SIGALRM),
        ("while True: pass", ["--computing-seconds", "0.2", "--seconds", "60"], signal.SIGPROF),
    ],
)
def test_the_system_ends_a_process_that_hangs(guide, do_when_markdown_is_read, code, limits, signal_number):
    do_when_markdown_is_read(code)
    command = [sys.executable, "-P", "-m", "llamafarm_rag.documents.worker_process", *limits, "--memory", str(1024**3)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        process.stdin.write(framed(dump_job(guide, DEFAULT)))
        process.stdin.flush()
        assert process.wait() == -signal_number
