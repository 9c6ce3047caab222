"""What is a mark of a source in a text, wherever the pieces of the text are cut."""

from __future__ import annotations

import random

import pytest
from llamafarm_rag.answering.marks import MarkReader, Segment


def read(*pieces: str) -> list[Segment]:
    reader = MarkReader()
    return [segment for at, piece in enumerate(pieces, 1) for segment in reader.read(piece, last=at == len(pieces))]


def marks(text: str) -> list[tuple[int, ...]]:
    return [segment.numbers for segment in read(text) if segment.kind == "mark"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("The port is 11540 [1].", [(1,)]),
        ("The port is 11540[1].", [(1,)]),
        ("As the guide says[12].", [(12,)]),
        ("The port is open.[2] Close it.", [(2,)]),
        ("`lf serve` does it [1, 2; 3 and 4].", [(1, 2, 3, 4)]),
        ("All of them [2-4].", [(2, 3, 4)]),
        ("All of them [2–4, 7].", [(2, 3, 4, 7)]),
        ("Nearly all [1-900000].", [(1, 900000)]),
        ("Twice [1][2] [3].", [(1,), (2,), (3,)]),
        ("A footnote [^1].", [(1,)]),
        ("Doubled [[1]].", [(1,)]),
        ("Doubled [[1], [2]].", [(1,), (2,)]),
        ("Said by [source 1] and [Sources 2, 3] and [source 4, source 5].", [(1,), (2, 3), (4, 5)]),
        ("Wide 【1】 and 【2†guide.md】 and ［3］ and [ 4 ].", [(1,), (2,), (3,), (4,)]),
        ("端口是11540[1]。端口[2]", [(1,), (2,)]),
        ("Other digits [١] and [２].", [(1,), (2,)]),
        ("[7]: https://example.org", [(7,)]),
        ("There is no [0], nor [2024].", [(0,), (2024,)]),
        ("(see above)[1] and *so*[2] and _so_[3]", [(1,), (2,), (3,)]),
    ],
)
def test_marks_are_read_as_models_write_them(text, numbers):
    assert marks(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "a[1] and rows[0] and rows.list[1] and x1[2] and a[0][1] and f_x[3]",
        "[x] and [ ] and [1a] and [-1] and [1.5] and []",
        "[1](https://example.org) and ![1](picture.png)",
        r"the formula \[1\] and an escaped \[1]",
        "between [0, 1]",
        "(1) and {1} and <1>",
        "`rows [1]` and ``two ` ticks [2]`` and `open [3]",
        "```\n[1]\n``` not the end\n[2]\n```",
        "~~~python\nrows = [1]\n```\n[2]\n~~~",
        "   ````\n```\n[1]\n````",
        "```\nnever closed [1]\n\n[2]",
        "[1234567890]",
        "[" + "1, " * 40 + "1]",
    ],
)
def test_what_else_stands_in_brackets_is_none(text):
    assert marks(text) == []
    assert "".join(segment.text for segment in read(text)) == text


def test_a_mark_behind_code_is_one():
    assert marks("`rows[1]`[2] and [3]\n```\n[4]\n```\n[5] `open [6]\n[7]") == [(2,), (3,), (5,), (7,)]


def test_the_blank_before_a_mark_is_told():
    assert [(segment.blank, segment.text) for segment in read("So  [1][2]\n[3]") if segment.kind == "mark"] == [
        (" ", "[1]"),
        ("", "[2]"),
        ("", "[3]"),
    ]


def test_no_more_is_held_back_than_may_become_a_mark():
    reader = MarkReader()

    def sent(piece: str) -> str:
        return "".join(segment.blank + segment.text for segment in reader.read(piece, last=False))

    assert [sent(piece) for piece in ("It is", " ", "so ", "[", "1", ", ", "2", "]", ".")] == [
        "It is", "", " so", "", "", "", "", "", " [1, 2].",
    ]  # fmt: skip
    assert [sent(piece) for piece in (" [", "x-a", "[", "1")] == ["", " [x-a", "[", "1"]
    assert sent(" [1" + "9" * 9) == " [1" + "9" * 9


def test_a_text_is_read_alike_wherever_it_is_cut():
    dice = random.Random(15)
    parts = r"[ ] [[ ]] 1 23 , - ^ source ` ``` ~~~ ( a word . 【 】 †x ［ ］ \ 端 [1] [x] _ ! and".split()  # noqa: SIM905
    parts += [" ", "\n", "\u00a0", " [2, 3]", "source "]
    for _ in range(1500):
        text = "".join(dice.choices(parts, k=dice.randrange(1, 24)))
        cuts = sorted(dice.randrange(len(text) + 1) for _ in range(dice.randrange(6)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        whole, cut = read(text), read(*pieces)
        assert "".join(segment.blank + segment.text for segment in cut) == text
        assert [segment for segment in cut if segment.kind == "mark"] == [
            segment for segment in whole if segment.kind == "mark"
        ], (text, pieces)
