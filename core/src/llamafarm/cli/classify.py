"""`lf classify`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click

from llamafarm.cli.output import json_text, print_table
from llamafarm.cli.pictures import sound
from llamafarm.cli.texts import ask_all, number, read_texts, shown, text_options
from llamafarm.wire.operations import CLASSIFY, SOUND_CLASSES

SOUND_HELP = "Classify a recording instead: a file, or an address that the server may fetch; repeatable."


@click.command()
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@text_options
@click.option(
    "--label", "-l", "labels", multiple=True, help="A class of your own, for a model that infers; repeatable."
)
@click.option("--template", "hypothesis_template", metavar="TEXT", help="What is inferred, with `{}` for the label.")
@click.option("--multi-label", is_flag=True, help="Judge each label by itself: several may fit, or none.")
@click.option("--sound", "-s", "sounds", multiple=True, metavar="FILE", help=SOUND_HELP)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: the text, its class, and the score of each class.")
def classify(
    words: tuple[str, ...],
    files: tuple[Path, ...],
    jsonl: bool,
    as_json: bool,
    as_csv: bool,
    labels: tuple[str, ...],
    multi_label: bool,
    sounds: tuple[str, ...],
    **request: Any,
) -> None:
    """Print the class of each text: one that the model was trained on, or one of your labels; or those of recordings.

    \b
    lf classify "What a lovely day."
    lf classify --label bug --label wish --csv < tickets.txt > classes.csv
    lf classify --sound yard.wav --sound barn.mp3
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    if sounds:
        if words or files or labels or multi_label or as_csv or request["hypothesis_template"]:
            raise click.UsageError("--sound goes with --model and --json alone: other models classify texts.")
        _classify_sounds(sounds, request, as_json=as_json)
        return
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


def _classify_sounds(names: tuple[str, ...], request: dict[str, Any], *, as_json: bool) -> None:
    """A row for each class of each recording."""
    answer = ask_all(SOUND_CLASSES, "input", [*map(sound, names)], request)
    if as_json:
        click.echo(json_text(answer))
        return
    classes = [(names[row["index"]], each) for row in answer["data"] for each in row["classes"]]
    print_table(
        ["class", "score", "recording"], [[shown(each["label"]), number(each["score"]), name] for name, each in classes]
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
