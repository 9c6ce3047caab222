"""When a text supports a sentence."""

from __future__ import annotations

import pytest
from llamafarm_rag.answering.support import support

GUIDE = """The Universal Runtime listens on port 11540. It starts by itself when a model is first asked, and stops after
30 minutes without a request. Its memory is limited to 1,024 MB by LF_MEMORY. Ada Lovelace wrote the installer."""


@pytest.mark.parametrize(
    "sentence",
    [
        "The Universal Runtime listens on port 11540.",
        "Universal Runtime: port 11540",
        "It stops after 30 minutes without requests.",
        "Memory is limited to 1024 MB.",
        "1. The installer was written by Ada Lovelace.",
        "By default, the runtime starts itself when asked.",
        "The limit is set by LF_MEMORY.",
        "It is so.",
    ],
)
def test_what_the_text_says_is_supported(sentence):
    assert support(sentence, GUIDE).is_enough


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("The Universal Runtime listens on port 11541.", ("11541",)),
        ("It stops after 3 minutes without a request.", ("3",)),
        ("The installer was written by Charles Babbage.", ("Charles", "Babbage")),
        ("Cows eat grass in the meadow.", ()),
        ("It is 42.", ("42",)),
    ],
)
def test_what_it_does_not_say_is_not(sentence, missing):
    found = support(sentence, GUIDE)
    assert not found.is_enough
    assert found.missing == missing


def test_a_sentence_is_clear_where_nearly_all_of_it_is_there():
    assert support("The Universal Runtime listens on port 11540.", GUIDE).is_clear
    assert not support("It stops.", GUIDE).is_clear
    assert not support("The runtime listens politely and eagerly to everybody.", GUIDE).is_clear


def test_scripts_without_blanks_are_compared_by_pairs():
    text = "通用运行时监听端口11540。"
    assert support("运行时监听端口11540", text).is_enough
    assert not support("奶牛在草地上吃草", text).is_enough
