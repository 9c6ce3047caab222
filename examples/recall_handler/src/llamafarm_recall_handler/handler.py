"""The handler: finds the notes that lie near the question, shows them to the model, and names them at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Any

import llamafarm
from llamafarm.wire import EMBEDDINGS, Message

from llamafarm_recall_handler.notebook import Note, Notebook
from llamafarm_recall_handler.options import RecallOptions

BATCH = 100
"""Texts in one request: servers bound their number."""
PREAMBLE = "These notes may help; leave out what does not belong to the question."

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Match:
    """A note, and how near it is to the question: from -1 to 1."""

    note: Note
    score: float

    def source(self) -> dict[str, Any]:
        """What the answer says of it."""
        return {"text": self.note.text, "line": self.note.line, "score": self.score}


class RecallHandler:
    """Has a file open from its start to its end. The vectors of its notes are asked for once."""

    def __init__(self, options: RecallOptions) -> None:
        self._options = options
        self._notebook: Notebook | None = None
        self._vectors: dict[str, Vector] = {}
        self._embedding = asyncio.Lock()

    async def start(self) -> None:
        """Open the notes. Raises ConfigError where they cannot be read."""
        self._notebook = await asyncio.to_thread(Notebook, Path(self._options.notes))

    async def aclose(self) -> None:
        """Close them."""
        if self._notebook is not None:
            self._notebook.close()

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        """Answer `turn` with the notes that are near its question; without such notes nothing is changed.

        Raises the ProviderError of an embedder that fails.
        """
        question = question_of(turn.request["messages"])
        if turn.fields.get("recall") is False or not question:
            return await ask(turn)
        matches = await self._matches(question, turn)
        near = [match for match in matches if match.score >= self._options.threshold]
        turn.note("recall", scores=[match.score for match in matches], used=len(near))
        if not near:
            return await ask(turn)
        messages = with_notes(turn.request["messages"], [match.note for match in near])
        reply = await ask(turn.with_messages(messages))
        return reply.after({"sources": [match.source() for match in near]})

    async def _matches(self, question: str, turn: llamafarm.Turn) -> list[Match]:
        """The notes nearest to the question, the nearest first."""
        notes = await self._embedded_notes(turn)
        if not notes:
            return []
        [asked] = await self._embed([question], turn)
        matches = [Match(note, round(cosine(vector, asked), 4)) for note, vector in notes]
        return sorted(matches, key=lambda match: -match.score)[: self._options.top]

    async def _embedded_notes(self, turn: llamafarm.Turn) -> list[tuple[Note, Vector]]:
        """All notes with their vectors; of several turns at once, the first asks for those of new notes."""
        assert self._notebook is not None, "a handler is started before its first turn"
        async with self._embedding:
            notes = await asyncio.to_thread(self._notebook.notes)
            new = list(dict.fromkeys(note.text for note in notes if note.text not in self._vectors))
            for begin in range(0, len(new), BATCH):
                texts = new[begin : begin + BATCH]
                self._vectors.update(zip(texts, await self._embed(texts, turn), strict=True))
            self._vectors = {note.text: self._vectors[note.text] for note in notes}
            return [(note, self._vectors[note.text]) for note in notes]

    async def _embed(self, texts: list[str], turn: llamafarm.Turn) -> list[Vector]:
        """The vector of each text, of length 1."""
        answer = await turn.ask(EMBEDDINGS, {"input": texts}, model=self._options.embedder)
        rows = sorted(answer["data"], key=lambda row: row["index"])
        return [unit(row["embedding"]) for row in rows]


def question_of(messages: Iterable[Message]) -> str:
    """The text that the user said last; empty where that holds none."""
    content = next((message.get("content") for message in reversed([*messages]) if message["role"] == "user"), None)
    if isinstance(content, str):
        return content.strip()
    return "\n".join(part.get("text", "") for part in content or () if part.get("type") == "text").strip()


def with_notes(messages: Iterable[Message], notes: Iterable[Note]) -> list[Message]:
    """The messages with the notes before the user's last words.

    They stand in the same message: many chat templates want one system message, at the beginning.
    """
    changed = [*messages]
    at = max(number for number, message in enumerate(changed) if message["role"] == "user")
    context = "\n".join([PREAMBLE, *(f"- {note.text}" for note in notes)])
    content = changed[at].get("content") or ""
    message: Any = {**changed[at]}
    if isinstance(content, str):
        message["content"] = f"{context}\n\n{content}"
    else:
        message["content"] = [{"type": "text", "text": context}, *content]
    changed[at] = message
    return changed


def unit(vector: Sequence[float]) -> Vector:
    """The vector of length 1 that points the same way."""
    length = hypot(*vector) or 1.0
    return tuple(value / length for value in vector)


def cosine(left: Vector, right: Vector) -> float:
    """The cosine of the angle between two vectors of length 1."""
    return sum(a * b for a, b in zip(left, right, strict=True))
