"""llamafarm.yaml: found, read, normalised, filled in, checked against what the installed plugins say, and shown."""

from __future__ import annotations

from llamafarm.config.find import find_config, init_text, write_example
from llamafarm.config.load import load_project, refuse_own_address
from llamafarm.config.secrets import mask, masked

__all__ = [
    "find_config",
    "init_text",
    "load_project",
    "mask",
    "masked",
    "refuse_own_address",
    "write_example",
]
