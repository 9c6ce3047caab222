"""Do ten thousand answers, many of them broken off, all come to the right client, and is nothing left behind?

Clients ask a small model for completions of random lengths with random parameters, whole and streamed. A fifth of them
go away in the middle. The memory for keys and values is made short, so that answers are interrupted as well. Every
answer must be the one that its request gets alone; in the end nothing runs, nothing waits, and the cache is free.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from processes import answers, end_properly, free_port, started, until

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins" / "universal" / "tests"))

from tiny_models import make_llama, make_tokenizer

REQUESTS = 10_000
CLIENTS = 48
KINDS = 60
"""So many different requests there are: each is asked alone first."""
GOING = 0.2
"""The share of clients that go away before their answer is whole."""
PATIENCE = 120.0
ENVIRON = {"UNIVERSAL_RUNTIME_MAX_MEMORY": "5MB", "OMP_NUM_THREADS": "1"}


def fields(seed: int, model: str) -> dict[str, Any]:
    """A request like no other; what it is answered follows from it alone."""
    chance = random.Random(seed)
    drawn = chance.random() < 0.5
    body: dict[str, Any] = {
        "model": model,
        "prompt": [chance.randrange(5, 250) for _ in range(chance.choice((3, 20, 60, 300)))],
        "max_tokens": chance.choice((1, 10, 100, 600)),
        "temperature": chance.choice((0.7, 1.2)) if drawn else 0,
        "seed": seed,
        "ignore_eos": chance.random() < 0.5,
    }
    optional = {"top_p": 0.9, "frequency_penalty": 0.4, "repetition_penalty": 1.1, "n": 2, "stop": "e"}
    return body | {name: value for name, value in optional.items() if chance.random() < 0.25}


def said(choices: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(choices[index] for index in sorted(choices))


class Soak:
    """model: its name. ends: how requests have ended."""

    def __init__(self, client: httpx.AsyncClient, model: str) -> None:
        self._client = client
        self._model = model
        self._alone: dict[int, tuple[str, ...]] = {}
        self.ends: Counter[str] = Counter()

    async def learn(self) -> None:
        """Ask everything once, nobody else being there."""
        for seed in range(KINDS):
            self._alone[seed] = await self._whole(fields(seed, self._model))

    async def run(self, requests: int) -> None:
        left = iter(range(requests))

        async def ask() -> None:
            for number in left:
                await self._ask(random.Random(-number - 1))

        await asyncio.gather(*(ask() for _ in range(CLIENTS)))

    async def _ask(self, chance: random.Random) -> None:
        seed = chance.randrange(KINDS)
        body = fields(seed, self._model)
        asked = self._streamed(body) if chance.random() < 0.5 else self._whole(body)
        patience = chance.uniform(0.001, 0.5) if chance.random() < GOING else PATIENCE
        try:
            async with asyncio.timeout(patience):
                right = await asked == self._alone[seed]
        except TimeoutError:
            self.ends["gone" if patience < PATIENCE else "hung"] += 1
        else:
            self.ends["right" if right else "wrong"] += 1

    async def _whole(self, body: dict[str, Any]) -> tuple[str, ...]:
        answer = (await self._client.post("/v1/completions", json=body)).raise_for_status().json()
        return said({choice["index"]: choice["text"] for choice in answer["choices"]})

    async def _streamed(self, body: dict[str, Any]) -> tuple[str, ...]:
        choices: dict[int, str] = {}
        async with self._client.stream("POST", "/v1/completions", json=body | {"stream": True}) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line.removeprefix("data: "))["choices"]:
                        choices[choice["index"]] = choices.get(choice["index"], "") + choice["text"]
        return said(choices)


async def soak(address: str, model: str, requests: int) -> tuple[Counter[str], dict[str, float]]:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits) as client:
        soaking = Soak(client, model)
        await soaking.learn()
        began = time.perf_counter()
        await soaking.run(requests)
        print(f"{requests / (time.perf_counter() - began):.0f} requests per second")
        await asyncio.sleep(3)  # what has ended is told once a second
        metrics = (await client.get("/metrics")).text
    return soaking.ends, _gauges(metrics)


def _gauges(metrics: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in metrics.splitlines() if line.startswith("llamafarm:")]
    return {name.partition("{")[0].removeprefix("llamafarm:"): float(value) for name, _, value in lines}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=REQUESTS)
    requests = parser.parse_args().requests
    end_properly()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        model = str(make_llama(folder / "llama", make_tokenizer()))
        (folder / "runtime.yaml").write_text(f"models:\n  - id: {model}\n    dtype: fp32\n    device: cpu\n")
        environ = {"LF_DATA_DIR": name, "UNIVERSAL_RUNTIME_PORT": str(port)}
        environ |= {"UNIVERSAL_RUNTIME_CONFIG": str(folder / "runtime.yaml")} | ENVIRON
        log = folder / "log"
        given = {"stdout": log.open("w"), "stderr": subprocess.STDOUT, "env": os.environ | environ}
        with started([sys.executable, "-m", "llamafarm_universal.server"], **given) as server:
            address = f"http://127.0.0.1:{port}"
            until(lambda: answers(f"{address}/health"), server, log)
            ends, gauges = asyncio.run(soak(address, model, requests))
    left = {name: gauges[name] for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")}
    print(f"{dict(ends)}; left: {left}; interrupted: {gauges.get('num_preemptions_total', 0):.0f}")
    if ends["hung"] or ends["wrong"] or any(left.values()):
        sys.exit("over the budget")


if __name__ == "__main__":
    main()
