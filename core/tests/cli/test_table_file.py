"""Tables as people have them."""

from __future__ import annotations

import pytest
from llamafarm.cli import read_table_file
from llamafarm.errors import UsageError


@pytest.fixture
def table(tmp_path):
    def written(content: str | bytes):
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def told(path, text="text", label="label"):
    rows = read_table_file(path, [text, label], hint="Name others.")
    return [(row.line, row.cells[text], row.cells[label].strip()) for row in rows]


@pytest.mark.parametrize(
    "content",
    [
        'text,label\n"Moo, he said.",cows\n"He said\n""oink""",pigs\n',
        'text,label\r\n\r\n"Moo, he said.",cows\r\n,\r\n"He said\n""oink""", pigs ',
        '\ufefftext;label\n"Moo, he said.";cows\n"He said\n""oink""";pigs\n',
        'id\tlabel\ttext\n1\tcows\t"Moo, he said."\n2\tpigs\t"He said\n""oink"""\n',
    ],
)
def test_texts_and_labels_are_read_however_they_are_written(table, content):
    assert [(text, label) for _, text, label in told(table(content))] == [
        ("Moo, he said.", "cows"),
        ('He said\n"oink"', "pigs"),
    ]


def test_the_columns_can_have_other_names(table):
    assert told(table("q,kind\nMoo,cows\n"), "q", "kind") == [(2, "Moo", "cows")]


def test_a_text_may_be_long(table):
    [(_, text, _)] = told(table(f"text,label\n{'moo ' * 50_000},cows\n"))
    assert len(text) == 200_000


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no column 'text'. Its columns: none"),
        ("question,label\nMoo,cows\n", "no column 'text'. Its columns: question, label"),
        ("text,label,text\nMoo,cows,x\n", "two columns 'text'"),
        ("text,label\n", "has no rows below its head"),
        ("text,label\nMoo,cows\nMoo, he said.,cows\n", "line 3: 3 cells, where the head has 2"),
        ('text,label\n"Moo,cows\n', "line 2: unexpected end of data"),
        (b"text,label\nM\xfc,cows\n", "is not UTF-8: byte 13"),
    ],
)
def test_what_is_no_such_table_says_where(table, content, problem):
    with pytest.raises(UsageError) as caught:
        told(table(content))
    assert problem in caught.value.message
