"""Weights in the safetensors format: which files hold them, and what their headers tell."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from llamafarm_universal.engine import Candidate, FilePatterns
from llamafarm_universal.failure import RequestFailed
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
    ),
)
"""The files that torch's engines need of a repository."""

_MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors format


def weigh(candidate: Candidate) -> int:
    """The bytes of the loaded weights. Raises RequestFailed where there are none, or only some that may run code."""
    refuse_pickle(candidate.ref.id, candidate.folder)
    return candidate.parameters * BYTES[candidate.dtype]


def count_parameters(folder: Path, files: str = "**/*.safetensors") -> int:
    """How many numbers the safetensors files of a folder hold, read from their headers alone."""
    return sum(_count(path) for path in folder.glob(files))


def _count(path: Path) -> int:
    with path.open("rb") as file:
        size = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
        if not 0 < size <= _MAX_HEADER:
            raise RequestFailed("load_failed", f"{path.name} is not a safetensors file.")
        try:
            header = json.loads(file.read(size))
            return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RequestFailed("load_failed", f"{path.name} is damaged: its header cannot be read.") from error
