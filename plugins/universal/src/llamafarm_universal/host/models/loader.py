"""From a folder to weights in memory: safetensors only, no code of the model's own unless trusted."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llamafarm_universal.device import BYTES, choose_device, choose_dtype, torch_dtype
from llamafarm_universal.host.failure import RequestFailed, is_out_of_memory
from llamafarm_universal.host.messages import ModelRef
from llamafarm_universal.host.models.plan import CONFIG_FILES, LoadPlan
from llamafarm_universal.host.models.task import engine_name
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.safety import HubId, parse_model_id, refuse_pickle, refuse_remote_code

_MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors format


@dataclass
class Weights:
    """A loaded model, shared by the engines that execute it."""

    plan: LoadPlan
    module: Any
    tokenizer: Any

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def memory_bytes(self) -> int:
        """Bytes of all parameters and buffers, shared ones counted once."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
        return sum(storages.values())


def make_plan(ref: ModelRef, folder: Path, options: HostOptions, engines: Collection[str]) -> LoadPlan:
    """Decide engine, device and number format, and weigh the model. Reads no weights. Raises RequestFailed."""
    settings = ref.settings
    config = read_config(folder)
    refuse_remote_code(ref.id, config, trusted=settings.trust_remote_code)
    engine = engine_name(ref.id, folder, config, settings.model_type, engines)
    refuse_pickle(ref.id, folder)
    parameters = count_parameters(folder)
    device = choose_device(options.device if settings.device == "auto" else settings.device)
    dtype = choose_dtype(options.dtype if settings.dtype == "auto" else settings.dtype, device, config, parameters)
    return LoadPlan(ref, folder, config, engine, device, dtype, parameters, parameters * BYTES[dtype])


def load_weights(plan: LoadPlan, auto_class: Any) -> Weights:
    """Read a transformers model and its tokenizer. auto_class: such as AutoModelForCausalLM. Raises RequestFailed."""
    from transformers import AutoTokenizer

    common = {"local_files_only": True, "trust_remote_code": plan.ref.settings.trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(plan.folder, **common)
        module = auto_class.from_pretrained(
            plan.folder, dtype=torch_dtype(plan.dtype), device_map=plan.device, use_safetensors=True, **common
        )
    except Exception as error:
        raise load_failure(plan, error) from error
    module.eval().requires_grad_(False)
    return Weights(plan, module, tokenizer)


def load_failure(plan: LoadPlan, error: Exception) -> RequestFailed:
    """Why weights could not be read."""
    if is_out_of_memory(error):
        return RequestFailed(
            "out_of_memory",
            f"`{plan.ref.id}` needs about {readable(plan.memory_bytes)} and does not fit in memory.",
            hint="Use a smaller model, dtype fp16 or bf16, or device cpu.",
        )
    return RequestFailed(
        "load_failed",
        f"`{plan.ref.id}` could not be loaded: {type(error).__name__}: {error}",
        hint=f"Its files are in {plan.folder}{_remedy(plan)}",
    )


def _remedy(plan: LoadPlan) -> str:
    """What helps where the files are damaged: a copy of a hub's can be fetched again, the user's own folder cannot."""
    if isinstance(parse_model_id(plan.ref.id), HubId):
        return "; delete that copy to have it fetched again if it is damaged."
    return ": are they whole, and saved by `save_pretrained` or the like?"


def read_config(folder: Path) -> Mapping[str, Any]:
    """config.json, or model_index.json of a diffusers pipeline. Raises RequestFailed."""
    for name in CONFIG_FILES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RequestFailed("load_failed", f"{path} is not JSON: {error}") from error
        if isinstance(config, dict):
            return config
        if name == "modules.json":  # a list; the configuration lies in the folder of its first module
            return {}
        raise RequestFailed("load_failed", f"{path} holds no JSON object.")
    raise RequestFailed("model_not_found", f"{folder} holds no model: it has no config.json.")


def count_parameters(folder: Path) -> int:
    """How many numbers the safetensors files below a folder hold, read from their headers alone."""
    return sum(_count(path) for path in folder.rglob("*.safetensors"))


def _count(path: Path) -> int:
    with path.open("rb") as file:
        size = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
        if not 0 < size <= _MAX_HEADER:
            raise RequestFailed("load_failed", f"{path} is not a safetensors file.")
        try:
            header = json.loads(file.read(size))
        except ValueError as error:
            raise RequestFailed("load_failed", f"{path} is damaged: its header is not JSON.") from error
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def readable(count: float) -> str:
    """Bytes, for people."""
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} KB"
