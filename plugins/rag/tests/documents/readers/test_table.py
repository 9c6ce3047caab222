"""CSV and TSV files."""

from __future__ import annotations

import pytest
from shape import texts


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_row_is_a_block_with_the_names_of_its_columns(read_file, delimiter):
    rows = [("name", "town"), ("Ann", "Ely"), ("Bob", "Rye"), ("", "York")]
    document = read_file("a.csv", "\r\n".join(delimiter.join(row) for row in rows))
    assert texts(document) == ["name: Ann; town: Ely", "name: Bob; town: Rye", "town: York"]
    assert document.metadata == {"columns": "name, town", "rows": 3}


def test_cells_may_hold_delimiters_and_lines(read_file):
    document = read_file("a.csv", 'name,says\nAnn,"Hi, all\nof ""you"""\n')
    assert texts(document) == ['name: Ann; says: Hi, all of "you"']


def test_a_table_without_names_has_its_cells_alone(read_file):
    document = read_file("a.csv", "1,2\n3,4\n")
    assert texts(document) == ["1 | 2", "3 | 4"]
    assert document.metadata == {"rows": 2}


def test_cells_without_a_column_are_numbered(read_file):
    assert texts(read_file("a.csv", "a,b\n1,2,3\n")) == ["a: 1; b: 2; column 3: 3"]


def test_tsv_is_cut_at_tabs_alone(read_file):
    assert texts(read_file("a.tsv", "a, b\tc\n1, 2\t3\n")) == ["a, b: 1, 2; c: 3"]


def test_a_cell_may_be_long(read_file):
    assert len(read_file("a.csv", "a,b\n1," + "x" * 200_000).text) > 200_000


def test_an_open_quote_loses_nothing(read_file):
    assert texts(read_file("a.csv", 'a,b\n1,"2\n3,4\n')) == ["a: 1; b: 2 3,4"]
