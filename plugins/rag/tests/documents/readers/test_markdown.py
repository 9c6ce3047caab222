"""Markdown files."""

from __future__ import annotations

from shape import outline, texts

GUIDE = """\
---
title: The guide
author: Ann
tags: [a, b]
date: 2024-05-01
nested: {x: 1}
---
Intro.

# *The* `guide`

## Install

Run this:

```sh
# no heading
pip install it
```

| a | b |
|---|---|
| 1 | 2 |

[link]: https://example.org

Use
---
- one

  # not at the top
- two
"""


def test_blocks_stand_under_their_headings(read_file):
    document = read_file("a.md", GUIDE)
    assert document.text == GUIDE
    assert outline(document)[1:] == [
        ("", "Intro."),
        ("The guide", "# *The* `guide`"),
        ("The guide > Install", "## Install"),
        ("The guide > Install", "Run this:"),
        ("The guide > Install", "```sh\n# no heading\npip install it\n```"),
        ("The guide > Install", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("The guide > Install", "[link]: https://example.org"),
        ("The guide > Use", "Use\n---"),
        ("The guide > Use", "- one\n\n  # not at the top\n- two"),
    ]
    assert [block.by_line for block in document.blocks[5:7]] == [True, True]


def test_the_front_matter_says_title_and_metadata(read_file):
    document = read_file("a.md", GUIDE)
    assert document.title == "The guide"
    assert document.metadata == {"author": "Ann", "tags": "a, b", "date": "2024-05-01"}
    assert texts(document)[0].startswith("---\ntitle")


def test_without_front_matter_the_first_heading_is_the_title(read_file):
    assert read_file("a.md", "Text\n\n## Two\n\n# One\n\n# Three").title == "One"
    assert read_file("a.md", "Text").title == "a"


def test_front_matter_that_is_broken_is_text(read_file):
    document = read_file("a.md", "---\na: [\n---\nText")
    assert (document.title, document.metadata) == ("a", {})
    assert texts(document) == ["---\na: [\n---", "Text"]


def test_places_are_right_with_every_kind_of_line_end(read_file):
    document = read_file("a.md", "# Ä\r\n\r\nOne\r\rTwo\n\nThree")
    assert outline(document) == [("Ä", "# Ä"), ("Ä", "One"), ("Ä", "Two"), ("Ä", "Three")]


def test_the_rows_of_a_long_table_stand_under_its_columns(read_file):
    rows = "".join(f"| {number} | x |\n" for number in range(12))
    document = read_file("a.md", f"# A\n\n| *n* | what |\n|---|---|\n{rows}\nText")
    assert [heading for heading, _ in outline(document)] == ["A", "A", "A > n | what", "A"]
    assert texts(document)[2] == "| 10 | x |\n| 11 | x |"
