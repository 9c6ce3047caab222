from __future__ import annotations

import json
from dataclasses import replace

import pytest
from training.batches import BEGINNING, IGNORED, encode
from training.corpus import load_corpus, normalise
from training.dialogues import Dialogue, Dialogues
from training.evaluate import parse_call
from training.tokenizer import START, train_tokenizer


@pytest.fixture(scope="module")
def corpus():
    return load_corpus()


@pytest.fixture(scope="module")
def tokenizer(corpus):
    return train_tokenizer(corpus, 1024)


@pytest.fixture
def source(corpus):
    return Dialogues(corpus, seed=1)


def said(dialogue: Dialogue, tokenizer) -> str:
    _, labels = encode(dialogue, tokenizer, 1024)
    return tokenizer.decode([label for label in labels if label != IGNORED])


def test_the_same_seed_draws_the_same_dialogues(corpus):
    first, second = Dialogues(corpus, seed=7), Dialogues(corpus, seed=7)
    assert [first.draw() for _ in range(30)] == [second.draw() for _ in range(30)]


def test_only_what_the_assistant_says_is_learnt(tokenizer):
    dialogue = Dialogue(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "assistant"},
            {"role": "assistant", "content": "Yes?"},
        ]
    )
    assert said(dialogue, tokenizer) == "Hi.<|im_end|>Yes?<|im_end|>"


def test_of_most_single_questions_only_the_beginning_of_the_answer_is_learnt(source, tokenizer):
    lengths = []
    for _ in range(100):
        dialogue = source.one_question()
        ids, labels = encode(dialogue, tokenizer, 1024)
        learnt = [label for label in labels if label != IGNORED]
        assert len(ids) == len(labels)
        if dialogue.only_beginning:
            assert len(learnt) <= BEGINNING
            lengths.append(len(learnt))
        else:
            assert learnt[-1] == tokenizer.eos_token_id
    assert 40 < len(lengths) < 80


def test_further_questions_are_asked_too_and_some_never(corpus):
    topic = next(iter(corpus.topics))
    only = replace(corpus, topics={topic: corpus.topics[topic]})
    source = Dialogues(only, 1, {topic: ["Zebra question"]}, never={"zebra question"})
    asked = [source.one_question().messages[-2]["content"] for _ in range(300)]
    assert any("ebra" in question.lower() for question in asked)
    assert all(normalise(question) != "zebra question" for question in asked)


def test_names_are_the_same_tokens_in_a_sentence_and_in_a_call(tokenizer):
    name = tokenizer.tokenize("Winterthur")
    for text in ("the way to Winterthur", '{"city": "Winterthur"}'):
        tokens = tokenizer.tokenize(text)
        assert any(tokens[at : at + len(name)] == name for at in range(len(tokens))), tokens


def test_a_tool_call_in_training_parses_and_names_a_given_tool(source, tokenizer):
    for _ in range(50):
        dialogue = source.tool_call()
        given = {tool["function"]["name"] for tool in dialogue.tools}
        text = next(part for part in said(dialogue, tokenizer).split("<|im_end|>") if "<tool_call>" in part)
        call = parse_call(text)
        assert call is not None
        assert call["name"] in given


def test_the_result_of_a_tool_is_json(source):
    results = [
        message["content"] for _ in range(100) for message in source.tool_call().messages if message["role"] == "tool"
    ]
    assert results
    assert all(isinstance(json.loads(result), dict) for result in results)


def test_every_conversation_of_the_corpus_can_be_drawn(source, corpus):
    for conversation in corpus.conversations:
        messages = source._exchange(conversation)
        assert [message["role"] for message in messages] == ["user", "assistant"] * len(conversation.turns)
        assert all(
            "{" not in message["content"]
            or "$" in message["content"]
            or '"' in message["content"]
            or message["content"] in {topic.answer for topic in corpus.topics.values()}
            for message in messages
            if message["role"] == "assistant"
        )


def test_the_tokenizer_gives_every_text_back(tokenizer):
    for text in ["Ünïcode 你好 🙂", "a , b .  What 's\n\r\n\t x", '{"a": [1, 2.5], "b": "the old bridge"}']:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_without_system_message_and_tools_the_prompt_holds_neither(tokenizer):
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], add_generation_prompt=True, tokenize=False
    )
    assert text == f"{START}user\nHi<|im_end|>\n{START}assistant\n"


def test_contents_may_be_null_or_parts_and_arguments_text_or_an_object(tokenizer):
    calls = [
        {"type": "function", "function": {"name": "add", "arguments": arguments}}
        for arguments in ({"a": 1}, '{"a": 2}')
    ]
    text = tokenizer.apply_chat_template(
        [
            {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "content": "1"},
        ],
        tools=[{"type": "function", "function": {"name": "add"}}],
        tokenize=False,
    )
    assert text == (
        f'{START}system\nBe brief.\n\nTools:\n{{"name": "add"}}<|im_end|>\n'
        f'{START}assistant\n<tool_call>\n{{"name": "add", "arguments": {{"a": 1}}}}\n</tool_call>\n'
        f'<tool_call>\n{{"name": "add", "arguments": {{"a": 2}}}}\n</tool_call><|im_end|>\n{START}tool\n1<|im_end|>\n'
    )
