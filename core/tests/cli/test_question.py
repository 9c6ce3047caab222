"""Text, files and a pipe become one message; what no model can read is refused before it is asked."""

from __future__ import annotations

import sys

import click
import pytest
from llamafarm.cli import question as module
from llamafarm.cli.question import question


@pytest.fixture(autouse=True)
def no_pipe(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)


def test_the_parts_stand_in_their_order_with_an_empty_line_between_them(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("one\n")
    second.write_text("two\n")

    assert question("Compare", (first, second)) == "Compare\n\none\n\ntwo"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfHello")

    assert question("", (file,)) == "Hello"


def test_a_file_that_is_not_text_is_refused(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"\x00\xff")

    with pytest.raises(click.UsageError, match="is not UTF-8 text: byte 1"):
        question("", (file,))


def test_a_file_that_no_model_could_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 2 * 1024 * 1024)
    file = tmp_path / "a.txt"
    file.write_bytes(b"x" * (2 * 1024 * 1024 + 1))

    with pytest.raises(click.UsageError, match="larger than 2 MiB"):
        question("Read", (file,))


def test_nothing_at_all_is_empty():
    assert question("", ()) == ""
