"""`lf embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llamafarm.cli.output import json_text, print_table
from llamafarm.cli.pictures import note_pictures, picture
from llamafarm.cli.texts import ask_all, number, read_texts, shown, text_options
from llamafarm.wire.operations import EMBEDDINGS

NUMBERS = 4
"""So many of a vector are shown to people."""
IMAGE_HELP = "Add a picture, behind all texts: a file, or an address that the server may fetch; repeatable."


@click.command()
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@text_options
@click.option("--query", "input_type", flag_value="query", help="The texts are queries, for models that mind.")
@click.option("--document", "input_type", flag_value="document", help="The texts are documents.")
@click.option("--image", "-i", "images", multiple=True, metavar="PICTURE", help=IMAGE_HELP)
@click.option("--dimensions", type=click.IntRange(1), help="The length of the vectors, where the model has a choice.")
def embed(
    words: tuple[str, ...],
    files: tuple[Path, ...],
    images: tuple[str, ...],
    jsonl: bool,
    as_json: bool,
    **request: Any,
) -> None:
    """Print the vectors of texts and pictures; `--json` prints them whole.

    \b
    lf embed "a text" "another text"
    lf embed --json < texts.txt > vectors.json
    lf embed "a red tractor" --image tractor.jpg
    """
    note_pictures(words)
    texts = read_texts(words, files, jsonl=jsonl, needed=not images)
    answer = ask_all(EMBEDDINGS, "input", [*texts, *map(picture, images)], request)
    if as_json:
        click.echo(json_text(answer))
        return
    print_table(
        ["picture" if images and not texts else "text", "length", "vector"],
        [
            [shown(name), str(len(row["embedding"])), _begin(row["embedding"])]
            for name, row in zip([*texts, *images], answer["data"], strict=True)
        ],
    )


def _begin(vector: list[float]) -> str:
    more = " …" if len(vector) > NUMBERS else ""
    return " ".join(map(number, vector[:NUMBERS])) + more
