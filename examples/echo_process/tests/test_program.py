"""The program itself, run as anybody would run it."""

from __future__ import annotations

import json
import subprocess

import pytest
from llamafarm_echo_process.config import OWN_PROGRAM


def ask(**question) -> list[dict]:
    done = subprocess.run(OWN_PROGRAM, input=json.dumps(question), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def say(text: str, *, model: str = "parrot", **limits) -> list[dict]:
    return ask(ask="chat", model=model, messages=[{"role": "user", "content": text}], **limits)


def test_it_names_its_models():
    assert [line.get("model") for line in ask(ask="models")] == ["parrot", "shout", None]


def test_it_repeats_what_it_hears_token_by_token_and_counts():
    assert say("How are you?") == [
        {"token": "How "},
        {"token": "are "},
        {"token": "you?"},
        {"end": "stop", "prompt_tokens": 3, "completion_tokens": 3},
    ]


def test_shout_does_so_in_capitals():
    assert say("hello", model="shout")[0] == {"token": "HELLO"}


def test_a_limit_ends_it():
    *tokens, end = say("one two three", max_tokens=2)
    assert (len(tokens), end["end"]) == (2, "length")


def test_a_stop_text_ends_it():
    assert say("one. two", stop=["."])[0] == {"token": "one"}


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"model": "moo"}, "model_not_found"),
        ({"messages": [{"role": "user", "content": "moo " * 2000}]}, "context_length_exceeded"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "invalid_request"),
    ],
)
def test_what_it_cannot_do_is_one_line(question, code):
    [line] = ask(**{"ask": "chat", "model": "parrot", "messages": [], **question})
    assert line["error"] == code
