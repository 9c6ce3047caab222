"""How long does a prompt of 30,000 tokens hold up an answer that goes on beside it?

One client has a long answer streamed. While it comes, another one sends short prompts, and then the long one, of which
a piece is read in each step of the first client's answer. The usual gap between two tokens beside short prompts is what
one chunk takes; none may be more than BUDGET times as long, however much of a prompt there is to look back at.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from load import percentile, post
from models import SHAPES, folder_of
from processes import end_properly
from stream import Recording, connect
from textservers import Server, ours

BUDGET = 2.0
TOKENS = 30_000
BOUND = 1800.0
"""Seconds that an answer may take."""
_ALONE = 2.0  # seconds that the first answer goes on by itself
_SHORT = 1000  # tokens of a short prompt
_SHORTS = 4


@dataclass(frozen=True)
class Gaps:
    """Seconds between two tokens of the first client's answer: alone, beside short prompts and beside the long one."""

    alone: list[float]
    short: list[float]
    long: list[float]


@contextmanager
def with_room(folder: Path, tokens: int) -> Iterator[Path]:
    """A model whose texts may be twice as long as a prompt: its cache has room for what is answered meanwhile."""
    with tempfile.TemporaryDirectory() as place:
        for file in folder.iterdir():
            (Path(place) / file.name).symlink_to(file)
        config = json.loads((folder / "config.json").read_text())
        config["max_position_embeddings"] = max(config["max_position_embeddings"], 2 * tokens)
        (Path(place) / "config.json").unlink()
        (Path(place) / "config.json").write_text(json.dumps(config))
        yield Path(place)


def asked(server: Server, tokens: int, length: int, seed: int = 0) -> bytes:
    chance = random.Random(tokens + seed)
    fields = {"model": server.model, "prompt": [chance.randrange(300, 1000) for _ in range(tokens)]}
    return post(server.place, server.path, {**fields, "max_tokens": length, "stream": True, "ignore_eos": True})


async def measure(server: Server, tokens: int) -> Gaps:
    """Have all answers written. The first one is broken off when the long prompt has been read."""
    host, _, port = server.place.rpartition(":")
    warm, going, other = [await connect(host, int(port), BOUND) for _ in range(3)]
    await warm.record(asked(server, 20, 2))
    first = asyncio.create_task(going.record(asked(server, 20, max(tokens, 16_000))))
    await asyncio.sleep(_ALONE)
    shorts = [await other.record(asked(server, _SHORT, 1, seed)) for seed in range(_SHORTS)]
    long = await other.record(asked(server, tokens, 1))
    first.cancel()
    for connection in (warm, going, other):
        connection.close()
    return gaps([moment for moment, _ in going.arrivals[1:]], shorts, long)


def gaps(times: list[float], shorts: list[Recording], long: Recording) -> Gaps:
    """times: when pieces of the first answer came. Each is taken for a token."""
    pairs = list(pairwise(times))
    alone = [after - before for before, after in pairs if after < shorts[0].asked]
    return Gaps(alone, [gap for short in shorts for gap in _beside(pairs, short)], _beside(pairs, long))


def _beside(pairs: list[tuple[float, float]], prompt: Recording) -> list[float]:
    """The gaps while a prompt was read."""
    return [after - before for before, after in pairs if prompt.asked < before and after < prompt.ended]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="26m", help=f"one of {', '.join(SHAPES)}, or a folder")
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of the long prompt")
    given = parser.parse_args()
    end_properly()
    with (
        with_room(folder_of(given.model), given.tokens) as folder,
        ours(folder, {"dtype": given.dtype}) as server,
    ):
        measured = asyncio.run(measure(server, given.tokens))
    chunk = percentile(measured.short, 0.5)
    steps = f"read in {len(measured.long)} steps and {sum(measured.long):.0f} s"
    print(f"{given.model}, {given.dtype}, a prompt of {given.tokens} tokens, {steps}")
    alone = percentile(measured.alone, 0.5) * 1000
    print(f"ms between tokens: alone {alone:.1f}, beside one chunk {chunk * 1000:.1f}")
    share = {name: percentile(measured.long, at) / chunk for name, at in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
    print("beside the prompt, in chunks: " + ", ".join(f"{name} {times:.2f}" for name, times in share.items()))
    if share["p99"] > BUDGET:
        sys.exit("over the budget")


if __name__ == "__main__":
    main()
