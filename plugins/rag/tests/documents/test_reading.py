"""Files that can be read whatever their encoding, and those that cannot, with their cause."""

from __future__ import annotations

import os

import pytest
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.documents.reading import read
from llamafarm_rag.errors import UnreadableFile
from pdf_file import pdf
from shape import texts

DEFAULT = ProcessingStrategy(name="default")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_with_and_without_its_mark(read_file, encoding):
    assert read_file("a.txt", "Grüße, 世界".encode(encoding)).text == "Grüße, 世界"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xfcber 5 \x80", "über 5 €"),  # Windows-1252
        (b"\xfcber \x81", "über \x81"),  # a byte that Windows-1252 has not
        (b"a\r\nb\rc", "a\r\nb\rc"),
    ],
)
def test_other_bytes_are_read_as_windows_1252(read_file, data, text):
    assert read_file("a.txt", data).text == text


def test_the_parser_of_the_strategy_reads(read_file):
    document = read_file("a.txt", "# Title\n\nText", parsers=[{"type": "markdown", "file_extensions": [".txt"]}])
    assert document.title == "Title"


def test_a_file_that_no_parser_names_is_read_as_text(read_file):
    assert texts(read_file("notes", "# One\n\nTwo")) == ["# One", "Two"]


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.txt", b"", "is empty"),
        ("a.md", b" \n\t\n", "has no text"),
        ("a.txt", b"abc\0def", "is no text: it is a binary file"),
        ("a.txt", bytes(range(1, 32)) * 10 + b"\xff", "is no text: it is a binary file"),
        ("a.txt", pdf(["Hello"]), "is no text: it is a PDF"),
        ("a.md", b"\x89PNG\r\n", "is no text: it is a PNG picture"),
        ("a.txt", b"\xff\xfe\x00\xd8", "is no UTF-16-LE, as its byte order mark says"),
        ("a.pdf", b"Hello", "is no PDF"),
        ("a.pdf", b"PK\x03\x04 and so on", "is no PDF: it is a zip archive"),
        ("a.docx", b"Hello", "is no DOCX that is whole"),
        ("a.docx", b"PK\x03\x04 and so on", "is no DOCX that is whole"),
        ("a.pdf", pdf(["Hello"])[:300], "seems to be broken"),
        ("a.pdf", pdf([]), "has no pages"),
        ("a.docx", pdf(["Hello"]), "is no DOCX: it is a PDF"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "of before 2007, or one with a password"),
        ("a.json", b'{"a": 1,\n "b": }', "is no JSON: line 2, column 7"),
        ("a.jsonl", b'{"a": 1}\n\n{"a"}\n', "is no JSON: line 3, column 5"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.csv", b"\n\n", "has no text"),
        ("a.html", b"<p></p><script>x</script>", "has no text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_file_and_cause(read_file, name, content, cause):
    with pytest.raises(UnreadableFile) as caught:
        read_file(name, content)
    assert name in caught.value.message
    assert cause in caught.value.message


@pytest.mark.parametrize(
    ("name", "title"), [("herd_2024-final.csv", "herd 2024 final"), ("__init__.py", "init"), ("-.txt", None)]
)
def test_a_file_without_a_title_is_called_by_its_name(read_file, name, title):
    assert read_file(name, "a,b\n1,2\n").title == title


def test_large_files_are_not_read(read_file):
    with pytest.raises(UnreadableFile, match=r"a\.txt has 11 bytes; files of more than 10 .*\n.*max_file_bytes"):
        read_file("a.txt", "x" * 11, max_file_bytes=10)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    for path, cause in ((tmp_path, "is no file"), (tmp_path / "pipe.txt", "is no file"), (tmp_path / "no", "No such")):
        with pytest.raises(UnreadableFile, match=cause):
            read(path, DEFAULT)


def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.txt")
    path.touch()
    with pytest.raises(UnreadableFile, match="is empty") as caught:
        read(path, DEFAULT)
    caught.value.message.encode()
