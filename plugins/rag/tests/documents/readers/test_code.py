"""Files of code."""

from __future__ import annotations

from shape import outline, texts

MODULE = '''\
"""Says hello."""

import os

# How to greet.
@cache
def greet(name):
    x = 1

    return name


class Farm:
    """A farm."""

    size = 1

    def grow(self):
        def inner(): ...
        return 2
    async def die(self): ...

if True:
    greet("you")
'''


def test_python_is_cut_at_functions_and_classes(read_file):
    document = read_file("a.py", MODULE)
    assert document.text == MODULE
    assert document.metadata == {"language": "python"}
    assert outline(document) == [
        ("", '"""Says hello."""'),
        ("", "import os"),
        ("def greet", "# How to greet.\n@cache\ndef greet(name):\n    x = 1\n\n    return name"),
        ("class Farm", 'class Farm:\n    """A farm."""'),
        ("class Farm", "    size = 1"),
        ("class Farm > def grow", "    def grow(self):\n        def inner(): ...\n        return 2"),
        ("class Farm > def die", "    async def die(self): ..."),
        ("", 'if True:\n    greet("you")'),
    ]
    assert all(block.by_line for block in document.blocks)


def test_what_is_no_python_of_today_is_cut_at_empty_lines(read_file):
    assert texts(read_file("a.py", 'print "hello"\n\nx = "\\d"\n')) == ['print "hello"', 'x = "\\d"']


def test_definitions_on_one_line_are_each_read_once(read_file):
    document = read_file("a.py", "def a(): pass\nx = 1; y = 2\nclass B: pass\nclass C:\n    def d(self): pass; z = 3\n")
    assert "\n".join(texts(document)) == document.text.rstrip()


def test_other_languages_are_cut_at_empty_lines(read_file):
    document = read_file("a.rs", "fn a() {\n    1\n}\n\nfn b() {}\n")
    assert texts(document) == ["fn a() {\n    1\n}", "fn b() {}"]
    assert document.metadata == {"language": "rust"}
