"""Where texts are cut: sentences of several languages, lines, words and letters."""

from __future__ import annotations

import pytest
from llamafarm_rag.chunking.spans import letter_groups, lines, sentences, words


def parts(text, spans):
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. It pours! Does it? Yes…  No", ["It rains.", "It pours!", "Does it?", "Yes…", "No"]),
        ('He said "go." Then he went.', ['He said "go."', "Then he went."]),
        ("Dr. Smith met J. R. Hill at 5 p.m. Monday.", ["Dr. Smith met J. R. Hill at 5 p.m. Monday."]),
        ("Version 2.5 is out, e.g. Here. See it", ["Version 2.5 is out, e.g. Here.", "See it"]),
        ("Er kam am 3. mai an. Dann ging er.", ["Er kam am 3. mai an.", "Dann ging er."]),
        ("今日は雨です。明日は「晴れ。」です！終わり", ["今日は雨です。", "明日は「晴れ。」", "です！", "終わり"]),
        ("هل تمطر؟ نعم", ["هل تمطر؟", "نعم"]),
        ("A line that\ngoes on. New", ["A line that\ngoes on.", "New"]),
        ("Buy:\n- milk\n- bread\n2. eggs\n\nDone", ["Buy:", "- milk", "- bread", "2. eggs", "Done"]),
        (" \n ", []),
    ],
)
def test_sentences(text, expected):
    assert parts(text, sentences(text, 0, len(text))) == expected


def test_only_the_part_that_is_asked_for_is_looked_at():
    text = "One. Two. Three."
    assert parts(text, sentences(text, 5, 9)) == ["Two."]


def test_many_stops_take_no_time_that_grows_with_their_square():
    text = "." * 200_000 + ")" * 200_000
    assert parts(text, sentences(text, 0, len(text))) == [text]


def test_lines_keep_their_indentation():
    text = "def f():\n    return 1\n\n  \nf()"
    assert parts(text, lines(text, 0, len(text))) == ["def f():", "    return 1", "f()"]


def test_words():
    text = "  a bc\n d "
    assert parts(text, words(text, 0, len(text))) == ["a", "bc", "d"]


def test_letters_stay_whole():
    text = "e\u0301👨\u200d👩\u200d👧x🇩🇪"
    assert parts(text, letter_groups(text, 0, len(text), 4)) == ["e\u0301", "👨\u200d👩\u200d👧", "x", "🇩🇪"]


def test_a_letter_is_cut_where_there_is_nothing_else():
    text = "a" + "\u0301" * 5
    assert parts(text, letter_groups(text, 0, len(text), 2)) == [text[:3], text[3:]]


def test_a_single_character_is_cut_no_further():
    assert letter_groups("a", 0, 1, 3) == [(0, 1)]
