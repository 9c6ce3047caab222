"""What a plugin does while it is loaded, watched in a process of its own: audit hooks and imports cannot be undone.

`llamafarm_kit.check.observe` starts that process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from llamafarm.plugins.discovery import Candidate, candidates

from llamafarm_kit import budget


@dataclass
class Observation:
    """What was seen. error: what the import raised, or how the process ended; the rest is empty then.

    heavy: packages that are over the budget. network, printed: each with what it happened in, the import or a hook.
    threads, children: names of those that still run after the last hook.
    """

    error: str | None = None
    heavy: list[str] = field(default_factory=list)
    network: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)


class _Watch:
    """In the new process: sees what happens in each step of loading."""

    def __init__(self, output: Any) -> None:
        self.seen = Observation()
        self._output = output
        self._events: list[str] = []
        sys.addaudithook(lambda event, _: self._events.append(event) if event in budget.NETWORK else None)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Watch one step; what it raises is not told here, but by the status of the plugin."""
        self._events.clear()
        start = os.fstat(self._output.fileno()).st_size
        try:
            yield
        finally:
            sys.stdout.flush()
            self.seen.network += [f"{event} in {name}" for event in dict.fromkeys(self._events)]
            self._output.seek(start)
            if text := self._output.read().decode(errors="replace"):
                self.seen.printed.append(f"{text!r} in {name}")

    def finish(self) -> Observation:
        """What is left when everything has been loaded."""
        self.seen.heavy = budget.heavy_imports()
        self.seen.threads = budget.threads()
        self.seen.children = budget.children()
        return self.seen


def _load(candidate: Candidate, watch: _Watch) -> Observation:
    try:
        with watch.step("the import"):
            plugin = candidate.entry_point.load()
    except BaseException as error:  # noqa: BLE001 - also SystemExit: whatever it is, it is told
        return Observation(error=f"{type(error).__name__}: {error} on import of {candidate.target}")
    for name, hook in _hooks(plugin):
        try:
            with watch.step(f"{name}()"):
                tuple(hook())
        except (Exception, SystemExit):  # noqa: BLE001, S110 - the status of the plugin tells it; here it is watched
            pass
    return watch.finish()


def _hooks(plugin: object) -> Iterator[tuple[str, Callable[[], Any]]]:
    import pluggy
    from llamafarm import hookspecs

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    for caller in manager.get_hookcallers(plugin) or ():
        yield from ((caller.name, impl.function) for impl in caller.get_hookimpls())


def _main(name: str) -> None:
    """Answer on what was stdout; what the plugin prints there goes to a file, and is part of the answer."""
    answer: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        found = [one for one in candidates() if one.name == name]
        seen = _load(found[0], _Watch(output)) if found else Observation(error="it is not installed")
    json.dump(asdict(seen), answer)
    answer.close()
    os._exit(0)  # threads that the plugin has started must not keep us


if __name__ == "__main__":
    _main(sys.argv[1])
