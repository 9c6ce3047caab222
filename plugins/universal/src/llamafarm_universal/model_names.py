"""How model entries name what the runtime loads: ids of the Hugging Face hub, folders, and files."""

from __future__ import annotations

import os

from llamafarm import beside_config
from pydantic import ValidationInfo

PACKAGE = "package:"
_FOLDERS = ("/", "~", "./", "../")
_WEIGHTS = ".safetensors"


def placed(model: str, info: ValidationInfo) -> str:
    """The model as the runtime, which works in another folder, understands it. Raises ValueError for other ids."""
    if is_folder(model):
        return beside_config(model, info)
    if model.lower().endswith(".gguf"):
        if ":" in model:
            return model
        raise ValueError(
            f"{model!r} is no Hugging Face id: write './{model}' for a file, or 'org/name:FILE.gguf' for one of the hub"
        )
    if model.lower().endswith("-gguf"):
        raise ValueError(
            f"{model!r} holds GGUF files: name one of them, '{model}:FILE.gguf', or let `provider: ollama` or "
            "`provider: lemonade` execute it"
        )
    if model.startswith(("http://", "https://")):
        raise ValueError(f"{model!r} is an address; write the id alone, such as `Qwen/Qwen3-0.6B`")
    if ":" in model and model.lower().endswith(_WEIGHTS):
        raise ValueError(
            f"{model!r} is a file of weights, and no model: name it under `adapters:` of the model it changes"
        )
    if ":" in model and not model.startswith(PACKAGE):
        raise ValueError(
            f"{model!r} is no Hugging Face id: names with a `:` are Ollama's, which `provider: ollama` executes"
        )
    return model


def placed_adapter(model: str, info: ValidationInfo) -> str:
    """The same of an adapter, which may be one file of a repository of the hub. Raises ValueError."""
    if is_folder(model) or not model.lower().endswith(_WEIGHTS):
        return placed(model, info)
    if ":" in model:
        return model
    raise ValueError(
        f"{model!r} is no Hugging Face id: write './{model}' for a file, 'org/name:FILE{_WEIGHTS}' for one of the hub"
    )


def is_folder(model: str) -> bool:
    """Whether a model is named by its folder on this machine."""
    return model.startswith(_FOLDERS)


def folder_path(model: str) -> str:
    """The whole path of a folder; no link is resolved."""
    return os.path.abspath(os.path.expanduser(model))  # noqa: PTH100, PTH111 - no link is resolved
