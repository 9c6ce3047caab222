"""`lf rerank`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llamafarm.cli.output import json_text, print_table
from llamafarm.cli.texts import ask_all, number, read_texts, shown, text_options
from llamafarm.wire.operations import RERANK


@click.command()
@click.argument("query")
@click.argument("words", metavar="[DOCUMENT]...", nargs=-1)
@text_options
@click.option("--top-n", "-n", type=click.IntRange(1), help="Print so many of the best; else all.")
def rerank(
    words: tuple[str, ...], files: tuple[Path, ...], jsonl: bool, as_json: bool, top_n: int | None, **request: Any
) -> None:
    """Put documents in the order in which they fit QUERY, the best one first.

    \b
    lf rerank "Who looks after the cows?" --file notes.txt --top-n 3
    """
    documents = read_texts(words, files, jsonl=jsonl)
    answer = ask_all(RERANK, "documents", documents, request, rows="results")
    best = sorted(answer["results"], key=lambda row: row["relevance_score"], reverse=True)[:top_n]
    if as_json:
        click.echo(json_text({**answer, "results": best}))
        return
    print_table(
        ["score", "document"], [[number(row["relevance_score"]), shown(documents[row["index"]])] for row in best]
    )
