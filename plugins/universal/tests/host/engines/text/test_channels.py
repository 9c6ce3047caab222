"""Reasoning and calls through a real host: models with special tokens that mark them, and templates that open them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.messages import ChatPrompt, LoadedModel, ModelRef, Piece
from tiny_models import make_reciting_model

TOOLS = ({"type": "function", "function": {"name": "f", "parameters": {}}},)
ASKED = ({"role": "user", "content": "hi"},)
PLAIN = "{% for message in messages %}{{ message.content }}{% endfor %}"
COMMENTARY = ["<|channel|>", "commentary to=functions.f ", "<|constrain|>", "json", "<|message|>", '{"x": 1}']
HARMONY = {"<|channel|>", "<|message|>", "<|constrain|>", "<|start|>", "<|end|>", "<|call|>"}


class Recital:
    """A model that says these pieces, and how its answer is told. ends: what its template puts at the end."""

    def __init__(self, host: Any, folder: Path, pieces: list[str], special: set[str], ends: str = "") -> None:
        self._host = host
        self.ref = ModelRef(str(make_reciting_model(folder, pieces, special, PLAIN + ends)))

    def told(self, *tools: Any, **sampling: Any) -> list[tuple[str, str]]:
        answer = self._host.generate(self.ref, ChatPrompt(ASKED, tools), temperature=0, **sampling)
        return joined(answer.pieces())

    @property
    def model(self) -> LoadedModel:
        loaded: LoadedModel = self._host.load(self.ref).last.model
        return loaded

    def continued(self) -> list[tuple[str, str]]:
        return joined(self._host.generate(self.ref, "hi", temperature=0).pieces())


def joined(pieces: list[Piece]) -> list[tuple[str, str]]:
    """What was told, in the order of its channels; calls with all of their arguments."""
    told: list[tuple[str, str]] = []
    for piece in pieces:
        if piece.channel == "arguments":
            begun = json.loads(told[-1][1])
            told[-1] = call(begun["arguments"] + piece.text)
        elif told and told[-1][0] == piece.channel != "tool_call":
            told[-1] = (piece.channel, told[-1][1] + piece.text)
        elif piece.text:
            told.append((piece.channel, piece.text))
    return told


def call(arguments: str) -> tuple[str, str]:
    return ("tool_call", json.dumps({"name": "f", "arguments": arguments}))


@pytest.fixture(scope="module")
def mistral(host: Any, models_folder: Path) -> Recital:
    pieces = ["See.", "[TOOL_CALLS]", "f", "[ARGS]", '{"x": 1}']
    return Recital(host, models_folder / "mistral", pieces, {"[TOOL_CALLS]", "[ARGS]"})


def test_special_tokens_that_mark_a_call_are_seen_and_not_shown(mistral: Recital) -> None:
    assert mistral.told(*TOOLS) == [("text", "See."), call('{"x": 1}')]
    assert "reasoning" not in mistral.model.features


def test_without_tools_and_in_texts_special_tokens_are_left_out(mistral: Recital) -> None:
    assert mistral.told() == [("text", 'See.f{"x": 1}')]
    assert mistral.continued() == [("text", 'See.f{"x": 1}')]


def test_llama_3_marks_a_call_with_one_token(host: Any, models_folder: Path) -> None:
    pieces = ["<|python_tag|>", '{"name": "f", "parameters": ', "{}", "}"]
    llama_3 = Recital(host, models_folder / "llama-3", pieces, {"<|python_tag|>"})
    assert llama_3.told(*TOOLS) == [call("{}")]


X = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
TOOLS_WITH_X = ({"type": "function", "function": {"name": "f", "parameters": X}},)


def test_qwen_coder_writes_arguments_without_quotes(host: Any, models_folder: Path) -> None:
    pieces = ["<tool_call>", "\n<function=f>\n", "<parameter=x>\n", 'a "b"', "\n7\n", "</parameter>\n", "</function>\n"]
    coder = Recital(host, models_folder / "coder", [*pieces, "</tool_call>"], set(), "{# <tool_call><function= #}")
    assert coder.told(*TOOLS_WITH_X) == [call('{"x": "a \\"b\\"\\n7"}')]


def test_gemma_4_thinks_and_calls_between_special_tokens(host: Any, models_folder: Path) -> None:
    thought = ["<|channel>", "thought", "\nHm.", "<channel|>"]
    pieces = [*thought, "<|tool_call>", "call:f{", "x:", "[]", "}", "<tool_call|>"]
    special = {"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>'}
    gemma = Recital(host, models_folder / "gemma-4", pieces, special, "{# <|channel>thought #}")
    tool = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"type": "array"}}}}}
    assert gemma.told(tool) == [("reasoning", "Hm."), call('{"x": []}')]
    assert "reasoning" in gemma.model.features


def test_reasoning_is_told_apart_where_the_template_opens_it(host: Any, models_folder: Path) -> None:
    opened = Recital(host, models_folder / "opened", ["Hm.", "</think>", "\n\nYes"], set(), "<think>\n")
    assert opened.told() == [("reasoning", "Hm."), ("text", "Yes")]
    assert "reasoning" in opened.model.features
    assert opened.continued() == [("text", "Hm.</think>\n\nYes")]


def test_gpt_oss_speaks_in_channels(host: Any, models_folder: Path) -> None:
    oss = Recital(host, models_folder / "oss", COMMENTARY, HARMONY, "<|start|>assistant")
    assert oss.told(*TOOLS) == [call('{"x": 1}')]
    thought = ["<|channel|>", "analysis", "<|message|>", "Hm."]
    thinking = Recital(host, models_folder / "oss-thinking", thought, HARMONY, "<|start|>assistant")
    assert thinking.told() == [("reasoning", "Hm.")]


def test_without_parallel_calls_the_answer_ends_at_once(host: Any, models_folder: Path) -> None:
    pieces = ["<tool_call>", '{"name": "f", "arguments": ', "{}", "}\n", "</tool_call>", "and", " more"]
    hermes = Recital(host, models_folder / "hermes", pieces, set())
    assert hermes.told(*TOOLS) == [call("{}"), ("text", "and more")]
    answer = host.generate(hermes.ref, ChatPrompt(ASKED, TOOLS), temperature=0, parallel_tool_calls=False)
    assert joined(answer.pieces()) == [call("{}")]
    assert (answer.finished.reason, answer.finished.usage.completion_tokens) == ("stop", 5)


def test_log_probabilities_go_with_the_parts_that_their_tokens_make(host: Any, mistral: Recital) -> None:
    answer = host.generate(mistral.ref, ChatPrompt(ASKED, TOOLS), temperature=0, logprobs=0)
    tokens = {piece.channel: [entry.token for entry in piece.logprobs] for piece in answer.pieces()}
    call = {"tool_call": [b"[TOOL_CALLS]", b"f", b"[ARGS]"], "arguments": [b'{"x": 1}']}
    assert tokens == {"text": [b"See."], **call}
