"""GGUF files, read by transformers: configuration, tokenizer, and weights, which become plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages.plan import LoadPlan


@contextmanager
def beside_nothing(path: Path) -> Iterator[Path]:
    """A folder in which the file is alone: transformers would take a tokenizer or an adapter that lies beside it."""
    with TemporaryDirectory() as folder:
        Path(folder, path.name).symlink_to(path.resolve())
        yield Path(folder)


def as_numbers(path: Path) -> dict[str, Any]:
    """What `from_pretrained` takes to read a file's weights as plain numbers."""
    from transformers import GgufConfig

    return {"gguf_file": path.name, "quantization_config": GgufConfig(dequantize=True)}


def gguf_failure(plan: LoadPlan, error: Exception) -> RequestFailed | None:
    """Why transformers cannot read a file, where that is known from its error."""
    text = str(error)
    if isinstance(error, ImportError):
        return RequestFailed(
            "not_supported",
            f"`{plan.ref.id}` is a GGUF file, and `gguf`, with which they are read, is not installed.",
            hint="pip install 'llamafarm-universal[server]'",
        )
    if isinstance(error, (ValueError, NotImplementedError)) and "not support" in text.lower():
        return RequestFailed(
            "not_supported",
            f"GGUF files of the architecture `{plan.config.get('model_type')}` cannot be read by transformers: {text}",
            hint="Use the model's safetensors, or a runtime of llama.cpp (`provider: ollama`, `provider: lemonade`).",
            param="model",
        )
    return None
