"""Marks of an answer: each that is left names a source, and nothing else is changed."""

from __future__ import annotations

import random
import re

import pytest
from asked import PORT, STOP, sources
from llamafarm_rag.answering.cited_text import CitedText
from llamafarm_rag.answering.marks import MarkReader

ANY_MARK = re.compile(r"\[(\d+)\]")


def changed(*pieces: str, attributes: bool = False, is_json: bool = False) -> tuple[str, CitedText]:
    text = CitedText(sources(PORT, STOP, "Three"), attributes=attributes, is_json=is_json)
    return "".join(text.change(piece, last=at == len(pieces)) for at, piece in enumerate(pieces, 1)), text


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("So [1, 2].", "So [1][2]."),
        ("So [1-9].", "So [1][2][3]."),
        ("So [0] [4] [2024]!", "So!"),
        ("So[7].", "So."),
        ("[7] So.", " So."),
        ("So [[3]] and 【1†guide.md】 and [source 2] and [^1].", "So [3] and [1] and [2] and [1]."),
        ("So [9](https://example.org) and a[9] and [x] [ ].", "So [9](https://example.org) and a[9] and [x] [ ]."),
        ("`rows [9]`\n```\n[9]\n```", "`rows [9]`\n```\n[9]\n```"),
        ("[[9]7] [[9] 1] [[9]x]", "[…7] [… 1] […x]"),
        ("`a`[9]`b` and `a` [9].", "`a`…`b` and `a`."),
        ("", ""),
        ("[", "["),
        (" [", " ["),
    ],
)
def test_marks_of_no_source_are_taken_out_and_the_others_written_alike(said, sent):
    assert changed(said)[0] == sent


def test_the_numbers_that_are_cited_are_told():
    text = changed("So [2] and [3, 8].")[1]
    assert text.cited == {2, 3}
    assert text.removed == [{"mark": "[3, 8]", "numbers": [8], "at": 10}]


def test_json_is_told_by_its_beginning():
    assert changed('{"a": [1, 9]}')[0] == '{"a": [1, 9]}'
    assert changed("  [", " {", '"a": "[9]"}]')[0] == '  [ {"a": ""}]'
    assert changed("[", "1", "] is so.")[0] == "[1] is so."
    assert changed("{x} [9]")[0] == "{x}"
    assert changed("[1, 9]", is_json=True)[0] == "[1, 9]"


def test_headings_tables_questions_and_code_are_attributed_to_nobody():
    plain = "The Universal Runtime listens on port 11540"
    for text in (
        f"# {plain}\n",
        f"| {plain} |\n",
        f"{plain}?\n",
        f"{plain}:\n",
        f"```\n{plain}.\n```\n",
        f"> {plain}\n",
    ):
        assert changed(text, attributes=True)[0] == text
    assert changed(f"- {plain}\n", attributes=True)[0] == f"- {plain} [1]\n"


TEXTS = "[ ] [[ ]] 1 2 3 4 23 , - ^ source ( ) a word . ! 【 】 †x ［ ］ \\ 端 [1] [9] [x] [0] _ and Port".split()  # noqa: SIM905
"""Brackets and what stands near them."""


@pytest.mark.parametrize("attributes", [False, True])
def test_any_text_full_of_brackets_comes_out_right_wherever_it_is_cut(attributes):
    dice = random.Random(15)
    parts = [*TEXTS, "`", "```", "\n", " ", " [2, 9]", " It stops after 30 minutes without a request. "]
    for _ in range(800):
        text = "".join(dice.choices(parts, k=dice.randrange(1, 24)))
        cuts = sorted(dice.randrange(len(text) + 1) for _ in range(dice.randrange(6)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        sent, read = changed(*pieces, attributes=attributes)
        assert sent == changed(text, attributes=attributes)[0], (text, pieces)
        assert _left(sent) <= {1, 2, 3}, text
        if not attributes:
            assert _without_marks(sent).replace("…", "") == _without_marks(text), text
        for each in read.sentences:
            assert all(f"[{number}]" in sent[each.start : each.end] for number in each.numbers), text


def _left(text: str) -> set[int]:
    """The numbers of all marks of a text."""
    return {number for segment in MarkReader().read(text, last=True) for number in segment.numbers}


def _without_marks(text: str) -> str:
    parts = MarkReader({1, 2, 3}).read(text, last=True)
    return "".join(segment.text for segment in parts if segment.kind != "mark")


def test_no_plain_mark_of_a_stranger_is_left_in_prose():
    dice = random.Random(16)
    for _ in range(800):
        text = " ".join(dice.choices(TEXTS, k=dice.randrange(1, 24)))
        sent, _ = changed(text)
        left = {int(number) for number in ANY_MARK.findall(re.sub(r"\[\d+\]\(|\\\[|[\w\])]\[\d+\]", "", sent))}
        assert left <= {1, 2, 3}, (text, sent)
