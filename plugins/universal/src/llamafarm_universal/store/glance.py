"""What a model does, where its configuration lies on this machine: for those who only choose between models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.store.cache import folder_of
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import read_config
from llamafarm_universal.task import task_of


def task_here(model: str) -> str | None:
    """The task of a model; None where its files are not here, or do not say it. Asks no network and never raises."""
    try:
        for folder in _folders(model):
            if (task := task_of(folder, read_config(folder, model))) is not None:
                return task
    except (RequestFailed, OSError):
        pass
    return None


def _folders(model: str) -> Iterable[Path]:
    """Every revision that the cache has of a hub model; the folder of another one."""
    source = parse_model_id(model)
    if isinstance(source, HubId):
        return sorted(folder_of(source.id).glob(f"snapshots/*/{source.file}" if source.file else "snapshots/*"))
    return [locate(ModelRef(model), lambda *_: None)]
