"""What came out, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click
from llamafarm.cli import print_json, print_table

from llamafarm_agents.evaluation.answers import Answer
from llamafarm_agents.evaluation.metrics import Metrics

MOST_COLUMNS = 100
"""A wider matrix has numbers at the heads of its columns."""
MOST_REASONS = 10


def print_report(metrics: Metrics, answers: Sequence[Answer]) -> None:
    """The figures, a line for each label, and which labels are taken for which."""
    failed = len(answers) - metrics.rows
    click.echo(f"{len(answers)} rows, {failed} failed" if failed else f"{len(answers)} rows")
    if not metrics.rows:
        return
    click.echo(f"accuracy  {metrics.accuracy:.4f}\nmacro-F1  {metrics.macro_f1:.4f}\n")
    print_table(
        ["LABEL", "PRECISION", "RECALL", "F1", "ROWS"],
        [
            [each.label, f"{each.precision:.4f}", f"{each.recall:.4f}", f"{each.f1:.4f}", str(each.support)]
            for each in metrics.labels
        ],
    )
    click.echo("\nA row for each label of the table, a column for each that was answered:\n")
    _print_matrix(metrics)
    if metrics.foreign:
        click.echo(f"Warning: the model entry does not have these labels: {', '.join(metrics.foreign)}", err=True)


def print_failures(answers: Sequence[Answer]) -> None:
    """Why rows have failed, on stderr: each reason once, with the lines of its rows."""
    lines: dict[str, list[str]] = {}
    for answer in answers:
        if answer.error:
            lines.setdefault(answer.error, []).append(str(answer.row.line))
    for reason, at in list(lines.items())[:MOST_REASONS]:
        more = f", … ({len(at)} rows)" if len(at) > MOST_REASONS else ""
        click.echo(f"Failed, line {', '.join(at[:MOST_REASONS])}{more}: {reason}", err=True)
    if len(lines) > MOST_REASONS:
        click.echo(f"Failed for {len(lines) - MOST_REASONS} reasons more; `--json` tells all.", err=True)


def print_all(metrics: Metrics, answers: Sequence[Answer]) -> None:
    """The same as one JSON object, with every row."""
    rows = [
        {"line": answer.row.line, "label": answer.row.label}
        | ({"error": answer.error} if answer.error else {"answer": answer.label, "scores": answer.scores})
        for answer in answers
    ]
    failed = sum(bool(answer.error) for answer in answers)
    print_json({**asdict(metrics), "failed": failed, "answers": rows})


def _print_matrix(metrics: Metrics) -> None:
    names = [each.label for each in metrics.labels]
    if sum(map(len, names)) + max(map(len, names)) + 2 * len(names) > MOST_COLUMNS:
        heads = [str(number) for number in range(1, len(names) + 1)]
        names = [f"{number} {name}" for number, name in zip(heads, names, strict=True)]
    else:
        heads = names
    rows = [[name, *map(str, row)] for name, row in zip(names, metrics.confusion, strict=True)]
    print_table(["", *heads], rows)
