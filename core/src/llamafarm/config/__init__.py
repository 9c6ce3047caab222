"""llamafarm.yaml: found, read, filled in, normalised, checked against what the installed plugins say, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamafarm.config.find import find_config, init_text, write_example
from llamafarm.config.load import load_project, refuse_own_address
from llamafarm.config.secrets import mask, masked

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

__all__ = [
    "find_config",
    "init_text",
    "load_project",
    "mask",
    "masked",
    "refuse_own_address",
    "schema",
    "write_example",
]


def schema(plugins: PluginManager) -> dict[str, Any]:
    """The JSON Schema of llamafarm.yaml: see `llamafarm.config.json_schema`, which only this needs."""
    from llamafarm.config import json_schema

    return json_schema.schema(plugins)
