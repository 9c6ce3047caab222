"""What a reader's process is asked, and what it answers: JSON behind its length.

JSON, and no pickle: the process reads what strangers have written, and its answers are read as a stranger's.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.documents.document import Block, Document
from llamafarm_rag.errors import UnreadableFile

LENGTH_BYTES = 8
MAX_ANSWER_BYTES = 1024**3
"""More is no answer."""


def framed(message: bytes) -> bytes:
    """A message behind its length."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def length_of(head: bytes) -> int:
    """How many bytes follow."""
    return int.from_bytes(head, "big")


def dump_job(path: Path, processing: ProcessingStrategy) -> bytes:
    """The request to read a file."""
    return json.dumps({"path": str(path), "processing": processing.model_dump()}).encode()


def load_job(message: bytes) -> tuple[Path, ProcessingStrategy]:
    job = json.loads(message)
    return Path(job["path"]), ProcessingStrategy.model_validate(job["processing"])


def dump_document(document: Document) -> bytes:
    blocks = [astuple(block) for block in document.blocks]
    fields = {"text": document.text, "blocks": blocks, "title": document.title, "metadata": dict(document.metadata)}
    return json.dumps(fields, ensure_ascii=False).encode()


def dump_error(error: UnreadableFile) -> bytes:
    return json.dumps({"unreadable": error.message, "hint": error.hint}).encode()


def load_answer(message: bytes) -> Document:
    """The document of an answer. Raises UnreadableFile where it is one."""
    answer: dict[str, Any] = json.loads(message)
    if "unreadable" in answer:
        raise UnreadableFile(answer["unreadable"], hint=answer["hint"], status=422, code="unreadable_file")
    blocks = tuple(
        Block(start, end, page, tuple(heading), by_line) for start, end, page, heading, by_line in answer["blocks"]
    )
    return Document(answer["text"], blocks, answer["title"], answer["metadata"])
