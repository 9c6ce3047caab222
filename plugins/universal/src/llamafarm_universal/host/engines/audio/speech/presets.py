"""Voices that are files of a model's folder: arrays of numbers, read as such and never as Python objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import LoadPlan, RequestFailed

FOLDER = "speaker_embeddings"
"""Of a model, where its voices lie. Source: transformers' BarkProcessor."""
LISTED = "speaker_embeddings_path.json"
"""Of Bark: the files of each voice, by what they are for."""


def single_arrays(plan: LoadPlan) -> dict[str, NDArray[Any]]:
    """A voice for each `NAME.npy` of the folder, by its name. Raises RequestFailed for files that are none."""
    return {path.stem: _array(plan, path) for path in sorted((plan.folder / FOLDER).glob("*.npy"))}


def listed_arrays(plan: LoadPlan, keys: Mapping[str, int]) -> dict[str, dict[str, NDArray[Any]]]:
    """The voices that LISTED tells, each the arrays of `keys`, which have so many dimensions.

    Voices of which a file is not there are left out: a folder need not hold them all. Raises RequestFailed for files
    that are no arrays of that shape, or that lie elsewhere.
    """
    try:
        told = json.loads((plan.folder / LISTED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _broken(plan, LISTED) from error
    voices = {}
    for name, files in sorted(told.items()) if isinstance(told, dict) else ():
        if not isinstance(files, dict):  # `repo_or_path` is a text
            continue
        if not all(isinstance(files.get(key), str) for key in keys):
            raise _broken(plan, LISTED)
        paths = {key: plan.folder / files[key] for key in keys}
        if any(not _is_inside(path, plan.folder) for path in paths.values()):
            raise _broken(plan, LISTED)
        if all(path.is_file() for path in paths.values()):
            voices[name] = {key: _array(plan, path, keys[key]) for key, path in paths.items()}
    return voices


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path leads nowhere else, as it is written: in the cache of a hub, files are links that lead out."""
    return path.suffix == ".npy" and ".." not in path.parts and path.is_relative_to(folder)


def _array(plan: LoadPlan, path: Path, dimensions: int | None = None) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
        if array.dtype.kind not in "fiu" or dimensions not in (None, array.ndim):
            raise ValueError
    except (ValueError, EOFError, OSError) as error:
        raise _broken(plan, path.name) from error
    return array


def _broken(plan: LoadPlan, name: str) -> RequestFailed:
    return RequestFailed(
        "load_failed",
        f"`{plan.ref.id}` could not be loaded: `{name}`, which tells of a voice, cannot be read.",
        hint=f"Voices are arrays of numbers, in `.npy` files of `{FOLDER}/`.",
        param="model",
    )
