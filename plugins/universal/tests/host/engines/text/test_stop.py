"""Stop texts."""

from __future__ import annotations

import pytest
from llamafarm_universal.host.engines.text.stop import StopMatcher


def feed(stops: tuple[str, ...], *texts: str) -> tuple[str, bool]:
    """What comes out of these texts, and whether a stop text ended it."""
    matcher = StopMatcher(stops)
    out = ""
    for text in texts:
        safe, found = matcher.push(text)
        out += safe
        if found:
            return out, True
    return out + matcher.flush(), False


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
    matcher = StopMatcher(("<END>",))
    assert [matcher.push(text) for text in ("text <", "EN", "D", "> more")] == [
        ("text ", False),
        ("", False),
        ("", False),
        ("", True),
    ]
