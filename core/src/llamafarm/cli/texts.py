"""Many texts for one command: as arguments, from files and a pipe, asked in batches."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli import pictures
from llamafarm.cli.app import current_app
from llamafarm.cli.output import cut, json_option, plain, server_url_option, width
from llamafarm.cli.question import decoded, piped

if TYPE_CHECKING:
    from llamafarm.wire.operations import Operation

BATCH = 128
"""Most texts of one request."""
JSON_LINES = (".jsonl", ".ndjson")
COLUMNS = 60
"""As much of a text is shown in a table."""
MODEL_HELP = "The model entry to ask; else one that can do it, the default first."
FILE_HELP = "Add the texts of FILE, one in each line (.jsonl: texts, or objects with `text`); repeatable."


def text_options(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options by which a command gets its texts: `words`, `files`, `jsonl`, `model`, `as_json`,
    `server_url`."""
    path = click.Path(path_type=Path)
    for decorate in (
        json_option,
        server_url_option,
        click.option("--jsonl", is_flag=True, help="What is piped is JSON Lines, too."),
        click.option("--file", "-f", "files", multiple=True, type=path, metavar="FILE", help=FILE_HELP),
        click.option("--model", "-m", metavar="NAME", help=MODEL_HELP),
    ):
        command = decorate(command)
    return command


def read_texts(words: tuple[str, ...], files: tuple[Path, ...], *, jsonl: bool, needed: bool = True) -> list[str]:
    """Every argument is a text, and every line of the files and of the pipe that is not empty.

    Raises UsageError where there is none, and one is needed.
    """
    texts = [*words]
    for file in (current_app().cwd / file for file in files):
        texts += _lines(decoded(file.read_bytes(), str(file)), str(file), jsonl=file.suffix in JSON_LINES)
    texts += _lines(piped(), "the piped input", jsonl=jsonl)
    if needed and not texts:
        raise click.UsageError("Give a text: as an argument, with --file, or through a pipe.")
    return texts


def _lines(content: str, name: str, *, jsonl: bool) -> list[str]:
    rows = content.replace("\r\n", "\n").split("\n")  # and at nothing else: JSON may hold other line ends as they are
    lines = [(number, line) for number, line in enumerate(rows, 1) if line.strip()]
    return [_text_of(line, f"{name}, line {number}") if jsonl else line for number, line in lines]


def _text_of(line: str, place: str) -> str:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise click.UsageError(f"{place} is no JSON: {error}.") from None
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise click.UsageError(f"{place} is neither a text nor an object with the text under `text`.")
    return text


def ask_all(
    operation: Operation, field: str, items: Sequence[Any], request: Mapping[str, Any], *, rows: str = "data"
) -> dict[str, Any]:
    """Ask with what is in `field`, BATCH items at a time, and return one answer, its `rows` counted through.

    request: what the command line says; its `server_url` is whom to ask, and what is None is left out. A bar on stderr
    shows how far a long input is. Raises LlamaFarmError.
    """
    given = {name: value for name, value in request.items() if value is not None}
    server_url = given.pop("server_url", None)
    parts = list(pictures.parts(items, BATCH))

    async def asked() -> list[dict[str, Any]]:
        """The answers to all parts. Only the first shows what happens before it: a model is loaded once."""
        from llamafarm.cli.progress import ProgressLine

        async with current_app().opened(server_url) as farm:
            with ProgressLine() as line:
                answers = [await farm.ask(operation, {**given, field: [*map(pictures.sent, parts[0])]}, progress=line)]
            if len(parts) > 1:
                with click.progressbar(length=len(items), label=operation.name, file=sys.stderr, show_pos=True) as bar:
                    bar.update(len(parts[0]))
                    for part in parts[1:]:
                        answers.append(await farm.ask(operation, {**given, field: [*map(pictures.sent, part)]}))
                        bar.update(len(part))
        return answers

    return _joined(asyncio.run(asked()), [*accumulate(map(len, parts[:-1]), initial=0)], rows)


def _joined(answers: list[dict[str, Any]], starts: Sequence[int], rows: str) -> dict[str, Any]:
    """starts: the number of the first item of each answer."""
    numbered = zip(starts, answers, strict=True)
    found = [{**row, "index": row["index"] + start} for start, answer in numbered for row in answer[rows]]
    whole = {**answers[0], rows: found}
    used = [answer["usage"] for answer in answers if answer.get("usage")]
    if used:
        numbers = (name for name, count in used[0].items() if isinstance(count, int))
        whole["usage"] = {name: sum(each.get(name) or 0 for each in used) for name in numbers}
    return whole


def shown(text: str) -> str:
    """A text as a cell of a table: one line, cut where it is long."""
    line = " ".join(plain(text).split())
    return line if width(line) <= COLUMNS else f"{cut(line, COLUMNS - 1)}…"


def number(value: float) -> str:
    """A score as a cell of a table."""
    return f"{value:.4f}"
