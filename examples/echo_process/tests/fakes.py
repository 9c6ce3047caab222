"""Programs made for one test: they speak as the provider expects, or break the rule that the test is about."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psutil

BEGINNING = """
import json, os, sys, time
asked = sys.stdin.readline()
note = os.path.join(sys.argv[1], f"{time.monotonic_ns()}-{os.getpid()}")
with open(note + ".part", "w") as file:
    file.write(asked)
os.rename(note + ".part", note + ".json")
question = json.loads(asked)

def say(**line):
    print(json.dumps(line), flush=True)

"""


class FakeProgram:
    """A program that notes each question in `folder` and then does what `code` says.

    In `code`, `question` is what was asked, and `say(**line)` writes a line.
    """

    def __init__(self, folder: Path, code: str) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._script = folder / "program.py"
        self._script.write_text(BEGINNING + code)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-I", "-S", str(self._script), str(self._folder)]  # starts faster so

    def asked(self) -> list[Any]:
        """The questions of all runs so far, the oldest first."""
        return [json.loads(note.read_text()) for note in self._notes()]

    def running(self) -> list[int]:
        """The process ids of the runs that go on."""
        pids = [int(note.stem.split("-")[1]) for note in self._notes()]
        return [pid for pid in pids if psutil.pid_exists(pid)]

    def _notes(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))
