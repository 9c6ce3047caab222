"""The hub library's cache on this machine: what it holds of a model, and deleting that.

The cache is HF_HUB_CACHE, else HF_HOME/hub, else TRANSFORMERS_CACHE (which current transformers no longer read), else
the hub library's default.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages.plan import ADAPTER_FILE, CONFIG_FILES
from llamafarm_universal.safety import under

log = logging.getLogger(__name__)

_NO_WEIGHTS = ("", ".json", ".jinja", ".txt", ".model", ".tiktoken", ".py", ".md")
_NAMED = (".gguf", ".safetensors")
_OF_MODELS = ("model", "diffusion_pytorch_model", "pytorch_model", "adapter_model")
"""How the names of files begin that hold the weights of models, or of adapters of peft."""
PARTIAL = ".llamafarm-partial"
"""How the name of a file ends that has come in part; what is before it is the name of the whole file."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> str | None:
    """TRANSFORMERS_CACHE where nothing of higher rank is set; None leaves it to the hub library."""
    if any(environ.get(name) for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")):
        return None
    folder = environ.get("TRANSFORMERS_CACHE")
    return os.path.expandvars(Path(folder).expanduser()) if folder else None


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder in which each model has its own."""
    from huggingface_hub import constants

    return Path(cache_folder(environ) or constants.HF_HUB_CACHE).expanduser()


def folder_of(model: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of a hub model in the cache, there or not. Raises RequestFailed where it would lie elsewhere."""
    from huggingface_hub.file_download import repo_folder_name

    return under(cache_root(environ), repo_folder_name(repo_id=model, repo_type="model"))


def lock_folder_of(model: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the hub library, in whichever program, locks the files of a model that it writes."""
    return under(cache_root(environ), str(Path(".locks", folder_of(model, environ).name)))


def cached(model: str, wanted: Mapping[str, Any]) -> Path | None:
    """The complete copy of one revision. wanted: what `snapshot_download` takes beside the model."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, local_files_only=True, **wanted))
    except LocalEntryNotFoundError:
        return None
    return folder if _complete(folder, wanted) else None


def copies(model: str, choices: Sequence[Mapping[str, Any]], environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """The complete copies of a hub model, of whichever revision. choices: the files that each engine wants of it."""
    revisions = [path.name for path in folder_of(model, environ).glob("snapshots/*")]
    for wanted in choices:
        for revision in revisions:
            if (folder := cached(model, {**wanted, "revision": revision})) is not None:
                yield folder


def delete(model: str, environ: Mapping[str, str] = os.environ) -> int:
    """Delete all revisions of a hub model, partial files too. Returns the bytes that they took.

    Raises RequestFailed where there is nothing, or where the system refuses.
    """
    folder = folder_of(model, environ)
    if not folder.is_dir():
        raise RequestFailed("model_not_found", f"`{model}` is not downloaded: nothing to delete.", param="model")
    size = size_of(folder)
    try:
        _delete_revisions(folder, cache_root(environ))
        if folder.exists():  # what belongs to no revision
            shutil.rmtree(folder)
    except OSError as error:
        log.error("%s could not be deleted whole", folder, exc_info=error)
        raise RequestFailed(
            "internal",
            f"`{model}` could not be deleted whole: {error.strerror}.",
            hint=f"The runtime's log says where it lies: delete `{folder.name}` there by hand.",
        ) from error
    shutil.rmtree(lock_folder_of(model, environ), ignore_errors=True)
    return size


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder, each counted once whatever links lead to it."""
    files = {path.resolve() for path in folder.rglob("*") if path.is_file() and not _is_notes(path, folder)}
    return sum(path.stat().st_size for path in files)


def _is_notes(path: Path, folder: Path) -> bool:
    """The library's own notes on branches and listings."""
    return path.relative_to(folder).parts[0] in ("refs", "trees", ".no_exist")


def _delete_revisions(folder: Path, root: Path) -> None:
    """By the library, which also counts who else uses a file that models share.

    It looks for commits, and a model that was duplicated on the hub has those of the other: it is shown this one alone.
    """
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir(root)
    for repo in cache.repos:
        if repo.repo_path == folder:
            alone = replace(cache, repos=frozenset({repo}))
            alone.delete_revisions(*(revision.commit_hash for revision in repo.revisions)).execute()


def _complete(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether configuration and all weights are there: other programs leave partial copies in the same cache."""
    from huggingface_hub.utils import filter_repo_objects

    wanted_files = wanted["allow_patterns"]
    if wanted_files[0].lower().endswith(_NAMED) and "*" not in wanted_files[0]:  # one file that was named
        return (folder / str(wanted_files[0])).is_file()
    if not any((folder / name).is_file() for name in (*CONFIG_FILES, ADAPTER_FILE)) and not _is_drawing_adapter(folder):
        return False
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix not in _NO_WEIGHTS)
    patterns = {name: wanted[name] for name in ("allow_patterns", "ignore_patterns")}
    return _has_shards(folder) and any(filter_repo_objects(files, **patterns))


def _is_drawing_adapter(folder: Path) -> bool:
    """Whether it holds an adapter of diffusers: one file, of any name but those that weights of models have."""
    files = [path.name for path in folder.glob("*.safetensors")]
    return bool(files) and not any(name.startswith(_OF_MODELS) for name in files)


def _has_shards(folder: Path) -> bool:
    """Whether all files are there that indexes of weights name; none where an index cannot be read."""
    try:
        return all(
            (index.parent / file).is_file()
            for index in folder.rglob("*.safetensors.index.json")
            for file in set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
