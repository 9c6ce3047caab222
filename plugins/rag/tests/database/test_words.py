"""The index of words finds what shares words, is kept, and is made anew where that does not help."""

from __future__ import annotations

import dataclasses

import pytest
from databases import passages
from llamafarm_rag.database.passage import Passage
from llamafarm_rag.database.words import WordIndex, Words

TEXTS = {
    "goats": "Goats eat grass, and goats climb.",
    "llamas": "Llamas eat grass and carry wool.",
    "cars": "Cars need petrol.",
    "tokyo": "東京タワーは高い",
    "empty": "",
}
ROWS = [Passage(row, text, "f.txt", "docs", number, 0, len(text)) for number, (row, text) in enumerate(TEXTS.items())]


def index() -> WordIndex:
    return WordIndex.of(ROWS)


def ids(best: list[tuple[str, float]]) -> list[str]:
    return [row for row, _ in best]


def test_the_passage_with_more_of_the_words_comes_first():
    best = index().best("What do GOATS eat?", 5)
    assert ids(best) == ["goats", "llamas"]
    assert best[0][1] > best[1][1] > 0


def test_scores_are_shares_of_what_a_passage_with_all_words_has():
    texts = [*("common words everywhere " * 3 for _ in range(20)), "rare common"]
    rows = [Passage(str(number), text, "f", "d", number, 0, 1) for number, text in enumerate(texts)]
    by_words = WordIndex.of(rows)
    (best, score), (_, second), *_ = by_words.best("rare common", 30)
    assert (best, 0.9 < score <= 1, second < 0.1) == ("20", True, True)
    assert 0.3 < by_words.best("rare common unknown", 1)[0][1] < score
    assert by_words.best("rare rare common", 1)[0][1] == score
    (_, only) = by_words.best("everywhere", 1)[0]
    assert 0.9 < only <= 1


def test_headings_are_searched_too():
    below = dataclasses.replace(ROWS[2], heading=("Machines", "Fuel"))
    assert ids(WordIndex.of([*ROWS, dataclasses.replace(below, id="below")]).best("fuel machines", 5)) == ["below"]


def test_names_of_files_are_searched_too():
    filed = dataclasses.replace(ROWS[2], id="filed", file="minutes/board-2024-10-08.md")
    assert ids(WordIndex.of([*ROWS, filed]).best("board of 2024-10-08", 5)) == ["filed"]


def test_scripts_without_spaces_are_found_by_parts():
    assert ids(index().best("タワー", 5)) == ["tokyo"]


def test_no_more_than_the_limit_and_only_those_that_are_allowed():
    assert ids(index().best("eat grass wool", 1)) == ["llamas"]
    assert ids(index().best("eat grass wool", 5, among={"goats", "cars", "unknown"})) == ["goats"]
    assert index().best("eat", 0) == []
    assert index().best("eat", 5, among=[]) == []


@pytest.mark.parametrize("rows", [[], ROWS[4:]])
def test_nothing_is_found_where_there_are_no_words(rows):
    assert WordIndex.of(rows).best("eat", 5) == []
    assert index().best("unknown words", 5) == []
    assert index().best("?", 5) == []


@pytest.mark.parametrize("rows", [ROWS, ROWS[4:], []])
def test_it_is_the_same_when_it_was_kept(tmp_path, rows):
    WordIndex.of(rows).save(tmp_path / "kept")
    assert WordIndex.load(tmp_path / "kept").best("eat grass", 5) == WordIndex.of(rows).best("eat grass", 5)


class Reading:
    """Passages, and how often they were read."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> list[Passage]:
        self.times += 1
        return ROWS


def test_it_is_made_once_for_each_state_and_kept_for_the_next_process(tmp_path):
    reading, words = Reading(), Words(tmp_path / "words")
    assert words.index("1", reading) is words.index("1", reading)
    assert ids(Words(tmp_path / "words").index("1", reading).best("petrol", 5)) == ["cars"]
    assert reading.times == 1
    words.index("2", reading)
    assert reading.times == 2
    assert [folder.name for folder in (tmp_path / "words").iterdir()] == ["2-2"]


@pytest.mark.parametrize("damage", [b"", b"garbage", b'["other"]', b"7"])
def test_damaged_files_are_made_anew(tmp_path, damage, caplog):
    reading = Reading()
    Words(tmp_path / "words").index("1", reading)
    (tmp_path / "words" / "2-1" / "ids.json").write_bytes(damage)
    assert ids(Words(tmp_path / "words").index("1", reading).best("petrol", 5)) == ["cars"]
    assert "made anew" in caplog.text
    for file in (tmp_path / "words" / "2-1" / "bm25").iterdir():
        file.write_bytes(b"garbage")
    assert ids(Words(tmp_path / "words").index("1", reading).best("petrol", 5)) == ["cars"]
    assert reading.times == 3


def test_many_passages_are_ranked():
    rows = passages("a.txt", 500)
    assert ids(WordIndex.of(rows).best("text 77", 3))[0] == rows[77].id
