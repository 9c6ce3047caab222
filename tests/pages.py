"""Documents that are run: their files are written and their commands typed, in the order of the page.

A block whose first line is `# path/of/file` is that file, and so is a `json` block below `// path/of/file`, or a `csv`
block; a `diff` block is a change of it, found by its context. A `console` block holds commands, each after `$ `, with
what they print below; `…` stands for any text, and a line of it alone for any lines. A command whose shown output
begins with `Error:` fails, all others end well. What follows `# In a second terminal` is left running to the end of the
page.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from throwaway import Environment

BOUND = 300.0
"""Seconds that one command may take."""
SECOND_TERMINAL = "# In a second terminal"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"(?:#|//) (\S+\.\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page. line: where it begins."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The path of the file that it shows, or None."""
        named = _NAMED.match(self.text)
        return named[1] if named and self.language != "console" else None

    @property
    def content(self) -> str:
        """What stands in that file: JSON and CSV have no comments, so its path is left out there."""
        return self.text.partition("\n")[2] if self.language in ("json", "csv") else self.text

    @property
    def commands(self) -> list[Command]:
        """What is typed, and what that prints."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return [Command(typed, tuple(shown)) for typed, shown in found]

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command line, and the lines that the page shows below it."""

    typed: str
    shown: tuple[str, ...]

    @property
    def fails(self) -> bool:
        return any(line.startswith("Error:") for line in self.shown)

    def printed(self, output: str) -> bool:
        """Whether `output` is what the page shows; blanks at the ends of lines do not count."""
        parts = [r"(?:.*\n)*" if line.strip() == "…" else _line(line) + "\n" for line in self.shown]
        plain = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
        return re.fullmatch("".join(parts), plain) is not None


def _line(shown: str) -> str:
    return "[^\n]*".join(map(re.escape, shown.rstrip().split("…")))


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, of these languages or of all."""
    text = page.read_text(encoding="utf-8")
    found = [Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2]) for match in _FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


class Shell:
    """A shell as a reader has it open: it keeps its folder and its variables from one command to the next."""

    def __init__(self, environment: Environment) -> None:
        self._said: list[str] = []
        self._shell = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=environment.folder,
            env=environment.env(),
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def run(self, typed: str) -> tuple[int, str]:
        """Type one command; return its exit code and what it has printed."""
        self.type(f"{{ {typed}\n}} </dev/null; printf '\\n<ended %s>\\n' $?")
        output = self.until(r"\n<ended \d+>\n")
        self._said.clear()
        text, _, code = output.rpartition("\n<ended ")
        return int(code.removesuffix(">\n")), text

    def type(self, typed: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{typed}\n")
        self._shell.stdin.flush()

    def until(self, pattern: str) -> str:
        """Wait for an output that ends in `pattern`, and return all of it."""
        end = time.monotonic() + BOUND
        while not re.search(f"{pattern}$", "".join(self._said)):
            assert self._reader.is_alive(), f"the shell has ended: {''.join(self._said)}"
            assert time.monotonic() < end, f"not within {BOUND:g} s: {pattern!r} in {''.join(self._said)!r}"
            time.sleep(0.01)
        return "".join(self._said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.killpg(self._shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._shell.wait(BOUND)
        self._reader.join(BOUND)
        for pipe in (self._shell.stdin, self._shell.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        while piece := self._shell.stdout.read(1):
            self._said.append(piece)


class Walk:
    """One reader who goes through a page in an environment of its own.

    instead: what is written and typed in the place of what the page says, such as another port. done: commands that
    the environment has made needless.
    """

    def __init__(
        self, environment: Environment, *, instead: Mapping[str, str] | None = None, done: tuple[str, ...] = ()
    ) -> None:
        self._environment = environment
        self._instead = instead or {}
        self._done = done
        self._folder = environment.folder

    def through(self, page: Path) -> None:
        """Do everything that the page says."""
        with Shell(self._environment) as first, Shell(self._environment) as second:
            for block in blocks(page):
                self._follow(block, first)
                if block.language == "console":
                    shell = second if block.text.startswith(SECOND_TERMINAL) else first
                    for command in block.commands:
                        self._type(command, block, shell, stays=shell is second)

    def _follow(self, block: Block, shell: Shell) -> None:
        if block.file is not None:
            path = Path(shell.run("pwd")[1].strip()) / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            if block.language == "diff":
                path.write_text(changed(path.read_text(encoding="utf-8"), block), encoding="utf-8")
            else:
                path.write_text(self._mine(block.content), encoding="utf-8")

    def _type(self, command: Command, block: Block, shell: Shell, *, stays: bool) -> None:
        if command.typed in self._done:
            return
        typed = self._mine(command.typed)
        shown = Command(typed, tuple(map(self._mine, command.shown)))
        if stays and command.shown:
            shell.type(typed)
            shell.until(f"(?:^|\n){_line(shown.shown[-1])}\n")
            return
        code, output = shell.run(typed)
        assert (code != 0) == shown.fails, f"{block.place}: $ {typed} ended with {code}:\n{output}"
        if shown.shown:
            wanted = "\n".join(shown.shown)
            assert shown.printed(output), f"{block.place}: $ {typed} printed\n{output}\nthe page shows\n{wanted}"

    def _mine(self, text: str) -> str:
        for theirs, mine in self._instead.items():
            text = text.replace(theirs, mine)
        return text


def changed(text: str, block: Block) -> str:
    """The text of a file after the change that a `diff` block shows; its context must be there, once."""
    lines = block.text.splitlines()[1:]
    old, new = ("".join(f"{line[1:]}\n" for line in lines if line[:1] != sign) for sign in "+-")
    assert text.count(old) == 1, f"{block.place}: found {text.count(old)} times in {block.file}:\n{old}"
    return text.replace(old, new)


def with_pip(environment: Environment, *wheels: Path) -> Environment:
    """Give the environment a `pip` that knows these wheels, what is installed, and no network; and `pytest`."""
    folder = environment.home / "wheels"
    folder.mkdir()
    for wheel in wheels:
        (folder / wheel.name).symlink_to(wheel)
    _script(environment, "pip", f'"{sys.executable}" -m pip --python "{environment.python}"')
    _script(environment, "pytest", f'"{environment.python}" -m pytest')
    environment.environ |= {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_NO_BUILD_ISOLATION": "0",  # as pip reads it: no isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    return environment


def _script(environment: Environment, name: str, command: str) -> None:
    path = environment.python.parent / name
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
