"""Clients of others, as they are, through `lf serve` to the demonstration model: `make clients`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from commands import Served  # noqa: E402
from environments import node_program, python_program  # noqa: E402
from farms import Farm, free_port  # noqa: E402

PROGRAMS = {
    "instructor": (python_program, "with_instructor"),
    "LangChain": (python_program, "with_langchain"),
    "pydantic-ai": (python_program, "with_pydantic_ai"),
    "Vercel AI SDK": (node_program, "with_vercel"),
}
BOUND = 300
"""Seconds that one program may take."""


def main() -> int:
    """Run the programs, and print a line for each call; 1 where one has failed."""
    commands = {client: prepare(name) for client, (prepare, name) in PROGRAMS.items()}
    with tempfile.TemporaryDirectory() as folder:
        farm = Farm(Path(folder), {"UNIVERSAL_RUNTIME_PORT": str(free_port())})
        for name in ("llamafarm.yaml", "weather.json"):
            shutil.copy(HERE / name, folder)
        try:
            with Served(farm) as root:
                rows = [row for client, command in commands.items() for row in calls(client, command, f"{root}/v1")]
        finally:
            farm.end_services()
    failed = [row for row in rows if row["error"]]
    print(f"{len(rows)} calls, {len(failed)} of them failed")
    return bool(failed)


def calls(client: str, command: list[str], url: str) -> Iterator[dict[str, str]]:
    """Run the program of one client, and print and yield what it says of each call."""
    environ = {**os.environ, "LF_URL": url}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=BOUND)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or not rows:
        rows.append({"call": "the program", "model": "", "error": f"it ended with {done.returncode}: {done.stderr}"})
    for row in rows:
        told = "ok" if row["error"] is None else f"FAILED\n    {row['error']}"
        print(f"{client:14} {row['call']:50} {row['model']:11} {told}", flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main())
