"""What a model is, and how it is to be loaded: read from its files, but for the weights themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.catalogue import choose, tasks
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import Machine, ModelRef
from llamafarm_universal.messages.plan import CONFIG_FILES, Candidate, Limits, LoadPlan
from llamafarm_universal.placement import choose_device, choose_dtype
from llamafarm_universal.remote_code import refuse_remote_code
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.task import named_task, task_of


def make_plan(ref: ModelRef, folder: Path, machine: Machine, limits: Limits) -> LoadPlan:
    """Decide engine, device and number format, and weigh the model. Reads no weights. Raises RequestFailed."""
    candidate = _candidate(ref, folder, machine)
    spec, fit = choose(candidate)
    return LoadPlan.of(candidate, spec.name, fit, limits)


def _candidate(ref: ModelRef, folder: Path, machine: Machine) -> Candidate:
    settings = ref.settings
    config = read_config(folder, ref.id)
    refuse_remote_code(ref.id, folder, trusted=settings.trust_remote_code)
    task = named_task(settings.model_type, tasks()) if settings.model_type else task_of(folder, config)
    parameters = count_parameters(folder)
    device = choose_device(settings.device, machine)
    dtype = choose_dtype(settings.dtype, device, machine, config, parameters)
    return Candidate(ref, folder, config, task, device, dtype, parameters)


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
