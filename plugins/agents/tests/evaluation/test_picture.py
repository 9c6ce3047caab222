"""The confusion matrix as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

from llamafarm_agents.evaluation.answers import Answer
from llamafarm_agents.evaluation.metrics import measure
from llamafarm_agents.evaluation.picture import svg
from llamafarm_agents.evaluation.rows import Row

SVG = "{http://www.w3.org/2000/svg}"
LONG = "cows & <bulls>\x07, which are quite different"


def drawn(*pairs):
    answers = [Answer(Row(at, "", true), predicted) for at, (true, predicted) in enumerate(pairs)]
    return ElementTree.fromstring(svg(measure(answers), title="farm <1>.csv"))


def test_each_pair_of_labels_is_a_square_that_tells_its_count():
    root = drawn(("cows", "cows"), ("cows", "pigs"), ("cows", "cows"), ("pigs", "pigs"))
    squares = [rect for rect in root.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    told = {rect.findtext(f"{SVG}title"): rect.get("fill") for rect in squares}
    assert list(told) == ["cows → cows: 2", "cows → pigs: 1", "pigs → cows: 0", "pigs → pigs: 1"]
    assert (told["pigs → pigs: 1"], told["pigs → cows: 0"]) == ("#1f4e79", "#ffffff")


def test_what_a_table_says_is_text_and_no_markup():
    root = drawn((LONG, "pigs"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "farm <1>.csv" in texts
    assert texts.count("cows & <bulls> , which …") == 2
    assert "cows & <bulls> , which are quite different → pigs: 1" in [title.text for title in root.iter(f"{SVG}title")]


def test_nothing_lies_outside_the_picture():
    root = drawn((LONG, "pigs"))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for rect in root.iter(f"{SVG}rect"):
        assert float(rect.get("x", 0)) + float(rect.get("width", 0)) <= width
        assert float(rect.get("y", 0)) + float(rect.get("height", 0)) <= height


def test_without_answers_the_picture_is_empty():
    assert drawn().find(f"{SVG}text") is not None
