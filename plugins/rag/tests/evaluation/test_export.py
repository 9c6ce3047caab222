"""What programs read."""

from __future__ import annotations

import json

from llamafarm_rag.evaluation.export import as_json
from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.outcome import Outcome
from made import answer, finding, hit, row


def told(outcome):
    return json.loads(json.dumps(as_json(outcome)))


def test_every_row_is_there_with_its_hits_and_scores():
    findings = [finding([hit("a.md", nearest=1)], stages={"embed": 2.0}), Finding(row(line=3), "near", error="Lost.")]
    figures = told(Outcome([each.row for each in findings], (1, 3), "barn", [(row(), ["a.md"])], findings, [], True))
    assert (figures["complete"], figures["absent"]) == (True, [{"line": 2, "files": ["a.md"]}])
    assert figures["strategies"][0]["recall"]["found"] == {"1": 1.0, "3": 1.0}
    [first, second] = figures["findings"]
    assert (first["rank"], first["stages"], first["hits"][0]["places"]) == (1, {"embed": 2.0}, {"nearest": 1})
    assert second == {"line": 3, "strategy": "near", "error": "Lost."}
    assert "answers" not in figures


def test_answers_are_there_where_there_are_any():
    answers = [answer(cited="a.md", words=("x",), text="X [1]."), answer(error="Lost.")]
    figures = told(Outcome([each.row for each in answers], (1,), answers=answers))
    assert figures["answering"][0]["precision"] == {"count": 1, "of": 1, "share": 1.0}
    [first, second] = figures["answers"]
    assert (first["text"], first["right"], first["key_words"]) == ("X [1].", 1, True)
    assert second["error"] == "Lost."
