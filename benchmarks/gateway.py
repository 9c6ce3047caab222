"""What does the API cost a request, beside the runtime asked directly and LiteLLM's proxy?

A runtime that answers at once stands behind `lf serve`, a process of its own with one worker, and behind LiteLLM's
proxy where that is installed (`--litellm PYTHON` names the Python of its environment). Each is asked over 1 and 16
connections for whole answers, and for 100 streams of 200 chunks that arrive one by one. CPU and memory are those of the
server's processes alone.

Budgets: at 16 connections REQUESTS_RATIO times LiteLLM's requests per second; LATENCY_MS beyond the direct connection
at the median of one connection; CHUNK_US of CPU for a chunk that arrives by itself; MEMORY_RATIO of LiteLLM's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from load import Measured, load, request
from peers import BUILD
from processes import answers, free_port, started, until
from static_upstream import CHUNKS

REQUESTS_RATIO = 25.0
LATENCY_MS = 0.8
CHUNK_US = 50.0
MEMORY_RATIO = 1 / 3
STREAMS = 100
BETWEEN_CHUNKS_MS = 40
HERE = Path(__file__).resolve().parent
LITELLM = BUILD / "litellm" / "bin" / "python"

OURS = """
runtime:
  models:
    - {{name: tiny, provider: openai, model: tiny, base_url: 'http://127.0.0.1:{port}/v1'}}
    - {{name: slow, provider: openai, model: tiny-{between}, base_url: 'http://127.0.0.1:{port}/v1'}}
"""
THEIRS = """
model_list:
  - model_name: tiny
    litellm_params: {{model: openai/tiny, api_base: 'http://127.0.0.1:{port}/v1', api_key: none}}
  - model_name: slow
    litellm_params: {{model: openai/tiny-{between}, api_base: 'http://127.0.0.1:{port}/v1', api_key: none}}
