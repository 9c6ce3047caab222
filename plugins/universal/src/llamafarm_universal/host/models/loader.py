"""From a folder to weights in memory: safetensors only, no code of the model's own unless trusted."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llamafarm_universal.catalogue import choose, tasks
from llamafarm_universal.device import choose_device, choose_dtype, torch_dtype
from llamafarm_universal.failure import RequestFailed, is_out_of_memory, without_paths
from llamafarm_universal.host.models.safetensors import count_parameters
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.plan import CONFIG_FILES, Candidate, LoadPlan
from llamafarm_universal.remote_code import refuse_remote_code
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.task import named_task, task_of

log = logging.getLogger(__name__)


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


def make_plan(ref: ModelRef, folder: Path, options: HostOptions) -> LoadPlan:
    """Decide engine, device and number format, and weigh the model. Reads no weights. Raises RequestFailed."""
    candidate = _candidate(ref, folder, options)
    spec, fit = choose(candidate)
    return LoadPlan.of(candidate, spec.name, fit, options)


def _candidate(ref: ModelRef, folder: Path, options: HostOptions) -> Candidate:
    settings = ref.settings
    config = read_config(folder, ref.id)
    refuse_remote_code(ref.id, folder, trusted=settings.trust_remote_code)
    task = named_task(settings.model_type, tasks()) if settings.model_type else task_of(folder, config)
    parameters = count_parameters(folder)
    device = choose_device(options.device if settings.device == "auto" else settings.device)
    dtype = choose_dtype(options.dtype if settings.dtype == "auto" else settings.dtype, device, config, parameters)
    return Candidate(ref, folder, config, task, device, dtype, parameters)


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
    log.error("`%s` could not be loaded from %s", plan.ref.id, plan.folder, exc_info=error)
    return RequestFailed(
        "load_failed",
        f"`{plan.ref.id}` could not be loaded: {type(error).__name__}: {without_paths(str(error))}",
        hint=_remedy(plan),
    )


def _remedy(plan: LoadPlan) -> str:
    """What helps where the files are damaged: a copy of a hub's can be fetched again, the user's own folder cannot."""
    if isinstance(parse_model_id(plan.ref.id), HubId):
        return "If its files are damaged, delete them (`lf models rm`) to have them fetched again."
    return "Are its files whole, and saved by `save_pretrained` or the like?"


def read_config(folder: Path, model: str) -> Mapping[str, Any]:
    """config.json, or model_index.json of a diffusers pipeline. Raises RequestFailed."""
    for name in CONFIG_FILES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RequestFailed("load_failed", f"`{model}` has a {name} that is not JSON: {error}") from error
        if isinstance(config, dict):
            return config
        if name == "modules.json":  # a list; the configuration lies in the folder of its first module
            return {}
        raise RequestFailed("load_failed", f"`{model}` has a {name} that holds no JSON object.")
    raise RequestFailed("model_not_found", f"`{model}` holds no model: it has no config.json.")


def readable(count: float) -> str:
    """Bytes, for people."""
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} KB"
