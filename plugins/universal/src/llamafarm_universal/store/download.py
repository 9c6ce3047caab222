"""Models of the Hugging Face hub: from the cache where complete, else from the network.

HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE are the library's own.
A complete cached copy is used without asking the network, so a branch that has moved on is fetched again only under a
new `revision` or once the copy is deleted.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any

from llamafarm_universal.failure import RequestFailed, without_paths
from llamafarm_universal.messages.plan import ADAPTER_FILE, CONFIG_FILES
from llamafarm_universal.store.beside import adapter_files, several_adapters
from llamafarm_universal.store.cache import cached, folder_of, lock_folder_of
from llamafarm_universal.store.copy import Copy
from llamafarm_universal.store.resume import MAX_BYTES, LargeFile, connection_errors, fetch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Transfer:
    """Bytes that are there and that there will be, of all files; and the file that comes now, the index-th of count."""

    done: int
    total: int | None
    file: str | None = None
    index: int | None = None
    count: int | None = None


Progress = Callable[[Transfer], None]
"""Told of a download now and then; an exception that it raises ends the download."""

_REPORT_SECONDS = 0.1
_SHA256 = re.compile("[0-9a-f]{64}")


def download(copy: Copy, progress: Progress, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of a copy, which is fetched where it is not whole.

    Raises RequestFailed: not found, gated, unreachable and not cached, or the disk is full.
    """
    from huggingface_hub import snapshot_download

    wanted = copy.arguments(environ)
    folder = cached(copy.model, wanted)
    if folder is not None:
        return folder
    try:
        listed = _listed(copy.model, wanted)
        if listed is None:
            return Path(snapshot_download(copy.model, tqdm_class=_bar(progress), **wanted))
        rest = _fetch_weights(copy.model, listed, progress, environ)
        wanted["ignore_patterns"] = [*wanted["ignore_patterns"], *listed.whole]
        return Path(snapshot_download(copy.model, tqdm_class=_bar(rest), **wanted))
    except RequestFailed:
        raise
    except Exception as error:
        raise _explained(error, copy.model, copy.revision) from error


def _fetch_weights(model: str, listed: _Listing, progress: Progress, environ: Mapping[str, str]) -> Progress:
    """Fetch the large files, which can be gone on with. Returns whom to tell of the others."""
    from huggingface_hub import hf_hub_url

    before, blobs, locks = 0, folder_of(model, environ) / "blobs", lock_folder_of(model, environ)
    for index, file in enumerate(listed.large, 1):
        now = _Now(progress, before, listed.total, file, index, len(listed.large))
        fetch(file, hf_hub_url(model, file.name, revision=listed.commit), blobs, locks, now.tell)
        before += file.size
    return lambda rest: progress(Transfer(before + rest.done, listed.total))


@dataclass
class _Now:
    """The file that comes now. before: bytes of those that came before it. told: when, in monotonic seconds."""

    progress: Progress
    before: int
    total: int
    file: LargeFile
    index: int
    count: int
    told: float = 0.0

    def tell(self, done: int) -> None:
        if done == self.file.size or monotonic() - self.told >= _REPORT_SECONDS:
            self.told = monotonic()
            self.progress(Transfer(self.before + done, self.total, self.file.name, self.index, self.count))


@dataclass(frozen=True)
class _Listing:
    """total: bytes of all wanted files. whole: those of a pipeline that hold all its parts once more, unwanted."""

    commit: str
    total: int
    large: list[LargeFile]
    whole: list[str]


def _listed(model: str, wanted: Mapping[str, Any]) -> _Listing | None:
    """What is to be fetched; None where the hub does not say.

    Why it does not, the library finds out and tells when it is asked for the files.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.utils import filter_repo_objects

    try:
        info = HfApi().model_info(model, revision=wanted["revision"], files_metadata=True)
    except (HfHubHTTPError, OfflineModeIsEnabled, connection_errors()):
        return None
    patterns = {name: wanted[name] for name in ("allow_patterns", "ignore_patterns")}
    files = list(filter_repo_objects(info.siblings or [], key=lambda file: file.rfilename, **patterns))
    names = [file.rfilename for file in files]
    _refuse_several(model, names)
    whole = _whole_pipelines(names)
    files = [file for file in files if file.rfilename not in whole]
    large = [
        LargeFile(file.rfilename, file.lfs.size, file.lfs.sha256)
        for file in files
        if file.lfs is not None and file.lfs.size <= MAX_BYTES and _SHA256.fullmatch(file.lfs.sha256)
    ]
    return _Listing(str(info.sha), sum(file.size or 0 for file in files), large, whole)


def _refuse_several(model: str, files: list[str]) -> None:
    """Refuse a repository of several adapters, of which none is named, before all of them are fetched.

    Raises RequestFailed.
    """
    is_whole = any(name in files for name in (*CONFIG_FILES, ADAPTER_FILE))
    if not is_whole and len(adapters := adapter_files(files)) > 1:
        raise several_adapters(model, adapters)


def _whole_pipelines(files: list[str]) -> list[str]:
    """Of a pipeline of diffusers, whose parts lie in folders, the files beside these that hold the same as one."""
    if "model_index.json" not in files:
        return []
    return [name for name in files if "/" not in name and name.endswith(".safetensors")]


def _bar(progress: Progress) -> type:
    """A progress bar class for the hub library that draws nothing and reports the bytes on disk."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    tqdm.set_lock(RLock())  # its own is one between processes, which a store that is ended leaves behind

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
                progress(Transfer(int(self.n), int(self.total)))

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
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return RequestFailed(
            "load_failed",
            f"The disk is full: `{model}` could not be downloaded whole.",
            hint="Make room (`lf models rm` deletes a model) and ask again: what has come is kept.",
        )
    log.error("`%s` could not be downloaded", model, exc_info=error)
    cause = without_paths(str(error))
    return RequestFailed("load_failed", f"`{model}` could not be downloaded: {type(error).__name__}: {cause}")


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
