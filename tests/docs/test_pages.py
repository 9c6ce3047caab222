"""Following a page: what is taken for the same, and what is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import blocks, changed

PAGE = """
# A page

```python
# src/hen.py
eggs = 1
```

```diff
# src/hen.py
-eggs = 1
+eggs = 2
```

```console
$ lay --eggs 2
2 eggs, in …
…
done
$ lay --eggs none
Error: how many?
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_a_block_that_begins_with_a_path_is_that_file(page):
    assert [block.file for block in blocks(page)] == ["src/hen.py", "src/hen.py", None]


def test_json_is_written_without_the_line_that_names_its_file(tmp_path):
    page = tmp_path / "page.md"
    page.write_text('```json\n// src/hen.json\n{"eggs": 1}\n```\n')
    [block] = blocks(page)
    assert (block.file, block.content) == ("src/hen.json", '{"eggs": 1}\n')


def test_a_command_has_what_is_shown_below_it_and_fails_where_that_is_an_error(page):
    [console] = blocks(page, "console")
    assert [(command.typed, command.fails) for command in console.commands] == [
        ("lay --eggs 2", False),
        ("lay --eggs none", True),
    ]


@pytest.mark.parametrize(
    ("output", "same"),
    [
        ("2 eggs, in 3 s\ndone\n", True),
        ("2 eggs, in 3 s  \nand\nmore\ndone\n", True),
        ("3 eggs, in 3 s\ndone\n", False),
        ("2 eggs, in 3 s\n", False),
        ("2 eggs, in 3 s\ndone\nand more\n", False),
    ],
)
def test_dots_stand_for_any_text_and_nothing_else_does(page, output, same):
    [console] = blocks(page, "console")
    assert console.commands[0].printed(output) == same


def test_a_change_is_made_where_its_context_stands(page):
    [change] = blocks(page, "diff")
    assert changed("hens = 1\neggs = 1\n", change) == "hens = 1\neggs = 2\n"


@pytest.mark.parametrize("text", ["eggs = 3\n", "eggs = 1\neggs = 1\n"])
def test_a_change_without_its_context_or_with_it_twice_is_noticed(page, text):
    [change] = blocks(page, "diff")
    with pytest.raises(AssertionError, match=r"times in src/hen\.py"):
        changed(text, change)
