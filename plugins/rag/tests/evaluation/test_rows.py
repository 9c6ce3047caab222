"""Questions, read from a table."""

from __future__ import annotations

import pytest
from llamafarm.errors import UsageError
from llamafarm_rag.evaluation.rows import absent_files, read_questions


def table(folder, text):
    (folder / "questions.csv").write_text(text)
    return read_questions(folder / "questions.csv")


def test_a_question_names_files_key_words_and_its_kind(tmp_path):
    [first, second] = table(
        tmp_path, 'id,question,files,answer,kind\nx," Why? ", a.md ;b/c.md; a.md,no/not at all ,code\ny,How?,,,\n'
    )
    assert (first.line, first.question, first.files) == (2, "Why?", ("a.md", "b/c.md"))
    assert (first.answers, first.kind, first.is_answerable) == (("no", "not at all"), "code", True)
    assert (second.files, second.answers, second.kind, second.is_answerable) == ((), (), "", False)


def test_key_words_and_kinds_may_be_left_out(tmp_path):
    [only] = table(tmp_path, "question;files\nWhy?;a.md\n")
    assert (only.answers, only.kind) == ((), "")


def test_a_table_without_files_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no column 'files'(.|\n)*parted by `;`"):
        table(tmp_path, "question,file\nWhy?,a.md\n")


def test_files_that_are_not_in_the_database_are_told_with_their_rows(tmp_path):
    rows = table(tmp_path, "question,files\nWhy?,a.md;b.md\nHow?,a.md\nWho?,\n")
    [(row, files)] = absent_files(rows, {"a.md"})
    assert (row.line, files) == (2, ["b.md"])
