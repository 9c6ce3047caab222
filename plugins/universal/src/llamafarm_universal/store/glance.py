"""What a model does, where its configuration lies on this machine: for those who only choose between models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.sound_kind import Kind, kind_of
from llamafarm_universal.store.cache import folder_of
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import read_config
from llamafarm_universal.task import task_of

T = TypeVar("T")


def task_here(model: str) -> str | None:
    """The task of a model; None where its files are not here, or do not say it. Asks no network and never raises."""
    return _read(model, task_of)


def sound_kind_here(model: str) -> Kind | None:
    """How a model of sound is executed; None as of `task_here`."""
    return _read(model, lambda _, config: kind_of(config))


def _read(model: str, read: Callable[[Path, Mapping[str, Any]], T | None]) -> T | None:
    """What `read` makes of the model's folder and configuration, of the first revision of which it makes anything."""
    try:
        for folder in _folders(model):
            if (found := read(folder, read_config(folder, model))) is not None:
                return found
    except (RequestFailed, OSError):
        pass
    return None


def _folders(model: str) -> Iterable[Path]:
    """Every revision that the cache has of a hub model; the folder of another one."""
    source = parse_model_id(model)
    if isinstance(source, HubId):
        return sorted(folder_of(source.id).glob(f"snapshots/*/{source.file}" if source.file else "snapshots/*"))
    return [locate(ModelRef(model), lambda *_: None)]
