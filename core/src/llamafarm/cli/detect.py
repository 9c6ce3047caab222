"""`lf detect`."""

from __future__ import annotations

from typing import Any

import click

from llamafarm.cli.output import json_option, json_text, print_table, server_url_option
from llamafarm.cli.pictures import picture
from llamafarm.cli.texts import MODEL_HELP, ask_all, number, shown
from llamafarm.wire.operations import DETECT


@click.command()
@click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True)
@click.option("--model", "-m", metavar="NAME", help=MODEL_HELP)
@click.option("--label", "-l", "labels", multiple=True, help="What to look for, for a model that is told; repeatable.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="The lowest score that counts.")
@server_url_option
@json_option
def detect(pictures: tuple[str, ...], labels: tuple[str, ...], as_json: bool, **request: Any) -> None:
    """Print the objects in pictures, and where they are, in pixels from the left upper corner.

    A picture is a file, or an address that the server may fetch.

    \b
    lf detect farm.jpg
    lf detect --label "a cow" --label "a tractor" *.jpg
    """
    answer = ask_all(DETECT, "input", [*map(picture, pictures)], {**request, "candidate_labels": list(labels) or None})
    if as_json:
        click.echo(json_text(answer))
        return
    heads = ["object", "score", "left", "top", "right", "bottom"]
    found = [(pictures[row["index"]], item) for row in answer["data"] for item in row["objects"]]
    cells = [[shown(item["label"]), number(item["score"]), *_box(item["box"])] for _, item in found]
    if len(pictures) > 1:
        heads, cells = ["picture", *heads], [[shown(name), *row] for (name, _), row in zip(found, cells, strict=True)]
    print_table(heads, cells)


def _box(box: dict[str, float]) -> list[str]:
    return [f"{box[side]:.0f}" for side in ("xmin", "ymin", "xmax", "ymax")]