"""
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
"""LiteLLM without look-ups and without a key, as `lf serve` has none here."""


@dataclass(frozen=True)
class Server:
    """Something that answers chats. process: whose CPU and memory count; None where neither does."""

    name: str
    port: int
    process: psutil.Process | None
    stream_model: str = "slow"

    def cpu(self) -> float:
        """Seconds of user and system time so far, those of child processes included."""
        return sum(times.user + times.system for one in self._family() for times in [one.cpu_times()])

    def memory(self) -> float:
        """Resident MiB."""
        return sum(one.memory_info().rss for one in self._family()) / 2**20

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)] if self.process else []


@dataclass(frozen=True)
class Row:
    """What was measured of one server. at: requests per second by connections; p50_ms: of one connection."""

    name: str
    at: dict[int, float]
    p50_ms: float
    request_us: float
    chunk_us: float
    memory: float


def measure(server: Server, requests: int) -> Row:
    """Ask one server for everything; what it does first is warmed up before."""
    whole, stream = request(server.port, "tiny", stream=False), request(server.port, server.stream_model, stream=True)
    run(server, whole, connections=16, requests=max(16, requests // 10))
    one, _ = run(server, whole, connections=1, requests=requests // 2)
    many, cpu = run(server, whole, connections=16, requests=requests)
    streams, stream_cpu = run(server, stream, connections=STREAMS, requests=STREAMS, apart=0.0037)
    if streams.chunks != STREAMS * CHUNKS:
        sys.exit(f"{server.name} passed on {streams.chunks} of {STREAMS * CHUNKS} chunks")
    return Row(
        server.name,
        {1: one.per_second, 16: many.per_second},
        statistics.median(one.latencies) * 1000,
        cpu / len(many.latencies) * 1e6,
        stream_cpu / streams.chunks * 1e6,
        server.memory(),
    )


def run(server: Server, asked: bytes, **given: Any) -> tuple[Measured, float]:
    """One load, and the seconds of CPU that it took the server."""
    before = server.cpu()
    measured = asyncio.run(load(server.port, asked, **given))
    return measured, server.cpu() - before


@contextmanager
def upstream() -> Iterator[int]:
    """The port of the runtime."""
    with started([sys.executable, str(HERE / "static_upstream.py")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextmanager
def ours(folder: Path, port: int) -> Iterator[Server]:
    (folder / "llamafarm.yaml").write_text(OURS.format(port=port, between=BETWEEN_CHUNKS_MS))
    log, command = folder / "lf.log", [str(Path(sys.executable).parent / "lf"), "serve", "--port", "0"]
    environ = {**os.environ, "LF_DATA_DIR": str(folder / "data")}
    with log.open("w") as err, started(command, stderr=err, cwd=folder, env=environ) as process:
        listening = re.compile(r"listens on http://127\.0\.0\.1:(\d+)")
        found = until(lambda: listening.search(log.read_text()), process, log)
        assert found is not None
        yield Server("lf serve", int(found[1]), psutil.Process(process.pid))


@contextmanager
def theirs(python: Path, folder: Path, port: int, own_port: int) -> Iterator[Server]:
    config, log = folder / "litellm.yaml", folder / "litellm.log"
    config.write_text(THEIRS.format(port=port, between=BETWEEN_CHUNKS_MS))
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(own_port), "--num_workers", "1"]
    environ = {**os.environ, **QUIET}
    command = [str(python.parent / "litellm"), *options]
    with log.open("w") as out, started(command, stdout=out, stderr=out, cwd=folder, env=environ) as process:
        until(lambda: answers(f"http://127.0.0.1:{own_port}/health/liveliness"), process, log)
        yield Server("LiteLLM", own_port, psutil.Process(process.pid))


def show(rows: list[Row]) -> None:
    print(
        f"{'':<10} {'req/s at 1':>11} {'at 16':>8} {'p50 ms':>8} {'CPU µs/request':>15} {'CPU µs/chunk':>13} {'MiB':>6}"
    )
    for row in rows:
        costs = f"{row.request_us:>15.0f} {row.chunk_us:>13.1f} {row.memory:>6.0f}" if row.memory else ""
        print(f"{row.name:<10} {row.at[1]:>11.0f} {row.at[16]:>8.0f} {row.p50_ms:>8.2f} {costs}")


def missed(direct: Row, ours: Row, theirs: Row | None) -> list[str]:
    """Print what is held to a budget, and return what misses it."""
    held = [
        ("p50 added at one connection, ms", ours.p50_ms - direct.p50_ms, LATENCY_MS, False),
        ("CPU for a chunk that arrives by itself, µs", ours.chunk_us, CHUNK_US, False),
    ]
    if theirs is not None:
        held += [
            ("requests/s at 16 connections, of LiteLLM's", ours.at[16] / theirs.at[16], REQUESTS_RATIO, True),
            ("memory, of LiteLLM's", ours.memory / theirs.memory, MEMORY_RATIO, False),
        ]
    print(f"\n{'':<44} {'measured':>9} {'budget':>9}")
    for what, value, budget, least in held:
        print(f"{what:<44} {value:>9.2f} {'>=' if least else '<=':>3} {budget:>5.2f}")
    return [what for what, value, budget, least in held if (value < budget if least else value > budget)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    options.add_argument("--litellm", type=Path, metavar="PYTHON", help="of an environment with litellm[proxy]")
    options.add_argument("--requests", type=int, default=4000, help="whole answers at 16 connections")
    given = options.parse_args()
    python = given.litellm or (LITELLM if LITELLM.exists() else None)
    rows = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder, port = Path(name), running.enter_context(upstream())
        rows.append(measure(Server("direct", port, None, f"tiny-{BETWEEN_CHUNKS_MS}"), given.requests))
        with ours(folder, port) as server:
            rows.append(measure(server, given.requests))
        if python is not None:
            with theirs(python, folder, port, free_port()) as server:
                rows.append(measure(server, given.requests // 10))
    show(rows)
    over = missed(rows[0], rows[1], rows[2] if python else None)
    if python is None:
        print("LiteLLM's proxy is not installed: nothing is held against it.")
    if over:
        sys.exit(f"over budget: {', '.join(over)}")


if __name__ == "__main__":
    main()
