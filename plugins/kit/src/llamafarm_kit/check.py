"""`lf plugins check`: each plugin loaded in a process of its own, with a time limit.

A plugin that hangs, exits or crashes on import ends that process alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from typing import IO, Any

from llamafarm.plugins.loader import Loader, PluginStatus
from llamafarm.plugins.manager import PluginManager

from llamafarm_kit import budget
from llamafarm_kit.observe import Observation

AT_ONCE = max(2, min(8, os.cpu_count() or 1))
"""How many plugins are loaded at the same time: each is a Python of its own that starts, which is CPU time."""


def check_all(plugins: PluginManager, *, timeout: float) -> list[PluginStatus]:
    """Check every installed plugin, a few at a time; `timeout` is in seconds and for each."""
    return asyncio.run(_check_all(plugins.statuses(load=False), timeout))


def check(row: PluginStatus, *, timeout: float) -> PluginStatus:
    """Return the status of one plugin after loading it in a subprocess for at most `timeout` seconds."""
    return asyncio.run(_check(row, timeout))


def observe(name: str, *, timeout: float) -> Observation:
    """What the plugin whose entry point is `name` does when it is loaded, in a subprocess; `timeout` is in seconds."""
    return asyncio.run(_observe(name, timeout))


async def _check_all(rows: list[PluginStatus], seconds: float) -> list[PluginStatus]:
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(row: PluginStatus) -> PluginStatus:
        if row.status in ("disabled", "conflict"):
            return row
        async with places:
            return await _check(row, seconds)

    return await asyncio.gather(*map(in_turn, rows))


async def _check(row: PluginStatus, seconds: float) -> PluginStatus:
    try:
        plain = await _answer("llamafarm_kit.check", row.name, seconds)
    except _Ended as error:
        return replace(row, status="failed", cause=str(error))
    found: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
    return PluginStatus(**found)


async def _observe(name: str, seconds: float) -> Observation:
    try:
        return Observation(**await _answer("llamafarm_kit.observe", name, seconds))
    except _Ended as error:
        return Observation(error=str(error))


class _Ended(Exception):
    """The process gave no answer; the message says how it ended."""


async def _answer(module: str, name: str, seconds: float) -> dict[str, Any]:
    """What `python -m module name` answers, in JSON. Raises _Ended; whatever it has started has ended then, too."""
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as noise:
        # Both go to files, so that a grandchild that holds them open cannot make us wait.
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", module, name],
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


def _read(code: int, answer: IO[bytes], noise: IO[bytes]) -> dict[str, Any]:
    answer.seek(0)
    text = answer.read()
    if code == 0 and text:
        found: dict[str, Any] = json.loads(text)
        return found
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


def _main(name: str) -> None:
    """In the subprocess: load the plugin, answer on what was stdout. Everything that it prints goes to stderr."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    calls: list[str] = []
    sys.addaudithook(lambda event, _: calls.append(event) if event in budget.NETWORK else None)
    row = PluginManager(loader=Loader(seconds=None)).load(name)  # whoever started this process has the time limit
    if row.status == "active" and (cause := _over_budget(calls)):
        row = replace(row, status="failed", cause=cause)
    json.dump(asdict(row), answer)
    answer.close()
    os._exit(0)  # threads that the plugin has started must not keep us


def _over_budget(network: list[str]) -> str | None:
    """What loading the plugin has done that no plugin may; None where it kept to the rules."""
    if heavy := budget.heavy_imports():
        return f"loading it imports {', '.join(heavy)}; import inside `connect`"
    if network:
        return f"loading it uses the network ({network[0]}); do that inside `connect`"
    if running := [*budget.threads(), *budget.children()]:
        return f"loading it leaves threads or processes running ({', '.join(running)}); start them inside `connect`"
    return None


if __name__ == "__main__":
    _main(sys.argv[1])
