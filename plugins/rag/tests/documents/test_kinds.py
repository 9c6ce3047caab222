"""Which files are read, and as what, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_rag.config.processing import ParserOptions, ProcessingStrategy
from llamafarm_rag.documents.kinds import is_read, parser_of

DEFAULT = ProcessingStrategy(name="default")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "text"), ("A.LOG", "text"), ("a.md", "markdown"), ("a.htm", "html"), ("a.PDF", "pdf"),
        ("a.docx", "docx"), ("a.tsv", "csv"), ("a.jsonl", "json"), ("a.py", "code"), ("a.yaml", "code"),
        ("README", "text"), ("Makefile", "code"),
    ],
)  # fmt: skip
def test_without_parsers_each_kind_is_read_by_its_own(name, kind):
    parser = parser_of(Path(name), DEFAULT)
    assert parser is not None
    assert parser.type == kind
    assert is_read(Path(name), DEFAULT)


@pytest.mark.parametrize(
    "name", ["a.png", "a.zip", "program", ".env", ".hidden.md", "package-lock.json", "uv.lock", "a.doc"]
)
def test_what_is_not_read(name):
    assert not is_read(Path("folder") / name, DEFAULT)


def test_parsers_of_a_strategy_read_what_they_say_and_nothing_else():
    strategy = ProcessingStrategy(
        name="mine",
        parsers=[
            ParserOptions(type="text", file_extensions=["md", ".NOTE"]),
            ParserOptions(type="markdown", file_include_patterns=["guide-*", ".plan", "drafts/*.txt"], priority=60),
            ParserOptions(type="csv"),
        ],
    )
    kinds = {
        name: parser_of(Path(name), strategy) for name in ("a.md", "b.note", "guide-1.md", ".plan", "c.tsv", "d.pdf")
    }
    assert {name: parser and parser.type for name, parser in kinds.items()} == {
        "a.md": "text", "b.note": "text", "guide-1.md": "markdown", ".plan": "markdown", "c.tsv": "csv", "d.pdf": None,
    }  # fmt: skip
    assert is_read(Path(".plan"), strategy)
    assert is_read(Path("/home/drafts/e.txt"), strategy)
    assert not is_read(Path("/home/others/e.txt"), strategy)
    assert not is_read(Path("d.pdf"), strategy)
