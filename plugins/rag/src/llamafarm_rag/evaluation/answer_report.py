"""What came out for answers, for people."""

from __future__ import annotations

from collections.abc import Sequence

import click
from llamafarm.cli import print_table

from llamafarm_rag.evaluation.answer_measuring import AnswerFigures, Part

AS_THE_ENTRY_SAYS = "as the entry says"


def print_answers(strategies: Sequence[AnswerFigures]) -> None:
    """A column for each strategy."""
    click.echo("\nAnswers.\n")
    rows = [
        ("questions", [str(each.questions) for each in strategies]),
        ("a file that answers is in the context", [_part(each.in_context) for each in strategies]),
        ("cited sources that are of such a file (precision)", [_part(each.precision) for each in strategies]),
        ("answers that cite such a file", [_part(each.rightly_cited) for each in strategies]),
        ("answers that have the key words", [_part(each.key_words) for each in strategies]),
        ("refused though a file answers", [_part(each.wrongly_refused) for each in strategies]),
        ("refused where no file answers", [_part(each.rightly_refused) for each in strategies]),
        ("answers without a citation", [str(each.uncited) for each in strategies]),
        ("marks taken out", [str(each.removed) for each in strategies]),
        ("marks put in", [str(each.added) for each in strategies]),
        ("sentences without support", [str(each.unsupported) for each in strategies]),
        ("answers that could not be checked", [str(each.unchecked) for each in strategies]),
        ("tokens of prompts", [_count(each.prompt_tokens) for each in strategies]),
        ("tokens of answers", [_count(each.completion_tokens) for each in strategies]),
        ("seconds of an answer, median", [f"{each.median:.2f}" for each in strategies]),
        ("seconds of an answer, p95", [f"{each.p95:.2f}" for each in strategies]),
    ]
    print_table(
        ["", *(each.strategy or AS_THE_ENTRY_SAYS for each in strategies)], [[name, *cells] for name, cells in rows]
    )


def _part(part: Part) -> str:
    return f"{part.share:.3f} ({part.count} of {part.of})"


def _count(number: int | None) -> str:
    return "not told" if number is None else str(number)
