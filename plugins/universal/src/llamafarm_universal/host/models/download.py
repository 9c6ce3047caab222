"""Models of the Hugging Face hub: from the cache where complete, else from the network.

The cache is HF_HUB_CACHE, else HF_HOME/hub, else TRANSFORMERS_CACHE (which current transformers no longer read), else
the hub library's default. HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE are the library's own.
A complete cached copy is used without asking the network, so a branch that has moved on is fetched again only under a
new `revision` or once the copy is deleted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from llamafarm_universal.host.failure import RequestFailed
from llamafarm_universal.host.models.plan import CONFIG_FILES

Progress = Callable[[int, int | None], None]

_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
_CODE = ("*.py",)
# The same weights once more, in other layouts.
_DUPLICATES = ("consolidated*.safetensors", "original/*", "onnx/*", "openvino/*", "coreml/*", "*.fp16.safetensors")
_REPORT_SECONDS = 0.1


def download(
    model: str, revision: str | None, progress: Progress, *, code: bool, environ: Mapping[str, str] = os.environ
) -> Path:
    """The folder of a hub model's safetensors weights and configuration; its Python files only with `code`.

    Raises RequestFailed: not found, gated, unreachable and not cached, or the disk is full.
    """
    from huggingface_hub import snapshot_download

    wanted: dict[str, Any] = {
        "revision": revision,
        "cache_dir": cache_folder(environ),
        "allow_patterns": [*_FILES, *(_CODE if code else ())],
        "ignore_patterns": list(_DUPLICATES),
    }
    cached = _cached(model, wanted)
    if cached is not None:
        return cached
    try:
        return Path(snapshot_download(model, tqdm_class=_bar(progress), **wanted))
    except RequestFailed:
        raise
    except Exception as error:
        raise _explained(error, model, revision) from error


def cache_folder(environ: Mapping[str, str] = os.environ) -> str | None:
    """TRANSFORMERS_CACHE where nothing of higher rank is set; None leaves it to the hub library."""
    if any(environ.get(name) for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")):
        return None
    folder = environ.get("TRANSFORMERS_CACHE")
    return os.path.expandvars(Path(folder).expanduser()) if folder else None


def _cached(model: str, wanted: Mapping[str, Any]) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, local_files_only=True, **wanted))
    except LocalEntryNotFoundError:
        return None
    return folder if _complete(folder) else None


def _complete(folder: Path) -> bool:
    """Whether configuration and all weights are there: other programs leave partial copies in the same cache."""
    if not any((folder / name).is_file() for name in CONFIG_FILES):
        return False
    shards = [
        (index.parent / file).is_file()
        for index in folder.rglob("*.safetensors.index.json")
        for file in set(json.loads(index.read_text())["weight_map"].values())
    ]
    return all(shards) and any(folder.rglob("*.safetensors"))


def _bar(progress: Progress) -> type:
    """A progress bar class for the hub library that draws nothing and reports the bytes on disk."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # The library makes three bars: of files, of bytes received and of bytes on disk. The last one counts.
            self.counts = str(kwargs.get("desc", "")).startswith("Reconstructing")
            self.reported = 0.0
            super().__init__(*args, **{**kwargs, "disable": False})

        def display(self, *_: Any, **__: Any) -> None:
            if not self.counts or not self.total:
                return
            done = self.n >= self.total
            if done or monotonic() - self.reported >= _REPORT_SECONDS:
                self.reported = monotonic()
                progress(int(self.n), int(self.total))

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            self.display()
            return None

        def clear(self, *_: Any, **__: Any) -> None:
            """Nothing was drawn."""

        def close(self) -> None:
            """Nothing was drawn."""

    return Bar


def _explained(error: Exception, model: str, revision: str | None) -> RequestFailed:
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    hub = constants.ENDPOINT
    if isinstance(error, GatedRepoError):
        return _not_found(
            f"`{model}` is gated: its authors ask you to accept their conditions first.",
            f"Accept them at {hub}/{model}, then start the runtime with HF_TOKEN set to your token.",
        )
    if isinstance(error, RevisionNotFoundError):
        return _not_found(f"`{model}` has no revision `{revision}`.", f"See {hub}/{model}/tree/main for its branches.")
    if isinstance(error, RepositoryNotFoundError) or _status(error) == 401:
        return _not_found(
            f"{hub} has no model `{model}`, or it is private.",
            "Check the spelling; for a private model start the runtime with HF_TOKEN set to your token.",
        )
    if isinstance(error, LocalEntryNotFoundError):
        return _not_found(
            f"`{model}` is not on this machine, and {_unreachable(error, hub)}.",
            "Connect to the network (or unset HF_HUB_OFFLINE) and ask again, or give the folder of a local copy.",
        )
    if isinstance(error, HfHubHTTPError):
        return RequestFailed("load_failed", f"{hub} answered with status {_status(error)} for `{model}`.")
    return RequestFailed("load_failed", f"`{model}` could not be downloaded: {type(error).__name__}: {error}")


def _not_found(message: str, hint: str) -> RequestFailed:
    return RequestFailed("model_not_found", message, hint=hint, param="model")


def _unreachable(error: Exception, hub: str) -> str:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    cause = error.__cause__
    if isinstance(cause, OfflineModeIsEnabled):
        return "the runtime is in offline mode"
    if isinstance(cause, HfHubHTTPError):
        return f"{hub} answered with status {_status(cause)}"
    return f"{hub} cannot be reached" + (f" ({type(cause).__name__})" if cause else "")


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
