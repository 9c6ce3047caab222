"""Answers that are a choice, a regex or a grammar; reasoning before them is free."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.parse import Format
from llamafarm_universal.host.engines.text.parse.formats import GEMMA_THINK, HERMES, MISTRAL_THINK, THINK
from llamafarm_universal.messages import Generate, Structure, TextPrompt
from speaker import Chat, Speaker, as_json, speaker_with

Kind = Literal["json", "regex", "choice", "grammar"]
ONE = as_json({"const": 1})
HARMONY = ("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>", "<|call|>")


def asked(kind: Kind, value: Any) -> Generate:
    return Chat(structure=Structure(kind, value, field="structured_outputs")).asked


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return speaker_with()


@pytest.mark.parametrize(("kind", "value", "written", "becomes"), [
    ("choice", ("yes", "no", 'a "b"\n'), "yes", "finished"),
    ("choice", ("yes", "no", 'a "b"\n'), 'a "b"\n', "finished"),
    ("choice", ("yes", "yesterday"), "yes", "may end"),
    ("choice", ("yes", "no"), "maybe", "'' goes on with no 'm'"),
    ("regex", r"\d{2}/\d{2}", "12/31", "finished"),
    ("regex", r"\d{2}\/x", "12/x", "finished"),
    ("regex", "(ü|🙂)+", "ü🙂", "may end"),
    ("regex", r"\d{2}/\d{2}", "1/31", "'1' goes on with no '/'"),
    ("grammar", 'start: "a" start | "b"', "aab", "finished"),
    ("grammar", 'root ::= "a" root | "b"', "aab", "finished"),
])  # fmt: skip
def test_an_answer_is_what_was_asked_for(speaker: Speaker, kind: Kind, value: Any, written: str, becomes: str) -> None:
    assert speaker.reads(asked(kind, value), written) == becomes
    continued = Generate(TextPrompt("…"), structure=Structure(kind, value))
    assert speaker.reads(continued, written) == becomes


X = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}


def tagged(*, least: bool = False, first: bool = False, triggers: tuple[str, ...] = ("<f=", "<g>")) -> Generate:
    tags = [
        {"begin": "<f=a>", "schema": X, "ends": ["</f>"]},
        {"begin": "<f=b>", "schema": {"type": "boolean"}, "ends": [";", " ."]},
        {"begin": "<g>", "schema": {"const": 1}, "ends": [""]},
    ]
    value = {"triggers": triggers, "tags": tags, "at_least_one": least, "stop_after_first": first}
    return Chat(structure=Structure("tags", value, field="response_format")).asked


@pytest.mark.parametrize("special", [(), ("<g>",)])
@pytest.mark.parametrize(("asked", "written", "becomes"), [
    (tagged(), "Any <text>\n with { and 7.", "may end"),
    (tagged(), 'So: <f=a>{"x": 1}</f> and <f=b>true . Or <g>1', "may end"),
    (tagged(), '<f=a>{"x": 1}</f><f=b>true;', "may end"),
    (tagged(), "<f=c>", "'<f=' goes on with no 'c'"),
    (tagged(), "So: <f=b>7", "'So: <f=b>' goes on with no '7'"),
    (tagged(), "<f=b>true</f>", "'<f=b>true' goes on with no '<'"),
    (tagged(), "<g>2", "'<g>' goes on with no '2'"),
    (tagged(least=True), "So", "open"),
    (tagged(least=True), "So <g>1", "may end"),
    (tagged(first=True), "So <g>1", "finished"),
    (tagged(first=True), "So", "may end"),
    (tagged(least=True, first=True), "<f=b>false;", "finished"),
])  # fmt: skip
def test_text_is_free_until_a_tag_is_triggered(
    asked: Generate, written: str, becomes: str, special: tuple[str, ...]
) -> None:
    assert speaker_with(*special).reads(asked, written) == becomes


@pytest.mark.parametrize(("kind", "value", "says"), [
    ("regex", "(a", "unclosed group"),
    ("regex", "(?=a)b", "look-around"),
    ("grammar", "start: (", "Expected token"),
    ("grammar", "root ::= (", "cannot be kept to"),
    ("grammar", "start: other", "other"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused(speaker: Speaker, kind: Kind, value: str, says: str) -> None:
    with pytest.raises(RequestFailed, match="structured_outputs") as refused:
        speaker.held(asked(kind, value))
    assert says in refused.value.message


@pytest.mark.parametrize(("template", "prompt_end", "written", "becomes"), [
    ("<think>", "", "1", "finished"),
    ("<think>", "", "<think>\n2, {}</think>\n\n1", "finished"),
    ("<think>", "", "<think>\n2", "open"),
    ("<think>", "", "<think>2</think>2", "'<think>2</think>' goes on with no '2'"),
    ("<think>", "<think>\n", "2 is wrong</think>1", "finished"),
    ("<think>", "<think>\n", "1", "open"),
    ("<think>", "<think>\n\n</think>\n\n", "<think>", "'' goes on with no '<'"),
    ("", "", "<think>", "'' goes on with no '<'"),
])  # fmt: skip
def test_reasoning_is_free(template: str, prompt_end: str, written: str, becomes: str) -> None:
    thinker = speaker_with(model_format=Format(THINK, HERMES), template=template)
    assert thinker.reads(ONE, written, prompt_end) == becomes


def test_marks_of_reasoning_may_be_special_tokens() -> None:
    mistral = speaker_with("[THINK]", "[/THINK]", model_format=Format(MISTRAL_THINK, HERMES), template="[THINK]")
    assert mistral.reads(ONE, "[THINK]2[/THINK]1") == "finished"
    assert mistral.reads(ONE, "1") == "finished"
    assert mistral.reads(ONE, "2[/THINK]1", "[THINK]") == "finished"


def test_gemma_4_thinks_in_a_channel_of_its_own() -> None:
    gemma = speaker_with(
        "<|channel>", "<channel|>", model_format=Format(GEMMA_THINK, HERMES), template=GEMMA_THINK.open
    )
    assert gemma.reads(ONE, "<|channel>thought\n2<channel|>1") == "finished"
    assert gemma.reads(ONE, "1") == "finished"
    assert gemma.reads(ONE, "2<channel|>1", "<|channel>thought\n") == "finished"
    assert "goes on with no '<|channel>'" in gemma.reads(ONE, "<|channel>", "<|channel>thought\n<channel|>")


def test_gpt_oss_answers_in_its_last_channel() -> None:
    oss = speaker_with(*HARMONY, model_format=Format(THINK, None))
    thought = "<|channel|>analysis<|message|>2?<|end|><|start|>assistant"
    assert oss.reads(ONE, f"{thought}<|channel|>final<|message|>1") == "finished"
    assert oss.reads(ONE, "<|channel|>final<|message|>1") == "finished"
    assert "goes on with no '2'" in oss.reads(ONE, "<|channel|>final<|message|>2")
