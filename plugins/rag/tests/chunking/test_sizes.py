"""How long chunks are, by llamafarm.yaml and by the embedder."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm.errors import UsageError
from llamafarm_rag.chunking.sizes import ChunkSize, chunk_size
from llamafarm_rag.config.processing import ParserOptions, ProcessingStrategy

FILE = Path("notes.md")


def strategy(**fields):
    return ProcessingStrategy(name="mine", **fields)


@pytest.mark.parametrize(
    ("fields", "longest", "expected"),
    [
        ({}, None, ChunkSize(160, 20)),
        ({}, 8192, ChunkSize(160, 20)),
        ({}, 128, ChunkSize(124, 15)),
        ({"chunk_size": 512}, 8192, ChunkSize(512, 64)),
        ({"chunk_size": 512}, 512, ChunkSize(508, 63)),
        ({"chunk_size": 256}, 244, ChunkSize(240, 30)),
        ({"chunk_size": 64, "chunk_overlap": 0}, None, ChunkSize(64, 0)),
        ({"chunk_size": 64, "parsers": [ParserOptions(type="markdown", chunk_size=100)]}, None, ChunkSize(100, 12)),
        ({"chunk_overlap": 9, "parsers": [ParserOptions(type="markdown", chunk_overlap=5)]}, None, ChunkSize(160, 5)),
        ({"chunk_size": 64, "parsers": [ParserOptions(type="csv", chunk_size=100)]}, None, ChunkSize(64, 8)),
    ],
)
def test_sizes(fields, longest, expected):
    assert chunk_size(FILE, strategy(**fields), longest) == expected


@pytest.mark.parametrize(
    ("fields", "longest", "said"),
    [
        ({"chunk_size": 64, "chunk_overlap": 64}, None, "'mine': chunk_overlap is 64, and chunks have 64 tokens"),
        ({"chunk_size": 600}, 512, "chunk_size is 600, and the embedder reads 512 tokens"),
        ({}, 10, "the embedder reads 10 tokens of a text, which is too little"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(fields, longest, said):
    with pytest.raises(UsageError, match=said) as caught:
        chunk_size(FILE, strategy(**fields), longest)
    assert caught.value.status == 400
    assert "data_processing_strategies" in str(caught.value)
