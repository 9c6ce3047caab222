"""What the files of a model say of it, for those who look at it before it is loaded. Asks no network."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from llamafarm_universal.catalogue import spec_of
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import FileFacts, Machine, ModelRef
from llamafarm_universal.messages.plan import Abilities, Limits, LoadPlan
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.store.adapter_facts import adapter_facts
from llamafarm_universal.store.adapters import base_of
from llamafarm_universal.store.beside import adapted_plan, adapter_of
from llamafarm_universal.store.cache import cached, copies
from llamafarm_universal.store.copy import Copy
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import make_plan

log = logging.getLogger(__name__)
_NOT_BESIDE = frozenset({"embed"}), frozenset({"embeddings"})
"""What a model does without an adapter alone: operations and features."""


def inspect_all(refs: Iterable[ModelRef]) -> dict[ModelRef, FileFacts]:
    """What the files of each model say of which there are any."""
    facts = {ref: inspect(ref) for ref in refs}
    return {ref: told for ref, told in facts.items() if told is not None}


def inspect(ref: ModelRef) -> FileFacts | None:
    """What a model's files say; None where they are not all here. Never raises: what keeps it from loading is told."""
    try:
        return _facts(ref)
    except RequestFailed as failure:
        return None if failure.kind == "model_not_found" else FileFacts(problem=failure.message)
    except Exception as error:
        log.exception("The files of `%s` cannot be looked at", ref.id)
        return FileFacts(problem=f"Its files cannot be read: {type(error).__name__}.")


def _facts(ref: ModelRef) -> FileFacts | None:
    folder = folder_here(ref)
    beside = adapter_of(ref)
    changing = None if beside is None else folder_here(beside)
    if folder is None or (beside is not None and changing is None):
        return None
    base = base_of(ref, folder)
    whole = folder if base is None else folder_here(base)
    if whole is None:
        return None
    plan = make_plan(ref.base, whole, Machine(), Limits(), adapter=None if base is None else folder)
    spec = spec_of(plan.engine, plan.task)
    able = spec.abilities(plan) if spec.abilities is not None else Abilities()
    if changing is None:
        return FileFacts(plan.task, plan.engine, plan.parameters, able)
    return _adapted(ref, plan, able, changing, adapts=spec.adapts)


def _adapted(ref: ModelRef, plan: LoadPlan, able: Abilities, folder: Path, *, adapts: bool) -> FileFacts:
    """Of a model with an adapter: what it can do is the model's, what it takes is the adapter's."""
    changed = adapted_plan(plan, ref, folder, adapts=adapts)
    assert changed.adapter is not None
    operations, features = _NOT_BESIDE
    able = Abilities(able.operations - operations, able.features - features, able.context_length, able.later)
    adapter = adapter_facts(changed.adapter)
    problem = None
    if not adapter.kind.endswith("LoRA") and adapter.kind != "DoRA":
        problem = f"The adapter is of the kind {adapter.kind}: only LoRA can be put on a loaded model."
    return FileFacts(plan.task, plan.engine, changed.parameters, able, adapter, problem)


def folder_here(ref: ModelRef) -> Path | None:
    """Where the files of a model lie on this machine: those of its revision, else of any; None where they are not all.

    Raises RequestFailed.
    """
    source = parse_model_id(ref.id)
    if not isinstance(source, HubId):
        return locate(ref, lambda *_: None)
    wanted = Copy.of(ref).arguments()
    folder = cached(source.id, wanted)
    if folder is None and ref.settings.revision is None:
        folder = next(copies(source.id, [wanted]), None)
    return folder / source.file if folder is not None and source.file else folder
