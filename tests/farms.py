"""A project folder with a data directory of its own, and a real `lf` in it."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

LF = Path(sys.executable).parent / "lf"


OWN_PORTS = range(12_000, 32_000)
"""Below those that systems give to connections: one that is free now is not taken by a client in a moment."""


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.choice(OWN_PORTS)))
            except OSError:
                continue
            return int(probe.getsockname()[1])


@dataclass
class Farm:
    """A project folder, a data directory of its own, and `lf` in it."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> str:
        """The root URL of its Universal Runtime."""
        return f"http://127.0.0.1:{self.environ['UNIVERSAL_RUNTIME_PORT']}"

    def write(self, text: str) -> None:
        (self.folder / "llamafarm.yaml").write_text(text)

    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LF_", "UNIVERSAL_"))}
        return {**kept, "LF_DATA_DIR": str(self.folder / "data"), "COLUMNS": "120", **self.environ}

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `lf` and leave it running; the caller ends it."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([str(LF), *arguments], cwd=self.folder, env=self.env(), text=True, **options)

    def lf(self, *arguments: str, stdin: str | None = None, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Run `lf` to its end. stdin: what is piped into it; None is an empty input."""
        given: dict[str, Any] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            [str(LF), *arguments],
            cwd=self.folder,
            env=self.env(),
            capture_output=True,
            text=True,
            timeout=timeout,
            **given,
        )

    def services(self) -> list[psutil.Process]:
        """The processes that LlamaFarm has started here and that are running."""
        found = []
        for path in (self.folder / "data" / "services").glob("*.json"):
            state = json.loads(path.read_text())
            if psutil.pid_exists(state["pid"]):
                process = psutil.Process(state["pid"])
                if abs(process.create_time() - state["created"]) < 2:
                    found.append(process)
        return found

    def end_services(self) -> None:
        """Kill whatever is left of them, and their children."""
        for process in self.services():
            family = [process, *process.children(recursive=True)]
            for one in family:
                one.kill()
            psutil.wait_procs(family, timeout=20)
