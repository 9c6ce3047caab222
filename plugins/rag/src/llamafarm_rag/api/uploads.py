"""`/datasets/{dataset}/data`: files that clients add, which are kept in the data directory."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import llamafarm
from llamafarm.errors import RequestError, UsageError
from llamafarm.web import json_answer, read_form
from llamafarm.wire import Upload

from llamafarm_rag.config.datasets import Dataset
from llamafarm_rag.config.project import dataset_of
from llamafarm_rag.database.folder import files_folder
from llamafarm_rag.ingestion.processing import process
from llamafarm_rag.library import database_for

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

FIELD = "file"
MOST_BYTES_OF_A_NAME = 200


async def upload(request: Request, farm: llamafarm.Farm) -> Response:
    """Keep the files of a form, its fields `file`, and read them; one of a name that is there takes its place."""
    dataset = dataset_of(farm.project, request.path_params["dataset"])
    files = [part for name, part in await read_form(request) if name == FIELD and isinstance(part, Upload)]
    if not files:
        raise RequestError(
            "The form has no file.", hint=f"Send it as the field `{FIELD}`.", code="missing_file", param=FIELD
        )
    folder = files_folder(farm.project, dataset.name, os.environ)
    kept = [folder / _name(file) for file in files]
    for path, file in zip(kept, files, strict=True):
        await asyncio.to_thread(_write, path, file.content)
    return json_answer(await _read(farm, dataset, folder, kept), status=201)


async def delete(request: Request, farm: llamafarm.Farm) -> Response:
    """Delete a file that was added, and forget it."""
    dataset = dataset_of(farm.project, request.path_params["dataset"])
    folder = files_folder(farm.project, dataset.name, os.environ)
    name = PurePosixPath(request.path_params["name"]).name
    path = folder / name
    if not path.is_file():
        raise UsageError(f"There is no file {name!r} that was added to {dataset.name!r}.", code="file_not_found")
    await asyncio.to_thread(path.unlink)
    return json_answer(await _read(farm, dataset, folder, [path]))


async def _read(farm: llamafarm.Farm, dataset: Dataset, folder: Path, only: Sequence[Path]) -> dict[str, object]:
    """Bring the database up to date with these files alone."""
    async with database_for(farm, dataset) as database:
        sources = await database.sources(dataset.name)
        if str(folder) not in sources:
            await database.set_sources(dataset.name, [*sources, str(folder)])
        report = await process(farm.project, dataset, database, farm, only=only)
    return report.as_json()


def _name(file: Upload) -> str:
    """The file's name without the folders that clients put before it. Raises RequestError for what is none."""
    name = PurePosixPath(file.name.replace("\\", "/")).name
    if name in ("", ".", "..") or name.startswith(".") or not name.isprintable():
        raise RequestError(
            f"The file name {file.name!r} cannot be kept.",
            hint="Give it another one.",
            code="invalid_name",
            param=FIELD,
        )
    if len(name.encode()) > MOST_BYTES_OF_A_NAME:
        raise RequestError(f"The file name {name[:40]!r}… is too long.", code="invalid_name", param=FIELD)
    return name


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: an ingestion may read at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)
