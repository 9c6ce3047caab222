"""Models in the GGUF format of llama.cpp: one file that holds everything. What its header tells; imports no torch.

Source: ggml's docs/gguf.md, versions 2 and 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from llamafarm_universal.failure import RequestFailed

SUFFIX = ".gguf"
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_MOST_FIELDS = 100_000
_MOST_ITEMS = 10_000_000  # of a list, such as a vocabulary
_MOST_BYTES = 100_000_000  # of a text

_SHAPES = {
    "max_position_embeddings": "context_length",
    "hidden_size": "embedding_length",
    "num_hidden_layers": "block_count",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "state_size": "ssm.state_size",
}
"""Names of transformers' configurations, and of GGUF's behind that of the architecture."""
_EMBEDDING, _HEAD = "token_embd.weight", "output.weight"
"""Tensors. Where there is no head, the embedding is that, too."""


@dataclass(frozen=True)
class Header:
    """fields: texts and numbers; of a list its length, or its largest number. tensors: their shapes."""

    fields: Mapping[str, Any]
    tensors: Mapping[str, tuple[int, ...]]

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(shape) for shape in self.tensors.values())

    @property
    def config(self) -> dict[str, Any]:
        """What a config.json would say of the architecture and its shapes."""
        architecture = str(self.fields.get("general.architecture"))
        generates = "ForConditionalGeneration" if architecture in ("t5", "umt5") else "ForCausalLM"
        shapes = {name: self.fields.get(f"{architecture}.{field}") for name, field in _SHAPES.items()}
        known = {name: value for name, value in shapes.items() if isinstance(value, int)}
        if embedding := self.tensors.get(_EMBEDDING):
            known["vocab_size"] = embedding[-1]  # the dimensions of a tensor are written from the last one to the first
        named = {"model_type": architecture, "architectures": [architecture.capitalize() + generates]}
        return {**named, **known, "tie_word_embeddings": _HEAD not in self.tensors}


def is_gguf(path: Path | str) -> bool:
    """Whether a path names a file in this format."""
    return str(path).lower().endswith(SUFFIX)


def read_header(path: Path) -> Header:
    """Read the header of a file. Raises RequestFailed where it is none or damaged."""
    try:
        with path.open("rb") as file:
            return _header(_Reader(file), path)
    except (struct.error, ValueError, OverflowError, MemoryError) as error:
        raise RequestFailed("load_failed", f"{path.name} is damaged: its header cannot be read.") from error


def _header(reader: _Reader, path: Path) -> Header:
    if reader.file.read(4) != _MAGIC:
        raise RequestFailed("load_failed", f"{path.name} is not a GGUF file.")
    version, tensors, fields = reader.numbers("IQQ")
    if version not in _VERSIONS:
        raise RequestFailed("not_supported", f"{path.name} is of version {version} of GGUF; 2 and 3 can be read.")
    if max(tensors, fields) > _MOST_FIELDS:
        raise ValueError(f"{tensors} tensors, {fields} fields")
    values = {reader.text(): reader.value() for _ in range(fields)}
    return Header(values, dict(reader.tensor() for _ in range(tensors)))


@dataclass(frozen=True)
class _Reader:
    file: BufferedReader

    def numbers(self, kinds: str) -> tuple[Any, ...]:
        """Numbers of these kinds, as `struct` names them."""
        return struct.unpack(f"<{kinds}", self.file.read(struct.calcsize(f"<{kinds}")))

    def text(self) -> str:
        [size] = self.numbers("Q")
        if size > _MOST_BYTES:
            raise ValueError(f"a text of {size} bytes")
        data = self.file.read(size)
        if len(data) < size:
            raise ValueError("the file ends within a text")
        return data.decode("utf-8", "replace")

    def value(self) -> Any:
        [kind] = self.numbers("I")
        if kind == _TEXT:
            return self.text()
        if kind != _LIST:
            return self.numbers(_kind(kind))[0]
        kind, count = self.numbers("IQ")
        if count > _MOST_ITEMS:
            raise ValueError(f"a list of {count} items")
        if kind == _TEXT:
            for _ in range(count):
                self.text()
            return count
        return max(self.numbers(f"{count}{_kind(kind)}"), default=0)

    def tensor(self) -> tuple[str, tuple[int, ...]]:
        """The name and the shape of a tensor, whose entry is read past."""
        name = self.text()
        [dimensions] = self.numbers("I")
        if dimensions > 8:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        shape = tuple(int(size) for size in self.numbers(f"{dimensions}Q"))
        self.numbers("IQ")  # its type, and where it lies
        return name, shape


def _kind(number: int) -> str:
    if number not in _NUMBERS:
        raise ValueError(f"a value of type {number}")
    return _NUMBERS[number]
