"""Which format a model writes: told by its chat template and the tokens that were added to its vocabulary."""

from __future__ import annotations

import pytest
from llamafarm_universal.host.engines.text.parse import format_of
from llamafarm_universal.host.engines.text.parse.formats import (
    DEEPSEEK,
    DEEPSEEK_FENCED,
    GEMMA,
    GEMMA_4,
    GEMMA_THINK,
    GLM,
    HERMES,
    LLAMA,
    MISTRAL,
    MISTRAL_ARGS,
    MISTRAL_THINK,
    QWEN_CODER,
    THINK,
)

HARMONY_TOKENS = {"<|channel|>", "<|message|>", "<|start|>", "<|end|>"}


@pytest.mark.parametrize(
    ("template", "tokens", "thinking", "calls"),
    [
        ("… <tool_call> …", {"<|im_start|>"}, THINK, HERMES),
        ("…", {"<|im_start|>"}, THINK, HERMES),
        ("… [TOOL_CALLS] …", {"[INST]", "[TOOL_CALLS]"}, THINK, MISTRAL),
        ("…", {"[TOOL_CALLS]", "[ARGS]", "[THINK]"}, MISTRAL_THINK, MISTRAL_ARGS),
        ("… <|python_tag|> …", {"<|python_tag|>", "<|eot_id|>"}, THINK, LLAMA),
        ("… <tool_call> …", {"<|python_tag|>", "<|eot_id|>"}, THINK, HERMES),  # Hermes, trained on Llama 3
        ("… <tool_call> … <function= …", set(), THINK, QWEN_CODER),
        ("… <tool_call> … <arg_key> …", {"<tool_call>"}, THINK, GLM),
        ("… <minimax:tool_call> … <invoke name= …", set(), THINK, HERMES),  # what it writes by itself stays text
        ("…", {"<start_function_call>", "<escape>"}, THINK, GEMMA),
        ("… <start_function_call>call: …", set(), THINK, GEMMA),
        ("… <|channel>thought …", {"<|tool_call>", "<|channel>"}, GEMMA_THINK, GEMMA_4),
        ("…", {"<｜tool▁calls▁begin｜>"}, THINK, DEEPSEEK),
        ("… ```json …", {"<｜tool▁calls▁begin｜>"}, THINK, DEEPSEEK_FENCED),  # before V3.1
        ("…", HARMONY_TOKENS, THINK, None),
    ],
)
def test_the_format_of_a_model(template: str, tokens: set[str], thinking: object, calls: object) -> None:
    made = format_of(template, tokens)
    assert (made.thinking, made.calls) == (thinking, calls)


def test_marks_are_those_that_the_parser_needs() -> None:
    mistral = format_of("", {"[TOOL_CALLS]"})
    assert mistral.marks(with_tools=True) >= {"[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<think>"}
    assert mistral.marks(with_tools=False) == {"<think>", "</think>"}
    gemma = format_of("", {"<|tool_call>", "<|channel>"})
    assert gemma.marks(with_tools=True) >= {"<|tool_call>", "<tool_call|>", '<|"|>', "<|channel>", "<channel|>"}
    assert format_of("", HARMONY_TOKENS).marks(with_tools=False) >= HARMONY_TOKENS
