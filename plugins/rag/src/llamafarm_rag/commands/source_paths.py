"""What `lf datasets add` and `rm` name, against the sources that a dataset has."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from llamafarm.cli import beside_cwd
from llamafarm.errors import UsageError


def with_sources(there: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """The sources and those that are added, each once. Raises UsageError for a path at which there is nothing."""
    added = [_whole(path) for path in paths]
    for source, path in zip(added, paths, strict=True):
        if not os.path.lexists(source) and not glob.has_magic(source):
            raise UsageError(f"There is no file and no folder {str(path)!r}.")
    return list(dict.fromkeys([*there, *added]))


def without_sources(there: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """The sources without those that are named. Raises UsageError for one that is not among them."""
    taken = [_whole(path) for path in paths]
    for source in taken:
        if source not in there:
            raise UsageError(
                f"{source} is no source that `lf datasets add` has added.",
                hint=f"Added: {', '.join(there) or 'nothing'}. Those under `sources` are taken out of llamafarm.yaml.",
            )
    return [source for source in there if source not in taken]


def _whole(path: Path) -> str:
    """The path as the database keeps it; links stay."""
    return os.path.abspath(beside_cwd(path.expanduser()))  # noqa: PTH100 - it resolves links
