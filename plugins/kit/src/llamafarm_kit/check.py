"""`lf plugins check`: each plugin loaded in a process of its own, with a time limit.

A plugin that hangs, exits or crashes on import ends that process alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from typing import IO

from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.status import PluginStatus

from llamafarm_kit.observe import Observation

AT_ONCE = max(2, min(8, os.cpu_count() or 1))
"""How many plugins are loaded at the same time: each is a Python of its own that starts, which is CPU time."""


def check_all(plugins: PluginManager, *, timeout: float) -> list[PluginStatus]:
    """Check every installed plugin, a few at a time; `timeout` is in seconds and for each."""
    return asyncio.run(_check_all(plugins.statuses(load=False), timeout))


def check(row: PluginStatus, *, timeout: float) -> PluginStatus:
    """Return the status of one plugin after loading it in a subprocess for at most `timeout` seconds.

    One that does what no plugin may, has failed.
    """
    return _judged(observe(row, timeout=timeout))


def observe(row: PluginStatus, *, timeout: float) -> Observation:
    """What a plugin does when it is loaded, in a subprocess; `timeout` is in seconds."""
    return asyncio.run(_observe(row, timeout))


async def _check_all(rows: list[PluginStatus], seconds: float) -> list[PluginStatus]:
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(row: PluginStatus) -> PluginStatus:
        if row.status in ("disabled", "conflict"):
            return row
        async with places:
            return _judged(await _observe(row, seconds))

    return await asyncio.gather(*map(in_turn, rows))


def _judged(seen: Observation) -> PluginStatus:
    cause = _broken_rule(seen)
    return replace(seen.row, status="failed", cause=cause) if cause and seen.row.status == "active" else seen.row


def _broken_rule(seen: Observation) -> str | None:
    """What loading the plugin has done that no plugin may; None where it kept to the rules."""
    if seen.heavy:
        return f"loading it imports {', '.join(seen.heavy)}; import inside `connect`"
    if seen.network:
        return f"loading it uses the network ({seen.network[0]}); do that inside `connect`"
    if running := [*seen.threads, *seen.children]:
        return f"loading it leaves threads or processes running ({', '.join(running)}); start them inside `connect`"
    return None


async def _observe(row: PluginStatus, seconds: float) -> Observation:
    try:
        return Observation.read(await _answer(row, seconds))
    except _Ended as error:
        return Observation(replace(row, status="failed", cause=str(error)))


class _Ended(Exception):
    """The process gave no answer; the message says how it ended."""


async def _answer(row: PluginStatus, seconds: float) -> bytes:
    """What the process that loads the plugin answers. Raises _Ended; whatever it has started has ended then, too."""
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as noise:
        # Both go to files, so that a grandchild that holds them open cannot make us wait.
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "llamafarm_kit.observe", row.name, row.distribution],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=noise,
            start_new_session=True,
        )
        try:
            code = await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            raise _Ended(f"it was not loaded within {seconds:g} seconds") from None
        finally:
            await _kill(process)
        return _read(code, answer, noise)


def _read(code: int, answer: IO[bytes], noise: IO[bytes]) -> bytes:
    answer.seek(0)
    text = answer.read()
    if code == 0 and text:
        return text
    noise.seek(0)
    last = noise.read()[-2000:].decode(errors="replace").strip()
    ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    raise _Ended(f"the process that loaded it ended with {ended}" + (last and f": {last}"))


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the process and whatever it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:
        pass
    await process.wait()
