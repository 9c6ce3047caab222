"""Adapters of peft: repositories that hold changes to another model, which they name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.plan import ADAPTER_FILE, ADAPTER_WEIGHTS
from llamafarm_universal.remote_code import refuse_remote_code
from llamafarm_universal.safety import LocalFolder, parse_model_id, refuse_pickle

_MERGE = "Merge the adapter into its base model with peft's `merge_and_unload`, save that, and load it."


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and no weights beside."""
    return (folder / ADAPTER_FILE).is_file() and all(
        path.name == ADAPTER_WEIGHTS for path in folder.glob("*.safetensors")
    )


def base_of(ref: ModelRef, folder: Path) -> ModelRef | None:
    """The model that an adapter changes; None where the folder holds no adapter. Raises RequestFailed.

    Only an adapter that is a folder of this machine may name another one: what comes from the hub would have any
    folder read. What the user trusts is the adapter; the code of its base model is somebody else's.
    """
    if not is_adapter(folder):
        return None
    refuse_remote_code(ref.id, folder, trusted=False)
    config = _read(ref.id, folder)
    base = config.get("base_model_name_or_path")
    if not base or not isinstance(base, str):
        raise RequestFailed("load_failed", f"`{ref.id}` is an adapter, and does not say of which model.", hint=_MERGE)
    return ModelRef(
        _resolved(ref, folder, base), replace(ref.settings, revision=config.get("revision"), trust_remote_code=False)
    )


def check_adapter(ref: ModelRef, adapter: Path, base: Path) -> None:
    """Refuse an adapter that could execute code when it is read, or whose base model could or is none.

    Raises RequestFailed.
    """
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        refuse_pickle(ref.id, adapter)
        raise RequestFailed("model_not_found", f"`{ref.id}` has no {ADAPTER_WEIGHTS}.", param="model")
    if is_adapter(base):
        raise refused(f"`{ref.id}` is an adapter of another adapter.", "model", hint=_MERGE)
    try:
        refuse_remote_code(ref.id, base, trusted=False)
    except RequestFailed as failure:
        failure.hint = _MERGE
        raise


def refuse_inner_adapters(model: str, folder: Path) -> None:
    """Refuse a model that has an adapter beside the weights of a part: libraries would load yet another model for it.

    Raises RequestFailed.
    """
    parts = [path.parent for path in (folder / ADAPTER_FILE, *folder.glob(f"*/{ADAPTER_FILE}")) if path.is_file()]
    for part in parts:
        if part == folder or (folder / "modules.json").is_file():
            name = (part / ADAPTER_FILE).relative_to(folder).as_posix()
            raise RequestFailed("not_supported", f"`{model}` has an adapter within it (`{name}`).", hint=_MERGE)


def _resolved(ref: ModelRef, folder: Path, base: str) -> str:
    """The id of the base model; relative to the adapter's folder where it is one."""
    source = parse_model_id(base)
    if not isinstance(source, LocalFolder):
        return base
    if not isinstance(parse_model_id(ref.id), LocalFolder):
        raise refused(
            f"`{ref.id}` is an adapter of a folder of its author's (`{source.path.name}`), not of a model of the hub.",
            "model",
            hint="Download it, write the base model into its adapter_config.json, and load it from your folder.",
        )
    return str((folder / source.path).resolve())


def _read(model: str, folder: Path) -> dict[str, Any]:
    config = json.loads((folder / ADAPTER_FILE).read_text(encoding="utf-8"))  # that it is JSON has been seen
    if not isinstance(config, dict):
        raise RequestFailed("load_failed", f"`{model}` has a {ADAPTER_FILE} that holds no JSON object.")
    return config
