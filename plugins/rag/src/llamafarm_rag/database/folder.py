"""Where a database lies, `rag/PROJECT/DATABASE` in the data directory, and the files that clients add."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions

LEDGER = "ledger.sqlite3"
"""What counts of a database, in its folder."""


def database_folder(project: llamafarm.Project, options: DatabaseOptions, environ: Mapping[str, str]) -> Path:
    """The folder of a database: readable, and another one for each project, whatever the projects are called."""
    return _all_folders(environ) / _project_name(project) / _file_name(options.name)


def files_folder(project: llamafarm.Project, dataset: str, environ: Mapping[str, str]) -> Path:
    """The folder of the files that clients have added to a dataset over HTTP."""
    return _all_folders(environ) / f"{_project_name(project)}.files" / _file_name(dataset)


def _all_folders(environ: Mapping[str, str]) -> Path:
    return llamafarm.data_dir(environ) / "rag"


def _project_name(project: llamafarm.Project) -> str:
    readable = re.sub(r"[^a-z0-9_-]+", "-", project.name.lower()).strip("-")[:40] or "project"
    return f"{readable}-{_hash(project.identity)}"


def _file_name(name: str) -> str:
    """Some file systems do not tell `Notes` from `notes`."""
    return name if name == name.lower() else f"{name.lower()}-{_hash(name)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
