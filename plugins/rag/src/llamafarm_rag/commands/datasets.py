"""`lf datasets`: the files of a project that questions are answered from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from llamafarm.cli import counted, open_farm, plain, print_json, print_table, size

from llamafarm_rag.commands.ingestion_line import IngestionLine
from llamafarm_rag.commands.reports import print_reports
from llamafarm_rag.commands.source_paths import with_sources, without_sources

if TYPE_CHECKING:
    import llamafarm

    from llamafarm_rag.config.datasets import Dataset
    from llamafarm_rag.database.base import Database
    from llamafarm_rag.ingestion.report import Report

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
dataset_option = click.option("--dataset", "-d", "name", metavar="NAME", help="The dataset; by default the first one.")


@click.group()
def datasets() -> None:
    """Files that questions are answered from."""


@datasets.command()
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(path_type=Path))
@dataset_option
@click.option("--process/--no-process", default=None, help="Read them now, or later with `lf datasets process`.")
@json_option
def add(paths: tuple[Path, ...], name: str | None, process: bool | None, as_json: bool) -> None:
    """Add files, folders and patterns to a dataset, and read them.

    What lies in a folder is found anew each time that the dataset is processed.

    \b
    lf datasets add docs/ "notes/*.md"
    """
    asyncio.run(_add(paths, name, process, as_json=as_json))


async def _add(paths: Sequence[Path], name: str | None, process: bool | None, *, as_json: bool) -> None:
    async with _opened(name) as (farm, dataset, database):
        kept = with_sources(await database.sources(dataset.name), paths)
        await database.set_sources(dataset.name, kept)
        if process is False or (process is None and not dataset.auto_process):
            click.echo(f"{dataset.name} has {counted(len(kept), 'source')}; `lf datasets process` reads them.")
            return
        print_reports([await _processed(farm, dataset, database)], as_json=as_json)


@datasets.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the datasets with what is in their databases."""
    asyncio.run(_list(as_json=as_json))


async def _list(*, as_json: bool) -> None:
    from llamafarm_rag.config.project import datasets_of
    from llamafarm_rag.library import dataset_row

    async with open_farm() as farm:
        rows = [await dataset_row(farm, dataset) for dataset in datasets_of(farm.project)]
    if as_json:
        print_json(rows)
        return
    heads = ["DATASET", "DATABASE", "SOURCES", "FILES", "CHUNKS"]
    cells = [[str(row[key]) for key in ("name", "database", "sources", "files", "chunks")] for row in rows]
    print_table(heads, cells)


@datasets.command()
@click.argument("name", metavar="[DATASET]", required=False)
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show the sources and the files of DATASET, by default the first one."""
    asyncio.run(_show(name, as_json=as_json))


async def _show(name: str | None, *, as_json: bool) -> None:
    from llamafarm_rag.config.project import dataset_of
    from llamafarm_rag.library import dataset_details

    async with open_farm() as farm:
        details = await dataset_details(farm, dataset_of(farm.project, name))
    if as_json:
        print_json(details)
        return
    for source in details["sources"]:
        click.echo(plain(f"source  {source}"))
    rows = [[file["file"], str(file["chunks"]), size(file["bytes"])] for file in details["files"]]
    print_table(["FILE", "CHUNKS", "SIZE"], rows)


@datasets.command()
@click.argument("names", metavar="[DATASET…]", nargs=-1)
@json_option
def process(names: tuple[str, ...], as_json: bool) -> None:
    """Read what is new or has changed, and forget what is gone, in all datasets or in those that are named.

    It may be stopped at any time, and goes on where it was. Exit code 1 where files cannot be read.
    """
    asyncio.run(_process(names, as_json=as_json))


async def _process(names: Sequence[str], *, as_json: bool) -> None:
    from llamafarm_rag.config.project import dataset_of, datasets_of
    from llamafarm_rag.library import database_for

    reports = []
    async with open_farm() as farm:
        chosen = [dataset_of(farm.project, name) for name in names] or datasets_of(farm.project)
        for dataset in chosen:
            async with database_for(farm, dataset) as database:
                reports.append(await _processed(farm, dataset, database))
    print_reports(reports, as_json=as_json)


@datasets.command()
@click.argument("paths", metavar="[PATH…]", nargs=-1, type=click.Path(path_type=Path))
@dataset_option
@click.option("--all", "everything", is_flag=True, help="Everything of the dataset.")
@json_option
def rm(paths: tuple[Path, ...], name: str | None, everything: bool, as_json: bool) -> None:
    """Take sources out of a dataset, and forget their files; the files themselves stay.

    PATH is what was added; --all takes everything out.
    """
    if bool(paths) == everything:
        raise click.UsageError("Name what was added, or give --all.")
    asyncio.run(_rm(paths, name, as_json=as_json))


async def _rm(paths: Sequence[Path], name: str | None, *, as_json: bool) -> None:
    from llamafarm_rag.ingestion.processing import forget

    async with _opened(name) as (farm, dataset, database):
        if not paths:
            count = await forget(dataset.name, database)
            click.echo(f"{dataset.name}: {counted(count, 'file')} forgotten.")
            return
        kept = without_sources(await database.sources(dataset.name), paths)
        await database.set_sources(dataset.name, kept)
        print_reports([await _processed(farm, dataset, database)], as_json=as_json)


async def _processed(farm: llamafarm.Farm, dataset: Dataset, database: Database) -> Report:
    from llamafarm_rag.ingestion.processing import process as process_dataset

    with IngestionLine() as line:
        return await process_dataset(farm.project, dataset, database, farm, progress=line)


@asynccontextmanager
async def _opened(name: str | None) -> AsyncIterator[tuple[llamafarm.Farm, Dataset, Database]]:
    """The project, the dataset of that name, and its database."""
    from llamafarm_rag.config.project import dataset_of
    from llamafarm_rag.library import database_for

    async with open_farm() as farm:
        dataset = dataset_of(farm.project, name)
        async with database_for(farm, dataset) as database:
            yield farm, dataset, database
