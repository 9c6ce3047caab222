"""What came out, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from llamafarm.cli import plain, print_table

from llamafarm_rag.evaluation.answer_report import print_answers
from llamafarm_rag.evaluation.measuring import TOTAL, StrategyFigures
from llamafarm_rag.evaluation.outcome import Outcome
from llamafarm_rag.evaluation.rounds import reasons

DETAIL = 5
MOST_LINES = 10
NOT_ASKED = "not asked"
"""A strategy that failed for all questions of a kind, or was stopped before them."""


def print_report(outcome: Outcome) -> None:
    """The figures of each strategy, and those of its answers."""
    rows = outcome.rows
    without = sum(not row.is_answerable for row in rows)
    click.echo(f"{len(rows)} questions" + (f", {without} that no file answers" if without else ""))
    strategies = [figures for figures in outcome.strategies() if figures.questions]
    if strategies:
        _print_recall(strategies, outcome.counts, severally=any(len(row.files) > 1 for row in rows))
        _print_kinds(strategies, detail_of(outcome.counts))
        _print_emptiness(strategies)
        _print_origins(strategies)
        _print_times(strategies)
    answers = [figures for figures in outcome.answer_figures() if figures.questions]
    if answers:
        print_answers(answers)


def print_warnings(outcome: Outcome) -> None:
    """On stderr, what figures alone would hide: files that are not there, notes of retrievals, and rows that failed."""
    for row, files in outcome.absent:
        click.echo(
            plain(f"Warning, line {row.line}: not in the database {outcome.database!r}: {', '.join(files)}"), err=True
        )
    noted = [(each.row.line, note) for each in outcome.findings if each.retrieval for note in each.retrieval.notes]
    checked = [(answer.row.line, answer.problem) for answer in outcome.answers if answer.problem]
    _print_reasons("Note", [*noted, *checked])
    _print_reasons("Failed", outcome.failures)


def detail_of(counts: Sequence[int]) -> int:
    """The k for which there is more than one figure: 5 where it is among them, else the largest."""
    return DETAIL if DETAIL in counts else max(counts)


def _print_reasons(what: str, told: Iterable[tuple[int, str]]) -> None:
    listed = list(reasons(told).items())
    for reason, lines in listed[:MOST_LINES]:
        distinct = list(dict.fromkeys(lines))
        more = f", … ({len(distinct)} rows)" if len(distinct) > MOST_LINES else ""
        click.echo(plain(f"{what}, line {', '.join(map(str, distinct[:MOST_LINES]))}{more}: {reason}"), err=True)
    if len(listed) > MOST_LINES:
        click.echo(f"{what}: {len(listed) - MOST_LINES} reasons more; `--json` tells all.", err=True)


def _print_recall(strategies: Sequence[StrategyFigures], counts: Sequence[int], *, severally: bool) -> None:
    click.echo("\nRecall: of the questions that a file answers, those with any such file among the first k passages.\n")
    heads = ["STRATEGY", "QUESTIONS", *(f"@{count}" for count in counts)]
    names = [[each.strategy, str(each.recall.questions)] for each in strategies]
    shares = [[*_shares(each.recall.found), _share(each.recall.mrr)] for each in strategies]
    print_table([*heads, "MRR"], [[*name, *cells] for name, cells in zip(names, shares, strict=True)])
    if severally:
        click.echo("\nAnd of all files that answer a question, those that are among the first k passages.\n")
        shares = [_shares(each.recall.files) for each in strategies]
        print_table(heads, [[*name, *cells] for name, cells in zip(names, shares, strict=True)])


def _print_kinds(strategies: Sequence[StrategyFigures], count: int) -> None:
    kinds = dict.fromkeys(kind for each in strategies for kind in each.kinds)
    if not kinds:
        return
    click.echo(f"\nRecall@{count} by kind.\n")
    rows = [
        [
            kind,
            str(max(each.kinds[kind].questions for each in strategies if kind in each.kinds)),
            *(_share(each.kinds[kind].found[count]) if kind in each.kinds else NOT_ASKED for each in strategies),
        ]
        for kind in kinds
    ]
    print_table(["KIND", "QUESTIONS", *(each.strategy for each in strategies)], rows)


def _print_emptiness(strategies: Sequence[StrategyFigures]) -> None:
    if not any(each.emptiness.unanswerable or each.emptiness.answerable_empty for each in strategies):
        return
    click.echo("\nQuestions for which no passage reaches the threshold, so that they are refused.\n")
    rows = [
        [
            each.strategy,
            f"{each.emptiness.answerable_empty} of {each.emptiness.answerable}",
            f"{each.emptiness.unanswerable_empty} of {each.emptiness.unanswerable}",
        ]
        for each in strategies
    ]
    print_table(["STRATEGY", "WITH AN ANSWER", "WITHOUT ONE"], rows)


def _print_origins(strategies: Sequence[StrategyFigures]) -> None:
    """Of hybrid strategies."""
    rows = [
        [each.strategy, str(count), *map(str, (origins.both, origins.meaning, origins.words, origins.together))]
        for each in strategies
        for count, origins in (each.origins or {}).items()
    ]
    if rows:
        click.echo("\nQuestions that are found, by which search alone has their passage among its own first k.\n")
        print_table(["STRATEGY", "K", "BOTH", "MEANING", "WORDS", "NEITHER"], rows)


def _print_times(strategies: Sequence[StrategyFigures]) -> None:
    click.echo("\nMilliseconds of a question.\n")
    rows = [
        [each.strategy if stage == TOTAL else "", stage, f"{times.median:.1f}", f"{times.p95:.1f}"]
        for each in strategies
        for stage, times in reversed(each.times.items())
    ]
    print_table(["STRATEGY", "STAGE", "MEDIAN", "P95"], rows)


def _shares(by_count: dict[int, float]) -> list[str]:
    return [_share(share) for share in by_count.values()]


def _share(share: float) -> str:
    return f"{share:.3f}"
