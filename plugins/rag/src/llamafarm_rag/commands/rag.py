"""`lf rag`: what would be retrieved and why, and how databases are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from llamafarm.cli import open_farm, plain, print_json, print_table, size

from llamafarm_rag.commands.ingestion_line import IngestionLine
from llamafarm_rag.commands.reports import print_reports

if TYPE_CHECKING:
    from llamafarm_rag.retrieval.question import Question
    from llamafarm_rag.retrieval.result import Hit, Retrieval

SHOWN_LETTERS = 300
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def rag() -> None:
    """What is retrieved for a question, and how databases are."""


def _filters(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        filters = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no JSON: {error}.") from None
    if not isinstance(filters, dict):
        raise click.BadParameter('A JSON object was expected, such as \'{"author": "Ann"}\'.')
    return filters


@rag.command()
@click.argument("words", metavar="QUESTION", nargs=-1, required=True)
@click.option("--database", metavar="NAME", help="By default the default one.")
@click.option("--retrieval-strategy", "strategy", metavar="NAME", help="By default the database's default one.")
@click.option("--rag-top-k", "top_k", type=click.IntRange(1, 1000), help="How many passages.")
@click.option("--rag-score-threshold", "score_threshold", type=float, help="The least score of a passage.")
@click.option("--query", "queries", metavar="TEXT", multiple=True, help="Search for this in its place; repeatable.")
@click.option("--filters", metavar="JSON", callback=_filters, help="What the metadata of passages must say.")
@json_option
def query(
    words: tuple[str, ...],
    database: str | None,
    strategy: str | None,
    queries: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Show what would be retrieved for QUESTION, and why: the scores of each stage. No model answers it.

    \b
    lf rag query "How often are the cows milked?" --json
    """
    from llamafarm_rag.retrieval.question import Question

    question = Question(" ".join(words), queries or None, **given)
    found = asyncio.run(_found(question, database, strategy))
    if as_json:
        print_json(found)
    else:
        _print(found)


async def _found(question: Question, database: str | None, strategy: str | None) -> Retrieval:
    from llamafarm_rag.config.project import database_of, strategy_of
    from llamafarm_rag.library import search

    async with open_farm() as farm:
        options = database_of(farm.project, database)
        return await search(farm, question, options, strategy_of(options, strategy))


def _print(found: Retrieval) -> None:
    for number, hit in enumerate(found.hits, 1):
        scores = "  ".join(f"{name} {score:.4f}" for name, score in hit.scores.items())
        click.echo(plain(f"[{number}] {hit.score:.4f}  {_place(hit)}"))
        click.echo(plain(f"    {scores}"))
        click.echo(plain(f"    {' '.join(hit.passage.text.split())[:SHOWN_LETTERS]}"))
    times = "  ".join(f"{stage.name} {stage.milliseconds:.0f} ms ({stage.found})" for stage in found.stages)
    below = f", {found.below} below the threshold" if found.below else ""
    click.echo(f"{found.database}, {found.strategy}: {len(found.hits)} found{below}  {times}", err=True)
    for note in found.notes:
        click.echo(plain(note), err=True)


def _place(hit: Hit) -> str:
    """The file, its page, and the headings above the passage."""
    passage = hit.passage
    page = f", page {passage.page}" if passage.page else ""
    return " > ".join([f"{passage.file}{page}", *passage.heading])


@rag.command()
@click.argument("names", metavar="[DATABASE…]", nargs=-1)
@json_option
def stats(names: tuple[str, ...], as_json: bool) -> None:
    """Show how large databases are, and which model their vectors come from."""
    asyncio.run(_stats(names, as_json=as_json))


async def _stats(names: Sequence[str], *, as_json: bool) -> None:
    from llamafarm_rag.config.project import database_of, rag_of
    from llamafarm_rag.library import database_row

    async with open_farm() as farm:
        databases = [database_of(farm.project, name) for name in names] or rag_of(farm.project).databases
        rows = [await database_row(farm, options) for options in databases]
    if as_json:
        print_json(rows)
        return
    print_table(["DATABASE", "PASSAGES", "FILES", "ON DISK", "EMBEDDER", "DIMENSION"], [*map(_cells, rows)])


def _cells(row: dict[str, Any]) -> list[str]:
    on_disk = "" if row["bytes"] is None else size(row["bytes"])
    embedder = row["embedder"] or {"model": "", "dimension": ""}
    return [row["name"], *map(str, (row["passages"], row["files"], on_disk, embedder["model"], embedder["dimension"]))]


@rag.command()
@click.argument("name", metavar="[DATABASE]", required=False)
@json_option
def rebuild(name: str | None, as_json: bool) -> None:
    """Forget all that DATABASE holds and embed all its files anew, as when the embedding model has changed.

    Its datasets keep their sources. What is stopped in the middle goes on with `lf datasets process`. One that cannot
    be opened any more is put aside, and begun anew.
    """
    asyncio.run(_rebuild(name, as_json=as_json))


async def _rebuild(name: str | None, *, as_json: bool) -> None:
    from llamafarm_rag.config.project import database_of
    from llamafarm_rag.rebuilding import rebuild_database

    async with open_farm() as farm:
        with IngestionLine() as line:
            reports = await rebuild_database(farm, database_of(farm.project, name), line)
    print_reports(reports, as_json=as_json)
