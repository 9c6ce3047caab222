"""`lf eval rag`, which `lf` finds by its entry point."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from llamafarm.cli import beside_cwd, open_farm, print_json
from llamafarm.errors import UsageError

if TYPE_CHECKING:
    from llamafarm_rag.evaluation.outcome import Outcome
    from llamafarm_rag.evaluation.running import Wish

COUNTS = (1, 3, 5, 10)
INTERRUPTED = 130


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="QUESTIONS.csv")
@click.option("--database", metavar="NAME", help="The database to search; by default the default one.")
@click.option(
    "--retrieval-strategy",
    "strategies",
    metavar="NAME",
    multiple=True,
    help="How passages are found; repeatable. By default as the database says.",
)
@click.option("--all-strategies", is_flag=True, help="Measure every strategy of the database.")
@click.option(
    "--k",
    "counts",
    type=click.IntRange(1, 1000),
    multiple=True,
    help="Of recall@k; repeatable. By default 1, 3, 5, 10.",
)
@click.option(
    "--answers", "is_answered", is_flag=True, help="Let a model answer each question, and check what it cites."
)
@click.option("--model", "-m", metavar="NAME", help="The model entry that answers; else the default one.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 256),
    help="How many questions are asked at once. By default 1, so that times are those of a question alone, and 4 for "
    "answers.",
)
@click.option("--misses", "tells_misses", is_flag=True, help="List what was not found, and what was instead.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw recall and times.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every row.")
def rag(
    file: Path,
    counts: tuple[int, ...],
    tells_misses: bool,
    picture: Path | None,
    as_json: bool,
    **wishes: Any,
) -> int:
    """Measure how often the passages that are found for the questions of QUESTIONS.csv are the right ones.

    Its columns: `question`; `files`, those that answer it, each by itself, parted by `;` (empty: none does); and if you
    like `answer`, key words of the answer (`/` between ways of saying it), and `kind`. No model is asked, but with
    --answers. Ctrl-C shows what there is so far. Exit code 1 where rows have failed.

    \b
    lf eval rag questions.csv --all-strategies --misses --picture recall.svg
    """
    from llamafarm_rag.evaluation.export import as_json as exported
    from llamafarm_rag.evaluation.outcome import Outcome
    from llamafarm_rag.evaluation.rows import read_questions
    from llamafarm_rag.evaluation.running import Wish

    wish = Wish(**wishes)
    if wish.model is not None and not wish.is_answered:
        raise click.UsageError("--model names who answers: it goes with --answers.")
    drawn = picture and _picture_file(beside_cwd(picture))
    outcome = Outcome(read_questions(beside_cwd(file)), sorted({*(counts or COUNTS)}))
    is_interrupted = _is_interrupted(wish, outcome)
    if as_json:
        print_json(exported(outcome))
    else:
        _print(outcome, tells_misses=tells_misses)
    if drawn:
        from llamafarm_rag.evaluation.picture import svg

        drawn.write_text(svg(outcome.strategies(), title=file.name), encoding="utf-8")
        click.echo(f"Wrote {picture}", err=True)
    return INTERRUPTED if is_interrupted else 1 if outcome.failures else 0


def _is_interrupted(wish: Wish, outcome: Outcome) -> bool:
    """Fill the outcome, and say whether somebody has stopped it."""
    try:
        asyncio.run(_run(wish, outcome))
    except KeyboardInterrupt:
        click.echo("\nStopped: these are the figures so far.", err=True)
        return True
    return False


def _print(outcome: Outcome, *, tells_misses: bool) -> None:
    from llamafarm_rag.evaluation.misses import print_misses
    from llamafarm_rag.evaluation.report import detail_of, print_report, print_warnings

    print_report(outcome)
    if tells_misses:
        print_misses(outcome, detail_of(outcome.counts))
    print_warnings(outcome)


async def _run(wish: Wish, outcome: Outcome) -> None:
    """With a bar on stderr for what is done."""
    from llamafarm_rag.evaluation.running import run

    async with open_farm() as farm:
        await run(farm, wish, outcome, _bar)


@contextmanager
def _bar(label: str, length: int) -> Iterator[Callable[[], None]]:
    """Shows how far it is, each time that it is called."""
    with click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True) as bar:
        yield lambda: bar.update(1)


def _picture_file(path: Path) -> Path:
    """The file, looked at before anything is asked. Raises UsageError where it cannot be written."""
    if not path.parent.is_dir() or path.is_dir():
        raise UsageError(f"--picture: {path} cannot be written: there is no such folder, or it is one.", status=400)
    return path
