"""The artefact in the package, loaded as any program would load it, measured on the held-out list."""

from __future__ import annotations

import json

import pytest
from training import evaluate
from training.corpus import load_corpus, load_held_out
from training.dialogues import Dialogue
from training.tokenizer import TEMPLATE
from training.train import ARTEFACT


@pytest.fixture(scope="module")
def corpus():
    return load_corpus()


@pytest.fixture(scope="module")
def held_out():
    return load_held_out()


@pytest.fixture(scope="module")
def model():
    return evaluate.Model(ARTEFACT)


def answered(cases: list[evaluate.Case], model: evaluate.Model) -> int:
    said = model.answer([dialogue for dialogue, _ in cases])
    return sum(text == wanted for text, (_, wanted) in zip(said, cases, strict=True))


def test_the_artefact_is_small_and_has_two_to_four_million_parameters(model):
    assert sum(file.stat().st_size for file in ARTEFACT.iterdir()) < 10_000_000
    assert 2_000_000 <= model.model.num_parameters() <= 4_000_000


def test_the_chat_template_is_the_one_of_the_training_scripts(model):
    assert model.tokenizer.chat_template == TEMPLATE.read_text(encoding="utf-8")


def test_whether_to_sample_is_left_to_the_request():
    settings = json.loads((ARTEFACT / "generation_config.json").read_text(encoding="utf-8"))
    assert not {"do_sample", "temperature", "top_p", "top_k"} & set(settings)


def test_held_out_questions_are_answered_to_the_letter(corpus, held_out, model):
    """A few of them: all are asked through the whole road, in tests/demo_model."""
    cases = evaluate.questions(held_out, corpus, str, [])[:10]
    assert answered(cases, model) >= 0.9 * len(cases)


def test_held_out_tool_requests_give_calls_that_parse_and_name_a_given_tool(corpus, held_out, model):
    """A few of them, as above."""
    cases = [dialogue for dialogue, _ in evaluate.tool_requests(held_out, corpus)][:4]
    calls = [evaluate.parse_call(text) for text in model.answer(cases)]
    for dialogue, call in zip(cases, calls, strict=True):
        assert call is not None
        assert call["name"] in {tool["function"]["name"] for tool in dialogue.tools}


@pytest.mark.xfail(reason="it says the number of the result, but copies names badly: the model card says so")
def test_an_answer_follows_the_result_of_a_tool(corpus, model):
    tool = next(tool for tool in corpus.tools if tool.name == "get_weather")
    call = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    messages = [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": '{"city": "Oslo", "temperature": 7, "sky": "rainy"}'},
    ]
    assert model.answer([Dialogue(messages, [dict(tool.definition)])]) == ["It is 7 degrees and rainy in Oslo."]
