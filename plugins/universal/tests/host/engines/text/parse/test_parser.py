"""Reasoning and tool calls, told from text wherever the pieces are cut."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest
from llamafarm_universal.host.engines.text.parse import Format, Parser
from llamafarm_universal.host.engines.text.parse.formats import (
    DEEPSEEK,
    GEMMA,
    GEMMA_4,
    GEMMA_THINK,
    GLM,
    HERMES,
    LLAMA,
    MISTRAL,
    MISTRAL_THINK,
    THINK,
)
from llamafarm_universal.host.engines.text.stop import StopStage

Told = tuple[str, str]
SIZES = [1, 2, 3, 7, 1000]
QWEN = Format(THINK, HERMES)
HARMONY = Format(THINK, None)
TOOLS = {"f": {"properties": {"y": {"type": "string"}}}, "g": None}


def text(content: str) -> Told:
    return ("text", content)


def thought(content: str) -> Told:
    return ("reasoning", content)


def call(name: str, arguments: str = '{"x": 1}') -> Told:
    return ("tool_call", json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False))


F = call("f")
G = call("g", '{"y": "ü"}')


def parse(
    written: str,
    size: int,
    model_format: Format = QWEN,
    prompt_end: str = "",
    *,
    stops: Sequence[str] = (),
    one_call: bool = False,
    with_tools: bool = True,
) -> list[Told]:
    """The parts of an answer that comes in pieces of `size`; neighbours of one channel joined, calls left alone."""
    tools = TOOLS if with_tools else {}
    parser = Parser.of_chat(model_format, prompt_end, StopStage(stops, one_call=one_call), tools)
    parts = [part for start in range(0, len(written), size) for part in parser.feed(written[start : start + size])]
    parts += parser.finish()
    ends = [part.end for part in parts]
    assert ends == sorted(ends)
    assert all(0 <= end <= len(written) for end in ends)
    joined: list[Told] = []
    for part in parts:
        assert part.text
        if joined and joined[-1][0] == part.channel != "tool_call":
            joined[-1] = (part.channel, joined[-1][1] + part.text)
        else:
            joined.append((part.channel, part.text))
    return joined


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    ("Hello", [text("Hello")]),
    ("  Hello", [text("  Hello")]),
    ("<think>\nHm.\n</think>\n\nYes", [thought("Hm.\n"), text("Yes")]),
    ("\n<think>Hm</think>Yes", [thought("Hm"), text("Yes")]),
    ("<think></think>Yes", [text("Yes")]),
    ("<think>Hm", [thought("Hm")]),
    ("<think>Hm</thi", [thought("Hm</thi")]),
    ("<thin", [text("<thin")]),
    ("<b>x", [text("<b>x")]),
    ("Use <think>x</think>", [text("Use <think>x</think>")]),
])  # fmt: skip
def test_reasoning_is_what_stands_between_its_marks_at_the_beginning(
    written: str, parts: list[Told], size: int
) -> None:
    assert parse(written, size) == parts


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("prompt_end", ["<|im_start|>assistant\n<think>\n", "assistant<think>"])
def test_reasoning_that_the_prompt_opens_is_reasoning_from_the_first_character(prompt_end: str, size: int) -> None:
    written = "\nHm.\n</think>\n\nYes <think>"
    assert parse(written, size, prompt_end=prompt_end) == [thought("Hm.\n"), text("Yes <think>")]
    assert parse("Hm.", size, prompt_end=prompt_end) == [thought("Hm.")]
    closed = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert parse("Yes", size, prompt_end=closed) == [text("Yes")]


CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
NO_OBJECT = '<tool_call>{"name": "f", "arguments": 5}</tool_call>'
QWEN_CODER = (
    "<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n"
    "<parameter=y>\na\nb\n</parameter>\n</function>\n</tool_call>"
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    ("", []),
    ("Hello.  ", [text("Hello.  ")]),
    (CALL, [F]),
    (f"Let me see.\n{CALL}", [text("Let me see."), F]),
    (f"{CALL}\n{CALL}\n", [F, F]),
    (f"{CALL}\n\nDone.", [F, text("Done.")]),
    ("a < b <tool", [text("a < b <tool")]),
    ("A <tool_call>{broken</tool_call> so", [text("A <tool_call>{broken</tool_call> so")]),
    ("<tool_call>[1]</tool_call>", [text("<tool_call>[1]</tool_call>")]),
    ('<tool_call>{"name": ""}</tool_call>', [text('<tool_call>{"name": ""}</tool_call>')]),
    (NO_OBJECT, [text(NO_OBJECT)]),
    ('<tool_call>{"name": "f"}</tool_call>', [call("f", "{}")]),
    ('<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>', [F]),
    ('<tool_call>{"name": "f", "arguments": {"x": 1}}', [F]),
    ('<tool_call>{"name": "f", "argum', [text('<tool_call>{"name": "f", "argum')]),
    ('<tool_call>{"name": "f", "arguments": {"x": "</tool_call>"}}</tool_call>', [call("f", '{"x": "</tool_call>"}')]),
    ('<tool_call>{"name": "g", "arguments": {"y": "ü"}}</tool_call>', [G]),
    (QWEN_CODER, [call("f", '{"x": 1, "y": "a\\nb"}')]),
    (f"<think>\n{CALL}</think>\n{CALL}", [thought(CALL), F]),
])  # fmt: skip
def test_calls_of_hermes_and_qwen(written: str, parts: list[Told], size: int) -> None:
    assert parse(written, size) == parts


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    ('[TOOL_CALLS][{"name": "f", "arguments": {"x": 1}}]', [F]),
    ('[TOOL_CALLS] [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {"y": "ü"}}]', [F, G]),
    ('Let me see.[TOOL_CALLS]f[ARGS]{"x": 1}', [text("Let me see."), F]),
    ('[TOOL_CALLS]f[CALL_ID]abc[ARGS]{"x": 1}[TOOL_CALLS]g[ARGS]{"y": "ü"}', [F, G]),
    ('[TOOL_CALLS]f[ARGS]{"x": "[TOOL_CALLS]"}', [call("f", '{"x": "[TOOL_CALLS]"}')]),
    ("[TOOL_CALLS]f[ARGS]{broken", [text("[TOOL_CALLS]f[ARGS]{broken")]),
    ('[THINK]Hm.[/THINK]Yes[TOOL_CALLS]f[ARGS]{"x": 1}', [thought("Hm."), text("Yes"), F]),
])  # fmt: skip
def test_calls_of_mistral(written: str, parts: list[Told], size: int) -> None:
    assert parse(written, size, Format(MISTRAL_THINK, MISTRAL)) == parts


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    ('<|python_tag|>{"name": "f", "parameters": {"x": 1}}', [F]),
    ('<|python_tag|>{"name": "f", "parameters": {"x": 1}}; {"name": "g", "parameters": {"y": "ü"}}', [F, G]),
    ('{"name": "f", "parameters": {"x": 1}}', [F]),
    ('\n{\n  "type": "function",\n  "name": "f", "parameters": {"x": 1}}', [F]),
    ('{"type": "function", "function": {"name": "f", "parameters": {"x": 1}}}', [F]),
    ('{"names": ["a"]}', [text('{"names": ["a"]}')]),
    ('{"name": "Oslo", "people": 700000} is it', [text('{"name": "Oslo", "people": 700000} is it')]),
    ("{ nothing }", [text("{ nothing }")]),
    ("Text, then <|python_tag|>print(1)", [text("Text, then <|python_tag|>print(1)")]),
])  # fmt: skip
def test_calls_of_llama_3(written: str, parts: list[Told], size: int) -> None:
    assert parse(written, size, Format(THINK, LLAMA)) == parts


DEEPSEEK_OLD = (
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n"
    '```json\n{"x": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
)
DEEPSEEK_NEW = (
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"x": 1}<｜tool▁call▁end｜>'
    '<｜tool▁call▁begin｜>g<｜tool▁sep｜>{"y": "ü"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    (DEEPSEEK_OLD, [F]),
    (f"So.{DEEPSEEK_NEW}", [text("So."), F, G]),
    ("<｜tool▁calls▁begin｜>none<｜tool▁calls▁end｜>", [text("<｜tool▁calls▁begin｜>none<｜tool▁calls▁end｜>")]),
])  # fmt: skip
def test_calls_of_deepseek(written: str, parts: list[Told], size: int) -> None:
    assert parse(written, size, Format(THINK, DEEPSEEK)) == parts


GLM_CALL = "<tool_call>f\n<arg_key>x</arg_key>\n<arg_value>1</arg_value>\n</tool_call>"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    (f"So. {GLM_CALL}", [text("So."), F]),
    (GLM_CALL.replace("\n", ""), [F]),
    ("<tool_call>g<arg_key>y</arg_key><arg_value>ü</arg_value></tool_call>", [G]),
    ("<tool_call>f\n</tool_call> Done", [call("f", "{}"), text("Done")]),
    (GLM_CALL.replace("</arg_value>", ""), [text(GLM_CALL.replace("</arg_value>", ""))]),
    ("<tool_call>f of x</tool_call>", [text("<tool_call>f of x</tool_call>")]),
    (CALL, [F]),
])  # fmt: skip
def test_calls_of_glm(written: str, parts: list[Told], size: int) -> None:
    assert parse(written, size, Format(THINK, GLM)) == parts


GEMMA_CALL = "<start_function_call>call:f{x:1}<end_function_call>"
GEMMA_G = "<start_function_call>call:g{y:<escape>ü<escape>}<end_function_call>"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    (f"{GEMMA_CALL}{GEMMA_G}", [F, G]),
    (f"So. {GEMMA_CALL}", [text("So."), F]),
    (GEMMA_CALL.replace("{x:1}", '{"x": 1}'), [F]),
    (GEMMA_G.replace("<escape>ü<escape>", "ü"), [G]),
    (GEMMA_G.replace("ü", "<end_function_call>"), [call("g", '{"y": "<end_function_call>"}')]),
    (GEMMA_CALL.replace("1}", ""), [text(GEMMA_CALL.replace("1}", ""))]),
    ("<start_function_call>f(x=1)<end_function_call>", [text("<start_function_call>f(x=1)<end_function_call>")]),
    (GEMMA_CALL.partition("<end")[0], [F]),
])  # fmt: skip
def test_calls_of_functiongemma(written: str, parts: list[Told], size: int) -> None:
    assert parse(written, size, Format(THINK, GEMMA)) == parts


GEMMA_4_CALL = '<|tool_call>call:g{y:<|"|>ü<|"|>}<tool_call|>'


@pytest.mark.parametrize("size", SIZES)
def test_gemma_4_thinks_in_a_channel_and_calls_behind_it(size: int) -> None:
    gemma = Format(GEMMA_THINK, GEMMA_4)
    told = [thought("Hm.\n"), text("So."), G]
    assert parse(f"<|channel>thought\nHm.\n<channel|>So.{GEMMA_4_CALL}", size, gemma) == told
    assert parse(f"Hm.\n<channel|>So.{GEMMA_4_CALL}", size, gemma, "<|turn>model\n<|channel>thought\n") == told
    assert parse(GEMMA_4_CALL, size, gemma, "<|turn>model\n<|channel>thought\n<channel|>") == [G]


MINIMAX = '<minimax:tool_call>\n<invoke name="f">\n<parameter name="x">1</parameter>\n</invoke>\n</minimax:tool_call>'


@pytest.mark.parametrize("size", SIZES)
def test_calls_in_a_form_that_nobody_knows_stay_text(size: int) -> None:
    assert parse(f"So. {MINIMAX}", size) == [text(f"So. {MINIMAX}")]


ANALYSIS = "<|channel|>analysis<|message|>Hm."
NEXT = "<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>Yes"
COMMENTARY = '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x": 1}'


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("written", "parts"), [
    (FINAL, [text("Yes")]),
    (f"{FINAL}<|return|>", [text("Yes")]),
    (f"{ANALYSIS}{NEXT}{FINAL}", [thought("Hm."), text("Yes")]),
    (f"{ANALYSIS}{NEXT}{COMMENTARY}<|call|>", [thought("Hm."), F]),
    (f"{ANALYSIS}{NEXT} to=functions.f<|channel|>commentary json<|message|>{{}}", [thought("Hm."), call("f", "{}")]),
    (f"<|channel|>commentary<|message|>I look.{NEXT}{COMMENTARY}", [text("I look."), F]),
    (COMMENTARY.replace("1}", ""), [text('{"x": ')]),
    ("No channels at all <b>", [text("No channels at all <b>")]),
    ("<|channel|>analysis", []),
])  # fmt: skip
def test_channels_of_gpt_oss(written: str, parts: list[Told], size: int) -> None:
    assert parse(written, size, HARMONY, "<|end|><|start|>assistant") == parts


@pytest.mark.parametrize("size", SIZES)
def test_a_channel_may_be_open_already_where_the_prompt_ends(size: int) -> None:
    opened = "<|start|>user<|message|>x<|end|><|start|>assistant<|channel|>analysis<|message|>"
    assert parse(f"Hm.{NEXT}{FINAL}", size, HARMONY, opened) == [thought("Hm."), text("Yes")]


@pytest.mark.parametrize("size", SIZES)
def test_without_tools_there_are_no_calls(size: int) -> None:
    assert parse(CALL, size, with_tools=False) == [text(CALL)]
    assert parse(f"<think>Hm</think>{CALL}", size, with_tools=False) == [thought("Hm"), text(CALL)]
    assert parse(COMMENTARY, size, HARMONY, with_tools=False) == [text('{"x": 1}')]


@pytest.mark.parametrize("size", SIZES)
def test_without_parallel_calls_an_answer_ends_with_its_first(size: int) -> None:
    assert parse(f"So. {CALL}{CALL} more", size, one_call=True) == [text("So."), F]
    both = '[TOOL_CALLS][{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]'
    assert parse(both, size, Format(THINK, MISTRAL), one_call=True) == [F]


@pytest.mark.parametrize("size", SIZES)
def test_stop_texts_are_looked_for_in_what_is_said_alone(size: int) -> None:
    call_with_stop = CALL.replace("1}", '"END"}')
    written = f"<think>END</think>So EN {call_with_stop} more END of it"
    told = [thought("END"), text("So EN"), call("f", '{"x": "END"}'), text("more ")]
    assert parse(written, size, stops=["END"]) == told


FRAGMENTS = [
    *sorted(QWEN.marks(with_tools=True) | HARMONY.marks(with_tools=True)),
    *("[THINK]", "[/THINK]", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<|python_tag|>"),
    *sorted(Format(THINK, DEEPSEEK).marks(with_tools=True)),
    *sorted(
        {*GLM.inner, GEMMA.open, str(GEMMA.close), *GEMMA.inner, *Format(GEMMA_THINK, GEMMA_4).marks(with_tools=True)}
    ),
    *("call:f", "{x:1}", "{x:", "x", "f\n", "<parameter=x>", "</parameter>", "thought\n"),
    *(
        "f",
        "<",
        "[",
        "|",
        " ",
        "\n",
        "  \n",
        "Hm.",
        '{"x": 1}',
        '{"name": "f", "arguments": {}}',
        '{"name": "',
        "}",
        "END",
    ),
    *("analysis", "final", "commentary to=functions.f", "assistant", "<function=f>", "</function>", "EN", "[]", ";"),
]
FORMATS = [QWEN, HARMONY, Format(MISTRAL_THINK, MISTRAL), Format(THINK, LLAMA), Format(THINK, DEEPSEEK)]
FAMILIES = ["hermes", "harmony", "mistral", "llama", "deepseek", "glm", "gemma", "gemma 4"]
FORMATS += [Format(THINK, GLM), Format(THINK, GEMMA), Format(GEMMA_THINK, GEMMA_4)]


@pytest.mark.parametrize("model_format", FORMATS, ids=FAMILIES)
def test_whatever_is_written_it_does_not_matter_where_it_is_cut(model_format: Format) -> None:
    draw = random.Random(0)
    for _ in range(400):
        written = "".join(draw.choices(FRAGMENTS, k=draw.randrange(1, 14)))
        options = {"stops": draw.choice([(), ("END",)]), "one_call": draw.random() < 0.2}
        whole = parse(written, len(written), model_format, **options)
        for size in (1, 3):
            assert parse(written, size, model_format, **options) == whole, written


def test_text_is_passed_on_as_soon_as_it_cannot_be_a_call() -> None:
    parser = Parser.of_chat(QWEN, "", StopStage(), TOOLS)
    assert [part.text for part in parser.feed("Hello")] == ["Hello"]
    assert parser.feed(" <") == []
    assert [part.text for part in parser.feed("3")] == [" <3"]


def test_a_call_comes_out_when_it_is_complete() -> None:
    parser = Parser.of_chat(QWEN, "", StopStage(), TOOLS)
    assert parser.feed(CALL[:-1]) == []
    assert [part.channel for part in parser.feed(CALL[-1:])] == ["tool_call"]


def test_deep_nesting_stays_text() -> None:
    deep = "<tool_call>" + "[" * 200_000 + "</tool_call>"
    assert parse(deep, len(deep)) == [text(deep)]


def test_each_part_knows_where_it_ends_in_what_was_written() -> None:
    parser = Parser.of_chat(QWEN, "", StopStage(), TOOLS)
    parts = [*parser.feed(f"<think>Hm</think>\nSo {CALL}\nyes"), *parser.finish()]
    ends = [len("<think>Hm"), len("<think>Hm</think>\nSo"), len(f"<think>Hm</think>\nSo {CALL}")]
    assert [part.end for part in parts] == [*ends, ends[-1] + 4]
