"""Recall and times as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

from llamafarm_rag.evaluation.measuring import measure
from llamafarm_rag.evaluation.picture import svg
from made import finding

SVG = "{http://www.w3.org/2000/svg}"
LONG = "near & <far>\x07, by a strategy with a long name"


def drawn(*strategies):
    findings = [
        made
        for name in strategies
        for made in (
            finding("a.md x.md", strategy=name, stages={"embed": 6.0, "nearest": 1.0}),
            finding("x.md a.md", strategy=name, milliseconds=10.0),
        )
    ]
    figures = [measure(name, findings, (1, 5)) for name in strategies]
    return ElementTree.fromstring(svg(figures, title="farm <1>.csv"))


def test_each_strategy_is_a_line_and_a_bar_for_each_stage():
    root = drawn("near", "both")
    assert len([*root.iter(f"{SVG}polyline")]) == 2
    told = [dot.findtext(f"{SVG}title") for dot in root.iter(f"{SVG}circle")]
    assert told[:2] == ["near: recall@1 0.500", "near: recall@5 1.000"]
    titles = {rect.findtext(f"{SVG}title") for rect in root.iter(f"{SVG}rect")}
    assert {"near: median 8.0 ms, p95 10.0 ms", "embed: median 6.0 ms, p95 6.0 ms"} <= titles
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert "near: @1 0.500 @5 1.000 MRR 0.750" in words


def test_higher_recall_stands_higher():
    points = next(drawn("near").iter(f"{SVG}polyline")).get("points", "").split()
    heights = [float(point.split(",")[1]) for point in points]
    assert heights[1] < heights[0]


def test_names_are_text_and_no_markup():
    words = [text.text for text in drawn(LONG).iter(f"{SVG}text")]
    assert "farm <1>.csv" in words
    assert "near & <far> , by a strateg…" in words


def test_nothing_lies_outside_the_picture():
    root = drawn(LONG, *map(str, range(12)))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
    for text in root.iter(f"{SVG}text"):
        x, y = float(text.get("x", 0)), float(text.get("y", 0))
        long = len(text.text or "") * 13 * 0.6
        assert 0 < y <= height
        assert (
            x - long >= 0 if text.get("text-anchor") == "end" else x + long * (text.get("text-anchor") is None) <= width
        )


def test_without_figures_it_is_still_a_picture():
    assert ElementTree.fromstring(svg([], title="none")).tag == f"{SVG}svg"
