"""`lf ner`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llamafarm.cli.output import json_text, print_table
from llamafarm.cli.texts import ask_all, number, read_texts, shown, text_options
from llamafarm.wire.operations import NER

STRATEGIES = ["none", "simple", "first", "average", "max"]


@click.command()
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@text_options
@click.option(
    "--strategy", "aggregation_strategy", type=click.Choice(STRATEGIES), help="How tokens become names (simple)."
)
def ner(words: tuple[str, ...], files: tuple[Path, ...], jsonl: bool, as_json: bool, **request: Any) -> None:
    """Print the names in texts: persons, places, whatever the model finds, and where they stand, in characters.

    \b
    lf ner "Ada Lovelace was born in London."
    """
    texts = read_texts(words, files, jsonl=jsonl)
    answer = ask_all(NER, "input", texts, request)
    if as_json:
        click.echo(json_text(answer))
        return
    found = [(at, name) for at, row in enumerate(answer["data"]) for name in row["entities"]]
    heads = ["label", "name", "from", "to", "score"]
    cells = [
        [name["label"], shown(name["text"]), str(name["start"]), str(name["end"]), number(name["score"])]
        for _, name in found
    ]
    if len(texts) > 1:
        heads, cells = ["text", *heads], [[str(at + 1), *row] for (at, _), row in zip(found, cells, strict=True)]
    print_table(heads, cells)
