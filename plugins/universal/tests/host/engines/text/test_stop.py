"""Stop texts."""

from __future__ import annotations

import pytest
from llamafarm_universal.host.engines.text.parse import Part
from llamafarm_universal.host.engines.text.stop import StopStage


def feed(stops: tuple[str, ...], *texts: str) -> tuple[str, bool]:
    """What comes out of these texts, and whether a stop text ended it."""
    stage = StopStage(stops)
    parts = [part for text in texts for part in stage.feed(Part("text", text, 0))]
    return "".join(part.text for part in [*parts, *stage.finish()]), stage.found


@pytest.mark.parametrize(
    ("stops", "texts", "out", "found"),
    [
        (("END",), ("one END two",), "one ", True),
        (("END",), ("one E", "N", "D two"), "one ", True),
        (("END",), ("one EN", "ough"), "one ENough", False),
        (("END",), ("EEEN", "D"), "EE", True),
        (("END", "\n"), ("a\nb END",), "a", True),
        (("END", "ENDING"), ("the ENDING",), "the ", True),
        (("aab",), ("aa", "aab"), "aa", True),
        ((), ("everything",), "everything", False),
        (("END",), ("half an EN",), "half an EN", False),
    ],
)
def test_text_before_a_stop_text_comes_out_and_nothing_of_it(
    stops: tuple[str, ...], texts: tuple[str, ...], out: str, found: bool
) -> None:
    assert feed(stops, *texts) == (out, found)


def test_nothing_that_may_begin_a_stop_text_is_sent_early() -> None:
    stage = StopStage(("<END>",))
    texts = [[part.text for part in stage.feed(Part("text", text, 0))] for text in ("text <", "EN", "D", "> more")]
    assert texts == [["text "], [], [], []]
    assert stage.found


def test_text_that_is_spared_holds_no_stop_text_and_one_that_ends_behind_it_counts() -> None:
    stage = StopStage(("END", "x"))
    stage.spared = 8
    parts = [
        part for end, text in ((6, "a ENDx"), (9, "EEN"), (10, "D")) for part in stage.feed(Part("text", text, end))
    ]
    assert "".join(part.text for part in parts) == "a ENDxE"
    assert stage.found


def test_what_was_held_back_comes_before_what_is_no_text() -> None:
    stage = StopStage(("END",))
    thought = Part("reasoning", "END", 9)
    assert stage.feed(Part("text", "say E", 6)) == [Part("text", "say ", 5)]
    assert stage.feed(thought) == [Part("text", "E", 6), thought]
