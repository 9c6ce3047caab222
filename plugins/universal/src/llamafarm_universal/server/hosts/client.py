"""One child process: started, spoken to over a pipe, and ended."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import queue
import threading
from collections.abc import Callable

from llamafarm_universal.messages import Command, Event, Failed, Ready, Stop
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.messages.statistics import Stats
from llamafarm_universal.server.errors import HOST_CHILD, Child
from llamafarm_universal.server.hosts.entry import ENGINE_HOST, run_host
from llamafarm_universal.server.hosts.running import Running
from llamafarm_universal.working_folder import leave_deleted_folder

log = logging.getLogger(__name__)

EXIT_SECONDS = 5.0
"""How long a host may take to end by itself, once it was asked to or has closed its pipe."""


class HostClient:
    """A process and the requests that it is working on. Everything but the two threads runs on the event loop.

    on_event: told of what belongs to no request (Ready, Stats, and Failed with an empty request id).
    on_end: told once, when the process is gone; the running requests have been told before.
    """

    def __init__(
        self,
        options: Limits,
        *,
        child: Child = HOST_CHILD,
        on_event: Callable[[Event], None],
        on_end: Callable[[HostClient], None],
        target: str = ENGINE_HOST,
    ) -> None:
        self._child = child
        self._on_event = on_event
        self._on_end = on_end
        self._running: dict[str, Running] = {}
        self._outbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        context = multiprocessing.get_context("spawn")
        self._connection, self._far_end = context.Pipe()
        self._process = context.Process(
            target=run_host, args=(target, self._far_end, options), name=f"llamafarm {child.title}"
        )
        self.ended = asyncio.Event()
        self.died_busy = False
        """Whether requests were running when the process ended."""
        self.was_useful = False
        """Whether it has ever done what it was asked."""

    def start(self) -> None:
        leave_deleted_folder()  # without one no process can be started
        self._process.start()
        self._far_end.close()  # held by the child alone, so that its death is an end of file here
        threading.Thread(target=self._read, name=f"{self._child.code}-reader", daemon=True).start()
        threading.Thread(target=self._write, name=f"{self._child.code}-writer", daemon=True).start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    def alive(self) -> bool:
        """Ask the system now: a killed process is noticed here before its pipe says so."""
        return not self.ended.is_set() and self._process.is_alive()

    def submit(self, running: Running) -> None:
        """Send commands that belong together; their events arrive in `running`."""
        self._running.update({request.request_id: running for request in running.requests})
        running.send(self._send)

    def forget(self, running: Running) -> None:
        """Cancel what has not ended and drop whatever the host still says about it."""
        self._drop(running)
        running.cancel()

    def _drop(self, running: Running) -> None:
        for request in running.requests:
            self._running.pop(request.request_id, None)

    async def stop(self) -> None:
        """Ask the host to end; kill it where it does not within EXIT_SECONDS."""
        self._send(Stop())
        try:
            async with asyncio.timeout(EXIT_SECONDS):
                await self.ended.wait()
        except TimeoutError:
            self._process.kill()
            await self.ended.wait()

    def _send(self, command: Command) -> None:
        self._outbox.put(command)

    def _write(self) -> None:
        """In a thread, because a full pipe would hold up the event loop."""
        while (command := self._outbox.get()) is not None:
            try:
                self._connection.send(command)
            except OSError:  # the host is gone; the reader notices too
                return

    def _read(self) -> None:
        try:
            while True:
                self._loop.call_soon_threadsafe(self._receive, self._connection.recv())
        except (EOFError, OSError):
            pass
        except RuntimeError:  # the event loop is closed
            return
        except Exception:
            log.exception("The %s sent something that cannot be read; it is ended.", self._child.title)
            self._process.kill()
        self._bury()

    def _bury(self) -> None:
        """Wait for the process of a closed pipe; kill it where it lives on."""
        self._process.join(EXIT_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # the event loop is closed
            pass

    def _receive(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Ready | Stats) or (isinstance(event, Failed) and not event.request_id):
            self._on_event(event)
            return
        self.was_useful = self.was_useful or (event.is_last and not isinstance(event, Failed))
        running = self._running.get(event.request_id)
        if running is None:  # cancelled, and this was on its way
            return
        running.deliver(event)
        if running.is_done:
            self._drop(running)

    def _end(self) -> None:
        self.ended.set()
        self._outbox.put(None)
        self._connection.close()
        orphans = [running for running in set(self._running.values()) if not running.is_done]
        self.died_busy = bool(orphans)
        self._running.clear()
        self._on_end(self)
        for running in orphans:
            running.lose(self.exit_code)
