"""Weights in the safetensors format: which files hold them, and what their headers tell."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.engine import Candidate, FilePatterns
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.gguf import is_gguf
from llamafarm_universal.messages import Quantization
from llamafarm_universal.placement import BYTES
from llamafarm_universal.safety import refuse_pickle

SAFETENSORS = FilePatterns(
    take=("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken"),
    # The same weights once more, in other layouts; and what a training has left behind.
    leave=(
        "checkpoint-*/*",
        "consolidated*.safetensors",
        "original/*",
        "onnx/*",
        "openvino/*",
        "coreml/*",
        "*.fp16.safetensors",
        "safety_checker/*",  # of pipelines that draw: nothing here judges pictures
    ),
)
"""The files that torch's engines need of a repository."""

_MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors format


_QUANTIZED: Mapping[Quantization, float] = {"int8": 1.03, "int4": 0.63}
"""Bytes of each number, with its share of scales."""


def weigh(candidate: Candidate) -> int:
    """The bytes of the loaded weights. Raises RequestFailed where there are none, or only some that may run code.

    A quantization leaves the embedding as it is, and gives the head of a text model eight bits. A head that is tied to
    the embedding is held once more, in the form that products are fastest with, where the engine makes forms.
    """
    if not is_gguf(candidate.folder):
        refuse_pickle(candidate.ref.id, candidate.folder)
    full, quantization = BYTES[candidate.dtype], candidate.ref.settings.quantization
    embedded = min(_embedded(candidate.config), candidate.parameters)
    is_tied = candidate.task == "text" and candidate.config.get("tie_word_embeddings", True)
    if quantization == "none":
        copied = embedded * full if is_tied and candidate.device == "cpu" else 0
        return candidate.parameters * full + copied
    head = embedded if candidate.task == "text" else 0
    rest = max(0, candidate.parameters - embedded - (0 if is_tied else head))
    return int(embedded * full + head * _QUANTIZED["int8"] + rest * _QUANTIZED[quantization])


def _embedded(config: Mapping[str, Any]) -> int:
    """How many numbers the embedding of tokens has; 0 where the configuration does not tell."""
    config = config.get("text_config") or config
    width = next((config[name] for name in ("hidden_size", "n_embd", "d_model") if name in config), 0)
    return int(config.get("vocab_size") or 0) * int(width or 0)


def count_parameters(folder: Path, files: str = "**/*.safetensors", *, leave: str | None = None) -> int:
    """How many numbers the safetensors files of a folder hold, read from their headers alone.

    leave: what is in the names of tensors that do not count.
    """
    return sum(_count(path, leave) for path in folder.glob(files))


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors of a file by their names, read from its header alone. Raises RequestFailed.

    What is true or false is a mask, and no weight: it is left out.
    """
    with path.open("rb") as file:
        size = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
        if not 0 < size <= _MAX_HEADER:
            raise RequestFailed("load_failed", f"{path.name} is not a safetensors file.")
        try:
            tensors = {name: entry for name, entry in json.loads(file.read(size)).items() if name != "__metadata__"}
            return {name: _shape(entry) for name, entry in tensors.items() if entry["dtype"] != "BOOL"}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RequestFailed("load_failed", f"{path.name} is damaged: its header cannot be read.") from error


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    """Raises ValueError for a size that is no number."""
    return tuple(int(size) for size in entry["shape"])


def _count(path: Path, leave: str | None) -> int:
    return sum(math.prod(shape) for name, shape in shapes_of(path).items() if leave is None or leave not in name)
