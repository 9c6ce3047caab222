"""Many clients that have texts completed at once, and what they see of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from load import percentile, post
from stream import Answer, Recording, connect
from textservers import Server

BOUND = 1200.0
"""How many seconds one answer may take, its time in a queue included."""
WORDS = [word for word in (Path(__file__).parents[1] / "README.md").read_text().split() if word.isalpha()]
FURTHER: tuple[dict[str, object], ...] = (
    {"ignore_eos": True, "stream_options": {"include_usage": True}},
    {"stream_options": {"include_usage": True}},
    {},
)
"""What not every server knows: the first of these that it does not refuse is sent."""
LEAST_SHARE = 0.8
"""Of the tokens that a server claims, so many must be there when its texts are read again; a text has many readings."""
Count = Callable[[str], int]


class Miscounted(ValueError):
    """A server did not produce the tokens that it claims."""


@dataclass(frozen=True)
class Work:
    """words: of a prompt. length: tokens of an answer. answers: at least so many, and two for each client."""

    words: int = 100
    length: int = 64
    answers: int = 4

    def prompts(self, clients: int, client: int) -> list[str]:
        """What one of so many clients asks, one after the other: no two alike, and the same for every server."""
        rounds = max(2, -(-self.answers // clients))
        return [self.prompt(f"{clients}/{client}/{number}") for number in range(rounds)]

    def prompt(self, seed: str) -> str:
        return " ".join(random.Random(seed).choices(WORDS, k=self.words))


@dataclass(frozen=True)
class Row:
    """What so many clients saw of one server; times in milliseconds. short: answers that ended early.

    memory_mb: the most that its processes took together so far, None where they are not known.
    """

    server: str
    clients: int
    tokens_per_second: float
    first_p50: float
    first_p99: float
    between_p50: float
    between_p99: float
    tokens: int
    events: int
    short: int
    memory_mb: float | None = None


def measure(server: Server, clients: int, work: Work, count: Count) -> Row:
    """Have so many clients ask a server, after a short round that does not count. Raises Miscounted, RuntimeError."""
    return summary(server.name, clients, asyncio.run(_ask_all(server, clients, work)), work.length, count)


def summary(name: str, clients: int, recordings: Sequence[Recording], length: int, count: Count) -> Row:
    """What came of all answers together."""
    seconds = max(recording.ended for recording in recordings) - min(recording.asked for recording in recordings)
    answers = [recording.read() for recording in recordings]
    tokens = credit(name, answers, length, count)
    first = [answer.first * 1000 for answer in answers]
    between = [gap * 1000 for answer in answers for gap in answer.gaps] or [0.0]
    return Row(
        name,
        clients,
        sum(tokens) / seconds,
        percentile(first, 0.5),
        percentile(first, 0.99),
        percentile(between, 0.5),
        percentile(between, 0.99),
        sum(tokens),
        sum(len(answer.seconds) for answer in answers),
        sum(number < length for number in tokens),
    )


def credit(name: str, answers: Sequence[Answer], length: int, count: Count) -> list[int]:
    """The tokens of answers: as their usage claims, checked by their texts and events; else as the texts are read."""
    counted = [min(count(answer.text), length) for answer in answers]
    tokens = [own if answer.claimed is None else answer.claimed for own, answer in zip(counted, answers, strict=True)]
    if max(tokens) > length:
        raise Miscounted(f"{name} claims {max(tokens)} tokens for an answer of at most {length}")
    if sum(counted) < LEAST_SHARE * sum(tokens):
        raise Miscounted(f"{name} claims {sum(tokens)} tokens for texts of {sum(counted)}, such as {answers[0].text!r}")
    if any(len(answer.seconds) > number for answer, number in zip(answers, tokens, strict=True)):
        raise Miscounted(f"{name} sends more events with text than the tokens that it claims")
    return tokens


async def _ask_all(server: Server, clients: int, work: Work) -> list[Recording]:
    host, _, port = server.place.rpartition(":")
    connections = [await connect(host, int(port), BOUND) for _ in range(clients)]

    def request(prompt: str, length: int, further: dict[str, object]) -> bytes:
        fields = {"model": server.model, "prompt": prompt, "max_tokens": length, "temperature": 0, "stream": True}
        return post(server.place, server.path, {**fields, **further})

    async def known() -> dict[str, object]:
        for further in FURTHER[:-1]:
            try:
                await connections[0].record(request(work.prompt("fields"), 2, further))
                return further
            except RuntimeError as refusal:
                if not str(refusal).startswith(("HTTP/1.1 400", "HTTP/1.1 422")):
                    raise
        return FURTHER[-1]

    further = await known()
    try:
        warm = [
            connection.record(request(work.prompt(f"warm {clients} {client}"), 8, further))
            for client, connection in enumerate(connections)
        ]
        await asyncio.gather(*warm)
        every = [
            [request(prompt, work.length, further) for prompt in work.prompts(clients, client)]
            for client in range(clients)
        ]

        async def ask(client: int) -> list[Recording]:
            return [await connections[client].record(asked) for asked in every[client]]

        return [recording for own in await asyncio.gather(*map(ask, range(clients))) for recording in own]
    finally:
        for connection in connections:
            connection.close()
