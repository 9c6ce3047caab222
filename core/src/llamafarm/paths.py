"""Where LlamaFarm keeps what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DATA_DIR = "LF_DATA_DIR"


def data_dir(environ: Mapping[str, str]) -> Path:
    """Return the data directory: LF_DATA_DIR, or `.llamafarm` in the home directory. It may not exist yet."""
    chosen = environ.get(DATA_DIR)
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / ".llamafarm"
