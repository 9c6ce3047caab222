"""`lf prompts`, against a project whose server is real and is not asked."""

from __future__ import annotations

import json

import pytest

PROMPTS = """
prompts:
  shop: Serve {{{{name}}}} from {{{{town | anywhere}}}}.
  style: [{{role: user, content: Hi}}, {{role: assistant, content: Welcome!}}]
runtime:
  models:
    echo: {{provider: openai, model: echo-1, base_url: "{url}", prompts: [shop], model_api_parameters: {{top_p: 0.5}}}}
    other: {{provider: openai, model: echo-2, base_url: "{url}"}}
"""


@pytest.fixture
def shop(farm, echo):
    farm.write(PROMPTS.format(url=echo.url))
    return farm


def test_prompt_sets_are_listed_with_their_variables_and_models(shop):
    rows = shop.lf("prompts", "list").stdout.splitlines()
    assert [row.split() for row in rows] == [
        ["PROMPT", "SET", "MESSAGES", "VARIABLES", "MODELS"],
        ["shop", "1", "name,", "town=anywhere", "echo,", "other"],
        ["style", "2", "other"],
    ]


def test_what_would_be_asked_is_shown_whole_and_nobody_is_asked(shop, echo):
    shown = shop.lf("prompts", "show", "echo", "How are you?", "--var", "name=Ada", "--var", "nmae=Ada")
    assert shown.stdout == (
        'echo, through simple\ntop_p: 0.5\nmodel: "echo-1"\n\nsystem\n  Serve Ada from anywhere.\n\n'
        "user\n  How are you?\n\nTokens are not counted by this provider.\n"
    )
    assert shown.stderr.split()[2:] == ["prompts", 'unused_variables=["nmae"]']

    as_json = json.loads(
        shop.lf("prompts", "show", "other", "--json", "--var", "name=Ada", "--handler", "guard").stdout
    )
    assert as_json["handlers"] == ["simple", "guard"]
    assert [message["role"] for message in as_json["request"]["messages"]] == ["system", "user", "assistant", "user"]
    assert echo.requests == []
