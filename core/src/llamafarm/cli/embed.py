"""`lf embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llamafarm.cli.output import json_text, print_table
from llamafarm.cli.texts import ask_all, number, read_texts, shown, text_options
from llamafarm.wire.operations import EMBEDDINGS

NUMBERS = 4
"""So many of a vector are shown to people."""


@click.command()
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@text_options
@click.option("--query", "input_type", flag_value="query", help="The texts are queries, for models that mind.")
@click.option("--document", "input_type", flag_value="document", help="The texts are documents.")
@click.option("--dimensions", type=click.IntRange(1), help="The length of the vectors, where the model has a choice.")
def embed(words: tuple[str, ...], files: tuple[Path, ...], jsonl: bool, as_json: bool, **request: Any) -> None:
    """Print the vectors of texts; `--json` prints them whole.

    \b
    lf embed "a text" "another text"
    lf embed --json < texts.txt > vectors.json
    """
    texts = read_texts(words, files, jsonl=jsonl)
    answer = ask_all(EMBEDDINGS, "input", texts, request)
    if as_json:
        click.echo(json_text(answer))
        return
    print_table(
        ["text", "length", "vector"],
        [
            [shown(text), str(len(row["embedding"])), _begin(row["embedding"])]
            for text, row in zip(texts, answer["data"], strict=True)
        ],
    )


def _begin(vector: list[float]) -> str:
    more = " …" if len(vector) > NUMBERS else ""
    return " ".join(map(number, vector[:NUMBERS])) + more
