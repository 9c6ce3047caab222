"""What is known of a model before its weights are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llamafarm_universal.device import DeviceName, DtypeName
from llamafarm_universal.host.messages import ModelRef

CONFIG_FILES = ("config.json", "model_index.json", "modules.json")
"""One of these makes a folder a model: of transformers, of diffusers, of sentence-transformers in its oldest layout."""


@dataclass(frozen=True)
class LoadPlan:
    """config: the model's own config.json (model_index.json of a pipeline). memory_bytes: of the loaded weights."""

    ref: ModelRef
    folder: Path
    config: Mapping[str, Any]
    engine: str
    device: DeviceName
    dtype: DtypeName
    parameters: int
    memory_bytes: int
