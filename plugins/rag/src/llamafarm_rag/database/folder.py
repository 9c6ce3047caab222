"""Where a database lies: `rag/PROJECT/DATABASE` in the data directory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions


def database_folder(project: llamafarm.Project, options: DatabaseOptions, environ: Mapping[str, str]) -> Path:
    """The folder of a database: readable, and another one for each project, whatever the projects are called."""
    readable = re.sub(r"[^a-z0-9_-]+", "-", project.name.lower()).strip("-")[:40] or "project"
    return llamafarm.data_dir(environ) / "rag" / f"{readable}-{_hash(project.identity)}" / _file_name(options.name)


def _file_name(name: str) -> str:
    """Some file systems do not tell `Notes` from `notes`."""
    return name if name == name.lower() else f"{name.lower()}-{_hash(name)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
