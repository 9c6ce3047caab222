"""What a model is, and how it is to be loaded: read from its files, but for the weights themselves."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.catalogue import choose, tasks
from llamafarm_universal.failure import RequestFailed, about, without_paths
from llamafarm_universal.gguf import is_gguf, read_header
from llamafarm_universal.messages import Machine, ModelRef
from llamafarm_universal.messages.plan import ADAPTER_WEIGHTS, CONFIG_FILES, Candidate, Limits, LoadPlan
from llamafarm_universal.placement import choose_device, choose_dtype
from llamafarm_universal.remote_code import refuse_remote_code
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.store.adapters import check_adapter, refuse_inner_adapters
from llamafarm_universal.store.beside import adapted_plan
from llamafarm_universal.store.drafts import draft_of, refuse_adapter, refuse_other_task
from llamafarm_universal.store.vocoders import vocoder_of, voiced_plan
from llamafarm_universal.task import named_task, task_of

log = logging.getLogger(__name__)


def make_plan(
    ref: ModelRef,
    folder: Path,
    machine: Machine,
    limits: Limits,
    *,
    adapter: Path | None = None,
    draft: Path | None = None,
    beside: Path | None = None,
    vocoder: Path | None = None,
) -> LoadPlan:
    """Decide engine, device and number format, and weigh the model. Reads no weights. Raises RequestFailed.

    adapter: the folder of the adapter that `ref` names, where it names one; `folder` is its base model's. draft: the
    folder of its draft model, where its settings name one. beside: the folder of the adapter that its settings name;
    the plan is that of putting it on the model once that is loaded. vocoder: the folder of what makes sound of its
    spectra, where that is a model of its own.
    """
    if adapter is None:
        refuse_remote_code(ref.id, folder, trusted=ref.settings.trust_remote_code)
        refuse_inner_adapters(ref.id, folder)
    else:
        check_adapter(ref, adapter, folder)
    try:
        candidate = _candidate(ref, folder, machine, adapter)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        log.error("The configuration of `%s` makes no sense", ref.id, exc_info=error)
        raise RequestFailed(
            "load_failed",
            f"The configuration of `{ref.id}` makes no sense: {type(error).__name__}: {without_paths(str(error))}",
        ) from error
    spec, fit = choose(candidate)
    plan = LoadPlan.of(candidate, spec.name, fit, limits, isolated=spec.isolated)
    voice = None if vocoder is None else vocoder_of(ref, folder, candidate.config)
    if vocoder is not None and voice is not None:
        plan = voiced_plan(plan, voice, vocoder)
    if beside is not None:
        return adapted_plan(plan, ref, beside, adapts=spec.adapts)
    return plan if draft is None else plan.drafted_by(_draft_plan(ref, draft, machine, limits))


def _draft_plan(ref: ModelRef, folder: Path, machine: Machine, limits: Limits) -> LoadPlan:
    draft = draft_of(ref)
    assert draft is not None, "a folder of no draft model"
    with about("draft_model"):
        refuse_adapter(draft, folder)
        plan = make_plan(draft, folder, machine, limits)
        refuse_other_task(plan)
    return plan


def _candidate(ref: ModelRef, folder: Path, machine: Machine, adapter: Path | None) -> Candidate:
    settings = ref.settings
    config = read_config(folder, ref.id)
    task = named_task(settings.model_type, tasks()) if settings.model_type else task_of(folder, config)
    if is_gguf(folder) and task != "text":
        raise RequestFailed(
            "not_supported",
            f"`{ref.id}` is a GGUF file: they are read as models for `text` alone, not for `{task}`.",
            hint="Use the model's safetensors, or a runtime of llama.cpp (`provider: ollama`, `provider: lemonade`).",
            param="model_type",
        )
    parameters = read_header(folder).parameters if is_gguf(folder) else count_parameters(folder)
    if adapter is not None:
        parameters += count_parameters(adapter, ADAPTER_WEIGHTS)
        task = "embedding" if (adapter / "modules.json").is_file() else task
    device = choose_device(settings.device, machine)
    dtype = choose_dtype(settings.dtype, device, machine, config, parameters)
    return Candidate(ref, folder, config, task, device, dtype, parameters, adapter, machine.memory.get(device))


def read_config(folder: Path, model: str) -> Mapping[str, Any]:
    """config.json, or model_index.json of a diffusers pipeline, or what a GGUF file says. Raises RequestFailed."""
    if is_gguf(folder):
        return read_header(folder).config
    for name in CONFIG_FILES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise RequestFailed("load_failed", f"`{model}` has a {name} that is not JSON: {error}") from error
        if isinstance(config, dict):
            return config
        if name == "modules.json":  # a list; the configuration lies in the folder of its first module
            return {}
        raise RequestFailed("load_failed", f"`{model}` has a {name} that holds no JSON object.")
    raise RequestFailed("model_not_found", f"`{model}` holds no model: it has no config.json.")
