"""How long until a runtime sees that its client has gone, through the API, beside a client that asked it directly?

Each runtime streams one event on its own wire and waits; the client reads it and closes. Measured is the time from the
client's close to the moment at which the runtime sees its connection closed; client and runtime share one process and
one clock, and the API runs in a thread of it. The direct connection is the floor: what
the system itself takes. Budget: BUDGET_MS beyond it, at the median, for every provider.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "providers"))

from llamafarm_kit.testing import ScriptedUpstream
from upstreams import MODEL, api, project
from waiting import WIRES, Waiting

BUDGET_MS = 5.0
ROUNDS = 40
BOUND = 20.0
ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}


async def closing_ms(runtime: Waiting, url: str) -> float:
    """Milliseconds from the client's close to the runtime's seeing it, asked at `url`."""
    runtime.gone.clear()
    place, _, path = url.removeprefix("http://").partition("/")
    host, _, port = place.partition(":")
    body = json.dumps(ASKED).encode()
    head = f"POST /{path} HTTP/1.1\r\nhost: {place}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + b"\r\n\r\n" + body)
    await asyncio.wait_for(reader.readuntil(b"Hel"), BOUND)
    began = time.perf_counter()
    writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    writer.close()
    await asyncio.wait_for(runtime.gone.wait(), BOUND)
    return (runtime.at - began) * 1000


async def measure(provider: str, folder: Path) -> tuple[list[float], list[float]]:
    """The milliseconds of ROUNDS closes, directly and through the API; the two take turns."""
    wire = WIRES[provider]
    runtime = Waiting(wire)
    direct, ours = [], []
    async with ScriptedUpstream(runtime) as upstream:
        root = f"http://127.0.0.1:{upstream.port}"
        with api(project(provider, "tiny", root + wire.base), folder) as address:
            await closing_ms(runtime, f"{address}/chat/completions")  # connections, models and imports
            for _ in range(ROUNDS):
                direct.append(await closing_ms(runtime, root + wire.path))
                ours.append(await closing_ms(runtime, f"{address}/chat/completions"))
    return direct, ours


def slow(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def main() -> None:
    over = []
    print(f"{'from close to close, ms':<24} {'direct':>8} {'through':>8} {'p95':>8} {'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LF_DATA_DIR"] = folder
        for provider in WIRES:
            direct, ours = asyncio.run(measure(provider, Path(folder)))
            floor, through = statistics.median(direct), statistics.median(ours)
            print(f"{provider:<24} {floor:>8.2f} {through:>8.2f} {slow(ours):>8.2f} {through / floor:>8.1f}")
            over += [provider] if through - floor > BUDGET_MS else []
    if over:
        sys.exit(f"over the budget of {BUDGET_MS:g} ms beyond the direct connection: {', '.join(over)}")


if __name__ == "__main__":
    main()
