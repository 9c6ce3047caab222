"""`lf eval classifier`, which `lf` finds by its entry point."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from llamafarm.cli import beside_cwd, open_farm
from llamafarm.errors import UsageError

from llamafarm_agents.evaluation.answers import Answer, ask_all
from llamafarm_agents.evaluation.rows import Row, read_rows


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv")
@click.option("--model", "-m", metavar="NAME", help="The model entry to ask; else the default one.")
@click.option("--text", "text_column", default="text", show_default=True, metavar="COLUMN", help="Where the texts are.")
@click.option(
    "--label", "label_column", default="label", show_default=True, metavar="COLUMN", help="And their classes."
)
@click.option(
    "--at-once", type=click.IntRange(1, 256), default=8, show_default=True, help="How many texts are asked at once."
)
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the confusion matrix.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def classifier(
    file: Path,
    model: str | None,
    text_column: str,
    label_column: str,
    at_once: int,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Ask for the class of each text in FILE.csv, and show how often the answer was right.

    Any model entry will do whose answers are labels; those of the agent handler `classifier` are. Exit code 1 where
    rows have failed.

    \b
    lf eval classifier tickets.csv --model sorter --picture matrix.svg
    """
    from llamafarm_agents.evaluation.metrics import measure
    from llamafarm_agents.evaluation.report import print_all, print_failures, print_report

    rows = read_rows(beside_cwd(file), text_column, label_column)
    drawn = picture and _picture_file(beside_cwd(picture))
    answers = asyncio.run(_ask(rows, model, at_once))
    metrics = measure(answers)
    if as_json:
        print_all(metrics, answers)
    else:
        print_report(metrics, answers)
        print_failures(answers)
    if drawn:
        from llamafarm_agents.evaluation.picture import svg

        drawn.write_text(svg(metrics, title=file.name), encoding="utf-8")
        click.echo(f"Wrote {picture}", err=True)
    if any(answer.error for answer in answers):
        raise click.exceptions.Exit(1)


async def _ask(rows: list[Row], model: str | None, at_once: int) -> list[Answer]:
    """The answer to each row. A bar on stderr shows how far it is."""
    async with open_farm() as farm:
        with click.progressbar(length=len(rows), label="classify", file=sys.stderr, show_pos=True) as bar:
            return await ask_all(farm, rows, model, at_once=at_once, done=lambda: bar.update(1))


def _picture_file(path: Path) -> Path:
    """The file, looked at before anything is asked. Raises UsageError where it cannot be written."""
    if not path.parent.is_dir() or path.is_dir():
        raise UsageError(f"--picture: {path} cannot be written: there is no such folder, or it is one.", status=400)
    return path
