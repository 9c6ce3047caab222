"""`lf classify`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click

from llamafarm.cli.output import json_text, print_table
from llamafarm.cli.texts import ask_all, number, read_texts, shown, text_options
from llamafarm.wire.operations import CLASSIFY


@click.command()
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@text_options
@click.option(
    "--label", "-l", "labels", multiple=True, help="A class of your own, for a model that infers; repeatable."
)
@click.option("--template", "hypothesis_template", metavar="TEXT", help="What is inferred, with `{}` for the label.")
@click.option("--multi-label", is_flag=True, help="Judge each label by itself: several may fit, or none.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: the text, its class, and the score of each class.")
def classify(
    words: tuple[str, ...],
    files: tuple[Path, ...],
    jsonl: bool,
    as_json: bool,
    as_csv: bool,
    labels: tuple[str, ...],
    multi_label: bool,
    **request: Any,
) -> None:
    """Print the class of each text: one that the model was trained on, or one of your labels.

    \b
    lf classify "What a lovely day."
    lf classify --label bug --label wish --csv < tickets.txt > classes.csv
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    texts = read_texts(words, files, jsonl=jsonl)
    request |= {"candidate_labels": list(labels) or None, "multi_label": multi_label or None}
    answer = ask_all(CLASSIFY, "input", texts, request)
    if as_json:
        click.echo(json_text(answer))
    elif as_csv:
        click.echo(_csv(texts, answer["data"]), nl=False)
    else:
        rows = zip(texts, answer["data"], strict=True)
        print_table(
            ["class", "score", "text"], [[_label(row), number(max(row["probs"])), shown(text)] for text, row in rows]
        )


def _csv(texts: list[str], rows: list[dict[str, Any]]) -> str:
    """A head, then a row for each text. Source: RFC 4180."""
    names = rows[0].get("labels") or [f"class {at}" for at in range(len(rows[0]["probs"]))]
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["text", "label", "score", *names])
    writer.writerows(
        [text, _label(row), max(row["probs"]), *row["probs"]] for text, row in zip(texts, rows, strict=True)
    )
    return written.getvalue()


def _label(row: dict[str, Any]) -> str:
    label = row.get("label")
    return str(row["probs"].index(max(row["probs"]))) if label is None else str(label)
