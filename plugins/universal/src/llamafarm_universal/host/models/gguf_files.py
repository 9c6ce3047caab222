"""GGUF files, read by transformers: configuration, tokenizer, and weights, which become plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages.plan import LoadPlan


def read_gguf(path: Path, auto_class: Any, weights: dict[str, Any], common: dict[str, Any]) -> tuple[Any, Any, Any]:
    """A file's model, what transformers says of reading it, and its tokenizer.

    weights, common: what `from_pretrained` takes for weights, and for everything. The configuration is read once for
    the model and its tokenizer: transformers takes ten seconds for each look at a file with 262,000 tokens.
    """
    from transformers import AutoConfig, GgufConfig

    with _beside_nothing(path) as folder:
        file = {"gguf_file": path.name, **common}
        config = AutoConfig.from_pretrained(folder, **file)
        tokenizer = _tokenizer_class(config).from_pretrained(folder, **file)
        as_numbers = GgufConfig(dequantize=True)
        module, info = auto_class.from_pretrained(
            folder, config=config, quantization_config=as_numbers, **weights, **file
        )
    module.config.quantization_config = None  # what was read is numbers
    return module, info, tokenizer


@contextmanager
def _beside_nothing(path: Path) -> Iterator[Path]:
    """A folder in which the file is alone: transformers would take a tokenizer or an adapter that lies beside it."""
    with TemporaryDirectory() as folder:
        Path(folder, path.name).symlink_to(path.resolve())
        yield Path(folder)


def _tokenizer_class(config: Any) -> Any:
    """The class that AutoTokenizer takes for a configuration without a tokenizer_config.json; it where that is unsure.

    AutoTokenizer itself would read the configuration again.
    """
    from transformers import TOKENIZER_MAPPING, AutoTokenizer, PreTrainedTokenizerFast

    found = TOKENIZER_MAPPING.get(type(config), PreTrainedTokenizerFast)
    is_sure = issubclass(found, PreTrainedTokenizerFast) and not getattr(config, "tokenizer_class", None)
    return found if is_sure else AutoTokenizer


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
