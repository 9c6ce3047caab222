"""What an ingestion did, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence

import click
from llamafarm.cli import ago, counted, plain, print_json

from llamafarm_rag.ingestion.report import FileRow, Report


def print_reports(reports: Sequence[Report], *, as_json: bool) -> None:
    """Print them. Raises click's Exit, with code 1, where a file has failed."""
    if as_json:
        print_json([report.as_json() for report in reports])
    else:
        for report in reports:
            _print(report)
    if any(report.failed for report in reports):
        raise click.exceptions.Exit(1)


def _print(report: Report) -> None:
    totals = [f"{count} {outcome}" for outcome, count in report.totals.items() if count]
    click.echo(f"{report.dataset}: {', '.join(totals) or 'no files'}{_speed(report)}")
    if report.left_out:
        click.echo(f"  {counted(report.left_out, 'file')} left out: hidden, or of a kind that is not read")
    for row in report.failed:
        click.echo(plain(f"  {_cause(row)}"), err=True)


def _speed(report: Report) -> str:
    if not report.chunks:
        return ""
    rate = report.chunks / report.seconds if report.seconds else 0.0
    return f"; {counted(report.chunks, 'chunk')} in {ago(report.seconds)} ({rate:.1f}/s)"


def _cause(row: FileRow) -> str:
    """What has happened, which often begins with the name of the file."""
    told = " ".join(filter(None, [row.cause, row.hint])) or "it has failed"
    return told if told.startswith(row.file) else f"{row.file}: {told}"
