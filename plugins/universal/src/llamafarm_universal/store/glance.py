"""What a model does, where its configuration lies on this machine: for those who only choose between models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.processor_files import media_read
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.sound_kind import Kind, kind_of
from llamafarm_universal.store.cache import folder_of
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import read_config
from llamafarm_universal.task import sight_of, task_of


@dataclass(frozen=True)
class Glance:
    """What a model's files say. task: None where they are not here, or do not say it.

    sight: what it does with pictures, as of `sight_of`. sound: how a model of sound is executed.
    media: which ones the parts of messages may be.
    """

    task: str | None = None
    sight: str | None = None
    sound: Kind | None = None
    media: frozenset[str] = frozenset()


def glance(model: str) -> Glance:
    """What the files of a model say that are here. Asks no network and never raises."""
    try:
        for folder in _folders(model):
            config = read_config(folder, model)
            if (task := task_of(folder, config)) is not None:
                media = media_read(folder) if task == "multimodal" else frozenset()
                return Glance(task, sight_of(config), kind_of(config), media)
    except (RequestFailed, OSError):
        pass
    return Glance()


def _folders(model: str) -> Iterable[Path]:
    """Every revision that the cache has of a hub model; the folder of another one."""
    source = parse_model_id(model)
    if isinstance(source, HubId):
        return sorted(folder_of(source.id).glob(f"snapshots/*/{source.file}" if source.file else "snapshots/*"))
    return [locate(ModelRef(model), lambda *_: None)]
