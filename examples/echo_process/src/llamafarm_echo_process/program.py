"""The program behind the provider: it repeats what it hears. It stands for whatever you would rather run.

It reads one line of JSON from stdin and answers with lines of JSON on stdout, each as soon as it is known:

    {"ask": "models"}                          {"model": "parrot", "context_length": 1000}   for each model
                                               {"end": "stop"}
    {"ask": "chat", "model": "parrot",         {"token": "Hello "}                           for each token
     "messages": […],                          {"end": "stop", "prompt_tokens": 3, "completion_tokens": 2}
     "max_tokens": 100, "stop": ["."]}         where it stops at a limit, the end is "length"

What it cannot do is one line instead: {"error": "model_not_found", "message": "…"}.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

CONTEXT_LENGTH = 1000
"""Tokens; here a word with the space behind it is one."""
MODELS: dict[str, Callable[[str], str]] = {"parrot": str, "shout": str.upper}


class Refused(Exception):
    """What the program cannot do: a code and a sentence."""


def answer(question: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The lines of one answer."""
    try:
        yield from chat(question) if question["ask"] == "chat" else models()
    except Refused as refused:
        yield {"error": refused.args[0], "message": refused.args[1]}


def models() -> Iterator[dict[str, Any]]:
    for name in MODELS:
        yield {"model": name, "context_length": CONTEXT_LENGTH}
    yield {"end": "stop"}


def chat(question: dict[str, Any]) -> Iterator[dict[str, Any]]:
    say = MODELS.get(question["model"])
    if say is None:
        raise Refused("model_not_found", f"There is no model {question['model']!r}, only {' and '.join(MODELS)}.")
    heard = [text_of(message) for message in question["messages"]]
    prompt = sum(len(tokens_of(text)) for text in heard)
    if prompt > CONTEXT_LENGTH:
        raise Refused("context_length_exceeded", f"The prompt has {prompt} tokens; {CONTEXT_LENGTH} is the most.")
    tokens = tokens_of(cut(say(heard[-1]), question.get("stop") or []))
    most = question.get("max_tokens")
    said = tokens[:most]
    for token in said:
        yield {"token": token}
    end = "stop" if len(said) == len(tokens) else "length"
    yield {"end": end, "prompt_tokens": prompt, "completion_tokens": len(said)}


def text_of(message: dict[str, Any]) -> str:
    """The text of a message, whose content may be text, a list of parts, or nothing."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    for part in content:
        if part["type"] != "text":
            raise Refused("invalid_request", f"This program reads text, not {part['type']}.")
    return "".join(part["text"] for part in content)


def cut(text: str, stops: list[str]) -> str:
    """The text up to the first of these."""
    return min((text.split(stop, 1)[0] for stop in stops if stop), key=len, default=text)


def tokens_of(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*", text)


if __name__ == "__main__":
    for line in answer(json.loads(sys.stdin.readline())):
        print(json.dumps(line), flush=True)  # noqa: T201 - this is how it answers
