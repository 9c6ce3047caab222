"""Answers that are held to a format, through a real host."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from llamafarm_universal.messages import ChatPrompt, ModelRef, Structure, ToolChoice
from random_schemas import schema
from tiny_models import make_llama, make_tokenizer

ASKED = ({"role": "user", "content": "hi"},)
PARAMETERS = {"type": "object", "properties": {"x": {"enum": [1, 2]}}, "required": ["x"], "additionalProperties": False}
TOOLS = tuple({"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ("f", "g"))
FORCED = ChatPrompt(ASKED, TOOLS, {}, ToolChoice(required=True))


def as_json(made: Any) -> Structure:
    return Structure("json", made)


@pytest.fixture(scope="module")
def without_tools(models_folder: Path) -> ModelRef:
    """A model whose chat template knows no tools."""
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
    return ModelRef(str(make_llama(models_folder / "without-tools", tokenizer)))


@pytest.fixture(scope="module")
def closing(tokenizer: Any) -> dict[int, float]:
    """A bias with which random weights come to the end of their texts and lists."""
    return {token: 6.0 for token in range(len(tokenizer)) if any(sign in tokenizer.decode([token]) for sign in '"}]')}


def test_what_random_weights_write_to_its_end_is_valid(host: Any, llama: ModelRef, closing: dict[int, float]) -> None:
    asked = [schema(seed) for seed in range(300)]
    started = [
        host.start(llama, ChatPrompt(ASKED), structure=as_json(made), max_tokens=300, seed=seed, logit_bias=closing)
        for seed, made in enumerate(asked)
    ]
    answers = [host.answer(request) for request in started]
    whole = [(made, answer) for made, answer in zip(asked, answers, strict=True) if answer.finished.reason == "stop"]
    for made, answer in whole:
        validator = Draft202012Validator(made, format_checker=Draft202012Validator.FORMAT_CHECKER)
        validator.validate(json.loads(answer.text()))
    assert len(whole) >= 280


def test_what_random_weights_write_in_tags_follows_their_schemas(
    host: Any, llama: ModelRef, tokenizer: Any, closing: dict[int, float]
) -> None:
    opening = {token: 6.0 for token in range(len(tokenizer)) if "<" in tokenizer.decode([token])}
    asked = [{"<a>": schema(seed), "<b>": schema(seed + 1)} for seed in range(0, 80, 2)]
    started = [
        host.start(
            llama,
            ChatPrompt(ASKED),
            structure=tagged(made, stop_after_first=number % 2 == 0),
            max_tokens=300,
            seed=number,
            logit_bias={**closing, **opening, tokenizer.eos_token_id: 4.0},
        )
        for number, made in enumerate(asked)
    ]
    answers = [host.answer(request) for request in started]
    whole = [(made, answer) for made, answer in zip(asked, answers, strict=True) if answer.finished.reason == "stop"]
    found = [(made, tags_in(answer.text(), made)) for made, answer in whole]
    for made, tags in found:
        for begin, value in tags:
            Draft202012Validator(made[begin]).validate(value)
    assert len(whole) >= 30
    assert {begin for _, tags in found for begin, _ in tags} == {"<a>", "<b>"}
    assert max(len(tags) for _, tags in found) > 1
    assert min(len(tags) for _, tags in found) == 1


def tagged(schemas: dict[str, Any], *, stop_after_first: bool) -> Structure:
    tags = [{"begin": begin, "schema": made, "ends": ["</>"]} for begin, made in schemas.items()]
    value = {"triggers": ["<"], "tags": tags, "at_least_one": True, "stop_after_first": stop_after_first}
    return Structure("tags", value)


def tags_in(text: str, begins: Collection[str]) -> list[tuple[str, Any]]:
    """The tags of a text and what stands in them; in what is free, nothing begins as they do."""
    found, (_, trigger, rest) = [], text.partition("<")
    while trigger:
        begin = next(begin for begin in begins if f"<{rest}".startswith(begin))
        value, end = json.JSONDecoder().raw_decode(rest, len(begin) - 1)
        assert rest.startswith("</>", end)
        found.append((begin, value))
        _, trigger, rest = rest[end + len("</>") :].partition("<")
    return found


def test_each_of_several_answers_is_held_by_itself(host: Any, llama: ModelRef) -> None:
    choice = Structure("choice", ("yes", "no", "perhaps"))
    answer = host.generate(llama, ChatPrompt(ASKED), n=4, structure=choice, temperature=2.0, seed=1)
    assert {answer.text(index) for index in range(4)} <= {"yes", "no", "perhaps"}


def test_an_answer_that_is_cut_off_says_length(host: Any, llama: ModelRef) -> None:
    answer = host.generate(llama, ChatPrompt(ASKED), structure=Structure("regex", "a{40}"), max_tokens=5)
    assert (answer.text(), answer.finished.reason) == ("aaaaa", "length")


def test_one_that_is_complete_ends_at_once(host: Any, llama: ModelRef) -> None:
    answer = host.generate(llama, ChatPrompt(ASKED), structure=Structure("regex", "a{5}"), max_tokens=5)
    assert (answer.text(), answer.finished.reason, answer.finished.usage.completion_tokens) == ("aaaaa", "stop", 5)


@pytest.mark.parametrize("model", ["llama", "without_tools"])
def test_a_forced_call_is_made_by_any_model(host: Any, model: str, request: pytest.FixtureRequest) -> None:
    answer = host.generate(request.getfixturevalue(model), FORCED, temperature=0, parallel_tool_calls=False)
    channels = [piece.channel for piece in answer.pieces()]
    assert channels[0] == "tool_call"
    assert set(channels[1:]) == {"arguments"}
    assert json.loads(answer.pieces()[0].text)["name"] in ("f", "g")
    assert json.loads("".join(piece.text for piece in answer.pieces()[1:])) in ({"x": 1}, {"x": 2})


def test_a_model_whose_template_knows_no_tools_is_told_of_them(host: Any, without_tools: ModelRef) -> None:
    free = host.generate(without_tools, ChatPrompt(ASKED, TOOLS), max_tokens=1)
    forced = host.generate(without_tools, FORCED, max_tokens=40)
    assert forced.accepted.prompt_tokens > free.accepted.prompt_tokens + 50


def test_a_forced_call_that_is_cut_off_leaves_no_text(host: Any, llama: ModelRef) -> None:
    answer = host.generate(llama, FORCED, max_tokens=20)  # the mark is 11 tokens here
    assert (answer.text(), answer.finished.reason) == ("", "length")


def test_a_format_that_cannot_be_kept_to_is_refused_and_the_next_request_works(host: Any, llama: ModelRef) -> None:
    refused = host.generate(llama, ChatPrompt(ASKED), structure=Structure("regex", "(", field="here"))
    assert (refused.failed.kind, refused.failed.param) == ("invalid_request", "here")
    assert host.generate(llama, ChatPrompt(ASKED), max_tokens=2).finished


def test_what_a_model_can_be_held_to_is_told(host: Any, llama: ModelRef) -> None:
    assert "structured" in host.load(llama).last.model.features
