"""Loads one plugin and watches it, in a process of its own: audit hooks and imports cannot be undone.

`llamafarm_kit.check` starts that process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import IO, Any

from llamafarm.plugins.discovery import Candidate, candidates
from llamafarm.plugins.loader import Loader
from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.status import PluginStatus

from llamafarm_kit import budget


@dataclass
class Observation:
    """What was seen. row: the plugin as `lf plugins list` shows it. imported: whether it could be.

    heavy: packages that are over the budget. network, printed: each with what it happened in, the import or a hook.
    threads, children: names of those that still run after the last hook.
    """

    row: PluginStatus
    imported: bool = False
    heavy: list[str] = field(default_factory=list)
    network: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: bytes) -> Observation:
        """Return the observation that `asdict` made plain, and JSON a text."""
        seen = json.loads(text)
        row: dict[str, Any] = seen.pop("row")
        row = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
        return cls(PluginStatus(**row), **seen)


class _Watch:
    """Sees what happens in each step of loading. output: the file that standard output goes to."""

    def __init__(self, output: IO[bytes]) -> None:
        self.network: list[str] = []
        self.printed: list[str] = []
        self._output = output
        self._events: list[str] = []
        sys.addaudithook(lambda event, _: self._events.append(event) if event in budget.NETWORK else None)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Watch one step. What it raises ends it; the status of the plugin tells of that."""
        self._events.clear()
        start = os.fstat(self._output.fileno()).st_size
        try:
            yield
        except (Exception, SystemExit):  # noqa: BLE001, S110 - see above
            pass
        sys.stdout.flush()
        self.network += [f"{event} in {name}" for event in dict.fromkeys(self._events)]
        self._output.seek(start)
        if text := self._output.read().decode(errors="replace"):
            self.printed.append(f"{text!r} in {name}")


def _observe(candidate: Candidate, watch: _Watch) -> Observation:
    """Load the plugin step by step, watched, and then as LlamaFarm does it, which gives its status."""
    loaded: list[object] = []
    if not candidate.incompatibility:
        with watch.step("the import"):
            loaded.append(candidate.entry_point.load())
    for name, hook in chain.from_iterable(map(_hooks, loaded)):
        with watch.step(f"{name}()"):
            tuple(hook())
    left = budget.heavy_imports(), watch.network, watch.printed, budget.threads(), budget.children()
    loader = Loader(seconds=None)  # whoever started this process has the time limit
    loader.load(candidate)
    [row] = [row for row in PluginManager(loader=loader).statuses(load=False) if _is_of(row, candidate)]
    return Observation(row, bool(loaded), *left)


def _is_of(row: PluginStatus, candidate: Candidate) -> bool:
    return (row.name, row.distribution) == (candidate.name, candidate.distribution)


def _hooks(plugin: object) -> Iterator[tuple[str, Callable[[], Any]]]:
    import pluggy
    from llamafarm import hookspecs

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    for caller in manager.get_hookcallers(plugin) or ():
        yield from ((caller.name, impl.function) for impl in caller.get_hookimpls())


def _main(name: str, distribution: str) -> None:
    """Answer on what was stdout; what the plugin prints there goes to a file, and is part of the answer."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        [candidate] = [one for one in candidates() if (one.name, one.distribution) == (name, distribution)]
        json.dump(asdict(_observe(candidate, _Watch(output))), answer)
    answer.close()
    os._exit(0)  # threads that the plugin has started must not keep us


if __name__ == "__main__":
    _main(*sys.argv[1:])
