"""Queries read from what models write, whichever way they write them."""

from __future__ import annotations

import pytest
from llamafarm_rag.config.retrieval import MultiQueryConfig
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.wordings import queries_in, wordings
from searched import Models

QUESTION = "What do cows eat?"
BOTH = ["feed of cattle", "fodder 2024"]


@pytest.mark.parametrize(
    "answer",
    [
        "feed of cattle\nfodder 2024",
        "1. feed of cattle\n2) fodder 2024",
        "- feed of cattle\n* fodder 2024\n",
        "Here are the queries:\n\n• \"feed of cattle\"\n• 'fodder 2024'",
        "**feed of cattle**\n`fodder 2024`",
        "Query 1: feed of cattle\nQuery 2: fodder 2024",
        '["feed of cattle", "fodder 2024"]',
        '```json\n{"queries": ["feed of cattle", "fodder 2024"], "n": 2}\n```',
        "<think>The user wants\nother words.</think>\nfeed of cattle\nfodder 2024",
        "feed of cattle\nFeed of cattle\nwhat do cows eat?\nfodder 2024",
    ],
)
def test_queries_are_read_without_what_is_around_them(answer):
    assert queries_in(answer, besides=QUESTION) == BOTH


@pytest.mark.parametrize("answer", ["", " \n", "Sure:", "<think>endless", "[]", "{}", "x" * 500])
def test_an_answer_without_a_query_has_none(answer):
    assert queries_in(answer, besides=QUESTION) == []


def test_what_begins_with_a_number_keeps_it():
    assert queries_in("2024 fodder\n417 error\n3.5 litres of oil", besides=QUESTION) == [
        "2024 fodder",
        "417 error",
        "3.5 litres of oil",
    ]


@pytest.mark.anyio
async def test_a_prompt_of_the_project_is_told_in_place_of_ours():
    models = Models("fodder")
    config = MultiQueryConfig(prompt="{count} x {question} {json}", num_queries=4)
    assert await wordings("{count}?", config, models.ask, Journal()) == ["{count}?", "fodder"]
    assert models.asked[0][1]["messages"] == [{"role": "user", "content": "3 x {count}? {json}"}]
    assert models.asked[0][2] is None
