"""Which file is the configuration."""

from __future__ import annotations

from pathlib import Path

from llamafarm.project import FILE_NAMES


def find_config(start: Path) -> Path | None:
    """Return the configuration file in `start` or the nearest folder above it, or None."""
    folder = start.absolute()
    for place in (folder, *folder.parents):
        if found := config_in(place):
            return found
    return None


def config_in(folder: Path) -> Path | None:
    """Return the configuration file of this folder alone, or None."""
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)
