"""Questions whose files were not found, and what was found in their place."""

from __future__ import annotations

import click
from llamafarm.cli import plain

from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.outcome import Outcome


def print_misses(outcome: Outcome, count: int) -> None:
    """Those without a file that answers among the first `count` passages, by strategy, with these passages."""
    for finding in misses(outcome, count):
        row = finding.row
        click.echo()
        click.echo(plain(f"Missed by {finding.strategy}, line {row.line}: {row.question}"))
        place = "not found at all" if finding.rank is None else f"found at {finding.rank}"
        click.echo(plain(f"  expected {' or '.join(row.files)}, {place}"))
        for number, hit in enumerate(finding.hits[:count], 1):
            scores = "  ".join(f"{name} {score:.3f}" for name, score in hit.scores.items())
            click.echo(plain(f"  {number} {hit.passage.file}  {scores}"))
        if not finding.hits:
            click.echo("  nothing was found that may be used")


def misses(outcome: Outcome, count: int) -> list[Finding]:
    """The findings of questions that a file answers, without such a file among the first `count` passages."""
    return [
        finding
        for finding in outcome.findings
        if finding.row.is_answerable and not finding.error and not finding.is_found(count)
    ]
