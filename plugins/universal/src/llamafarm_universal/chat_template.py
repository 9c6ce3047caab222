"""The chat template that lies beside a model, found without reading its tokenizer; imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llamafarm_universal.gguf import is_gguf, read_header

_FILES = ("chat_template.json", "processor_config.json", "tokenizer_config.json")
_TEMPLATE = "chat_template"
_DEFAULT = "default"


def chat_template_of(folder: Path) -> str:
    """The template as a text; empty where there is none.

    Source: transformers, `PreTrainedTokenizerBase.from_pretrained` and `ProcessorMixin.get_processor_dict`.
    """
    if is_gguf(folder):
        return str(read_header(folder).fields.get(f"tokenizer.{_TEMPLATE}") or "")
    own = folder / f"{_TEMPLATE}.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    return next(filter(None, (_chosen(read_object(folder / name).get(_TEMPLATE)) for name in _FILES)), "")


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no such file, or it holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _chosen(template: Any) -> str:
    """Some models have several, each with a name."""
    if isinstance(template, list):
        named = {each.get("name"): each.get("template") for each in template if isinstance(each, dict)}
        template = named.get(_DEFAULT) or next(iter(named.values()), "")
    return template if isinstance(template, str) else ""
