"""Contract tests of agent handlers: what one holds open between its start and its end."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import psutil
from llamafarm.project import Project

from llamafarm_kit.testing.bench import Bench
from llamafarm_kit.testing.handler_case import HandlerCase


class HandlerLife(HandlerCase):
    """From a handler that is built to one that is closed: `start` and `aclose`, where it has them."""

    async def test_building_it_opens_nothing(self, project: Project) -> None:
        """One that gets no turn is neither started nor closed: files, tasks and threads are `start`'s."""
        before = held_open()
        self.link(project)
        assert not (left := held_open() - before), f"open after it was built: {', '.join(left)}"

    async def test_closing_it_leaves_nothing_open(self, project: Project) -> None:
        """No file, no task, no thread and no child process, once its last turn has ended."""
        before = held_open()
        link = self.link(project)
        await link.start()
        await _answers(self.bench_of(link, project))
        await link.aclose()
        assert not (left := held_open() - before), f"open after it was closed: {', '.join(left)}"

    async def test_it_may_be_closed_before_its_first_turn(self, project: Project) -> None:
        """A turn can fail between its start and its run."""
        link = self.link(project)
        await link.start()
        await link.aclose()

    async def test_closing_it_leaves_that_of_another_entry_at_work(self, project: Project) -> None:
        """Each entry has one of its own; so has a project that was read again, while turns of the old one end."""
        old, new = self.link(project), self.link(project)
        for link in (old, new):
            await link.start()
            await _answers(self.bench_of(link, project))
        await old.aclose()
        try:
            await _answers(self.bench_of(new, project))
        finally:
            await new.aclose()


async def _answers(bench: Bench) -> None:
    await bench.said(bench.model(), "frames")


def held_open() -> Counter[str]:
    """What this process has open now: files, tasks, threads and child processes, and how many of each name."""
    process = psutil.Process()
    held = [f"the file {file.path}" for file in process.open_files()]
    held += [f"the task {task.get_name()}" for task in asyncio.all_tasks()]
    held += [f"the thread {thread.name}" for thread in threading.enumerate() if _is_own(thread)]
    held += [f"the process {child.pid}" for child in process.children()]
    return Counter(held)


def _is_own(thread: threading.Thread) -> bool:
    """Whether a thread is not one of those that asyncio and anyio keep for what blocks."""
    return not thread.name.startswith(("asyncio_", "AnyIO worker"))
