"""How a pull is shown: a bar for a person who watches, a line for each stage in a log, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from llamafarm.cli.output import ago, plain, size
from llamafarm.cli.progress import ProgressLine
from llamafarm.providers.base import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task


@contextmanager
def shown(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """Gives whom to tell the progress. JSON goes to stdout, all else to stderr."""
    if as_json:
        yield lambda step: click.echo(json.dumps(asdict(step), ensure_ascii=False))
    elif sys.stderr.isatty():
        from rich.console import Console

        with bar(Console(stderr=True)) as show:
            yield show
    else:
        yield ProgressLine()


@contextmanager
def bar(console: Console) -> Iterator[Callable[[Progress], None]]:
    """One bar: what is happening, which file of how many, bytes, speed and time left. It is gone at the end."""
    from rich.progress import BarColumn, ProgressColumn
    from rich.progress import Progress as Bars
    from rich.table import Column
    from rich.text import Text

    class Words(ProgressColumn):
        def __init__(self, say: Callable[[Task], str], column: Column | None = None) -> None:
            super().__init__(column)
            self._say = say

        def render(self, task: Task) -> Text:
            return Text(self._say(task), no_wrap=True, overflow="ellipsis")

    numbers = Words(_numbers, Column(no_wrap=True))  # where it is narrow, the others give way
    columns = (Words(lambda task: task.description), BarColumn(bar_width=None), numbers)
    with Bars(*columns, console=console, transient=True, expand=True) as bars:
        task = bars.add_task("", total=None)
        last = Progress("starting", "")

        def show(step: Progress) -> None:
            nonlocal task, last
            if _begins(step, last):
                bars.remove_task(task)
                task = bars.add_task("", total=step.total, completed=step.done or 0)
            bars.update(task, description=plain(step.text), completed=step.done or 0, files=_files(step))
            last = step

        yield show


def _begins(step: Progress, last: Progress) -> bool:
    """Whether something else is counted from now on, so that its speed is measured anew."""
    return (step.done is None) != (last.done is None) or step.total != last.total or (step.done or 0) < (last.done or 0)


def _files(step: Progress) -> str:
    return f"file {step.index} of {step.count}" if step.index and (step.count or 0) > 1 else ""


def _numbers(task: Task) -> str:
    """`file 2 of 7  1.5 GB of 4.1 GB  32.0 MB/s  81 s left`, as far as it is known."""
    done = size(task.completed)
    amount = f"{done} of {size(task.total)}" if task.total else done if task.completed else ""
    speed = f"{size(task.speed)}/s" if task.speed else ""
    left = f"{ago(task.time_remaining)} left" if task.time_remaining else ""
    return "  ".join(filter(None, [task.fields.get("files"), amount, speed, left]))
