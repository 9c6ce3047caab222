"""From a model id to a folder on this machine, downloading it where needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import PathFinder
from itertools import chain
from pathlib import Path

from llamafarm_universal.catalogue import engines
from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.gguf import is_gguf
from llamafarm_universal.messages import ModelRef, Stored
from llamafarm_universal.messages.plan import ADAPTER_FILE, CONFIG_FILES
from llamafarm_universal.safety import HubId, LocalFolder, PackagedFolder, check_revision, parse_model_id, under
from llamafarm_universal.store.adapters import base_of
from llamafarm_universal.store.cache import copies, folder_of, size_of
from llamafarm_universal.store.copy import Copy
from llamafarm_universal.store.download import Progress, download


def locate(ref: ModelRef, progress: Progress, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds the model's files, or the one file in the GGUF format that it is. Raises RequestFailed.

    progress: told while downloading; an exception that it raises ends the download.
    """
    check_revision(ref.settings.revision)
    source = parse_model_id(ref.id)
    if isinstance(source, HubId):
        folder = download(Copy.of(ref), progress, environ)
        return _file_in(folder, source) if source.file else folder
    if ref.settings.revision is not None:
        raise refused(f"`{ref.id}` is a folder, and a folder has no revisions.", "revision")
    return _packaged(source) if isinstance(source, PackagedFolder) else _local(source)


def on_disk(model: str, environ: Mapping[str, str] = os.environ) -> Stored | None:
    """What this machine has of a model; None where it has nothing. Asks no network. Raises RequestFailed."""
    source = parse_model_id(model)
    if isinstance(source, HubId):
        size = size_of(folder_of(source.id, environ))
        return Stored(_is_complete(source, environ), size) if size else None
    try:
        folder = _packaged(source) if isinstance(source, PackagedFolder) else _local(source)
    except RequestFailed as failure:
        if failure.kind == "model_not_found":
            return None
        raise
    return Stored(_has_base(ModelRef(model), folder, environ), size_of(folder))


def _is_complete(source: HubId, environ: Mapping[str, str]) -> bool:
    """Whether a hub model can be loaded by any engine, in any revision that is here."""
    choices = [Copy(source.id, engine=name, file=source.file).arguments(environ) for name in engines()]
    return any(_has_base(ModelRef(source.id), folder, environ) for folder in copies(source.id, choices, environ))


def _file_in(folder: Path, source: HubId) -> Path:
    """One file of a hub model. Raises RequestFailed where there is none of that name."""
    path = folder / str(source.file)
    if not path.is_file():
        raise RequestFailed(
            "model_not_found",
            f"`{source.id}` has no file `{source.file}`.",
            hint="Its page on the hub lists the files.",
            param="model",
        )
    return path


def _has_base(ref: ModelRef, folder: Path, environ: Mapping[str, str]) -> bool:
    """Whether what an adapter changes is here too; true of whole models."""
    base = base_of(ref, folder)
    if base is None:
        return True
    stored = None if base.id == ref.id else on_disk(base.id, environ)
    return stored is not None and stored.complete


def on_disk_of_all(models: Iterable[str]) -> dict[str, Stored]:
    """What this machine has of each model of which it has anything."""
    stored: dict[str, Stored] = {}
    for model in models:
        try:
            known = on_disk(model)
        except (RequestFailed, OSError):
            continue
        if known is not None:
            stored[model] = known
    return stored


def _packaged(source: PackagedFolder) -> Path:
    """A folder of an installed package, which is found without importing it.

    What lies in the working directory is not installed, although Python would import it.
    """
    here = Path.cwd()
    spec = PathFinder.find_spec(source.package, [path for path in sys.path if path and Path(path).resolve() != here])
    if spec is None or not spec.origin or not spec.submodule_search_locations:
        raise RequestFailed(
            "model_not_found",
            f"No Python package `{source.package}` is installed beside the runtime.",
            hint="Install the distribution that carries this model into the runtime's environment.",
        )
    return _checked(
        under(Path(spec.submodule_search_locations[0]), source.folder), f"package:{source.package}/{source.folder}"
    )


def _local(source: LocalFolder) -> Path:
    return _checked(source.path, str(source.path))


def _checked(folder: Path, name: str) -> Path:
    try:
        if is_gguf(folder) and folder.is_file():
            return folder.absolute()  # a link into a cache leads to a file of another name
        if folder.suffix == ".safetensors" and folder.is_file():  # an adapter of diffusers
            return folder.absolute()
        if not folder.is_dir():
            raise RequestFailed("model_not_found", f"There is no folder `{name}`.", param="model")
        named = any((folder / file).is_file() for file in (*CONFIG_FILES, ADAPTER_FILE))
        weights = chain(folder.glob("*.safetensors"), folder.glob("*/*.safetensors"))
        if not named and not any(weights):  # of adapters, which have no configuration, or several in folders
            raise RequestFailed("model_not_found", f"`{name}` holds no model: it has no config.json.", param="model")
    except OSError as error:
        raise RequestFailed("model_not_found", f"`{name}` cannot be read: {error.strerror}.", param="model") from None
    return folder.resolve()
