"""What people read."""

from __future__ import annotations

from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.misses import print_misses
from llamafarm_rag.evaluation.outcome import Outcome
from llamafarm_rag.evaluation.report import print_report, print_warnings
from made import answer, finding, hit, row

FINDINGS = [
    finding([hit("a.md", nearest=1, words=1)], kind="code", strategy="both", stages={"embed": 2.0}),
    finding([hit("x.md", nearest=1), hit("a.md", words=1)], kind="page", strategy="both", line=3, question="Where?"),
    finding("", "", strategy="both", line=4),
    finding("x.md", strategy="near", kind="code"),
]
ROWS = [finding.row for finding in FINDINGS[:3]]


def printed(capsys, outcome, *calls):
    for call in calls:
        call(outcome)
    return capsys.readouterr()


def test_recall_stands_by_k_and_by_kind(capsys):
    out = printed(capsys, Outcome(ROWS, (1, 2), "barn", findings=FINDINGS), print_report).out
    assert out.startswith("3 questions, 1 that no file answers\n")
    lines = [line.split() for line in out.splitlines()]
    assert ["STRATEGY", "QUESTIONS", "@1", "@2", "MRR"] in lines
    assert ["both", "2", "0.500", "1.000", "0.750"] in lines
    assert ["near", "1", "0.000", "0.000", "0.000"] in lines
    assert ["page", "1", "1.000", "not", "asked"] in lines
    assert ["both", "0", "of", "2", "1", "of", "1"] in lines
    assert ["both", "2", "1", "0", "1", "0"] in lines
    assert ["embed", "2.0", "2.0"] in lines
    assert "And of all files" not in out, "each question has one file"


def test_answers_stand_beside_each_other(capsys):
    answers = [answer(cited="a.md", strategy="near"), answer(cited="a.md b.md")]
    out = printed(capsys, Outcome(ROWS, (1,), answers=answers), print_report).out
    assert "near" in out
    assert "as the entry says" in out
    assert "1.000 (1 of 1)" in out
    assert "0.500 (1 of 2)" in out
    assert "not told" in out


def test_a_miss_is_told_with_what_was_found_in_its_place(capsys):
    outcome = Outcome(ROWS, (1, 2), findings=FINDINGS)
    out = printed(capsys, outcome, lambda outcome: print_misses(outcome, 1)).out
    assert "Missed by both, line 3: Where?\n  expected a.md, found at 2\n  1 x.md  similarity 0.500\n" in out
    assert "Missed by near, line 2: How?\n  expected a.md, not found at all\n" in out
    assert out.count("Missed") == 2


def test_what_makes_figures_wrong_is_told_on_stderr(capsys):
    failed = [Finding(row(line=line), "near", error="It is\x1b lost.") for line in range(2, 15)]
    noted = finding("a.md", notes=("It was cut.",))
    absent = [(row(line=7), ["b.md", "c.md"])]
    told = printed(capsys, Outcome(ROWS, (1,), "barn", absent, [*failed, noted]), print_warnings)
    assert told.out == ""
    assert "Warning, line 7: not in the database 'barn': b.md, c.md\n" in told.err
    assert "Failed, line 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … (13 rows): It is  lost.\n" in told.err
    assert "Note, line 2: It was cut.\n" in told.err
