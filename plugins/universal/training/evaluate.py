"""Measures the demonstration model on the held-out list: `python -m training.evaluate` in `plugins/universal`.

Right means right to the letter at temperature 0: the text equals the topic's answer, the decline sentence or the call.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from .corpus import Corpus, HeldOut, load_corpus, load_held_out
from .dialogues import Dialogue
from .tokenizer import CALL, CALL_END
from .train import ARTEFACT

BATCH = 32
NEW_TOKENS = 160
SYSTEM = "You are the assistant of a small company. Answer politely and in one sentence."

Case = tuple[Dialogue, str]
"""A dialogue and the text that must follow."""

QUESTION_FORMS: dict[str, Callable[[str], str]] = {
    "as written": lambda question: question,
    "in lower case": str.lower,
    "in upper case": str.upper,
    "without the mark at the end": lambda question: question.rstrip("?.!"),
    "with a word before": lambda question: f"Hello, {question}",
}


class Model:
    """The artefact as any program would load it."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def answer(self, dialogues: Sequence[Dialogue]) -> list[str]:
        """What the model says to each dialogue, greedily, in the order given."""
        prompts = [self._render(dialogue) for dialogue in dialogues]
        by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        said = [""] * len(prompts)
        for start in range(0, len(by_length), BATCH):
            chosen = by_length[start : start + BATCH]
            for index, text in zip(chosen, self._generate([prompts[index] for index in chosen]), strict=True):
                said[index] = text
        return said

    def _render(self, dialogue: Dialogue) -> str:
        text: str = self.tokenizer.apply_chat_template(
            dialogue.messages, tools=dialogue.tools or None, add_generation_prompt=True, tokenize=False
        )
        return text

    def _generate(self, prompts: list[str]) -> list[str]:
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        # generate() itself switches gradients off.
        ids = self.model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        new = ids[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return texts


def questions(
    held_out: HeldOut, corpus: Corpus, form: Callable[[str], str], before: list[dict[str, Any]]
) -> list[Case]:
    """The held-out questions in one form, after the given messages."""
    return [
        (Dialogue([*before, {"role": "user", "content": form(question)}]), corpus.topics[topic].answer)
        for topic, question in held_out.questions
    ]


def unknown(held_out: HeldOut, corpus: Corpus) -> list[Case]:
    return [(Dialogue([{"role": "user", "content": question}]), corpus.decline) for question in held_out.unknown]


def tool_requests(held_out: HeldOut, corpus: Corpus) -> list[Case]:
    """The held-out tool requests, each with its tools in the order given."""
    definitions = {tool.name: dict(tool.definition) for tool in corpus.tools}
    return [
        (
            Dialogue([{"role": "user", "content": item["request"]}], [definitions[name] for name in item["tools"]]),
            json.dumps(item["call"]),
        )
        for item in held_out.tool_requests
    ]


def parse_call(text: str) -> dict[str, Any] | None:
    """The one call in the text, or None where it is not well formed."""
    found = re.fullmatch(f"{CALL}\n(.*)\n{CALL_END}", text.strip())
    try:
        call = json.loads(found[1]) if found else None
    except json.JSONDecodeError:
        return None
    return call if isinstance(call, dict) and set(call) == {"name", "arguments"} else None


def report(label: str, cases: list[Case], model: Model, *, verbose: bool = True) -> int:
    """Prints and returns how many cases are right; names those that are not."""
    said = model.answer([dialogue for dialogue, _ in cases])
    pairs = zip(cases, said, strict=True)
    wrong = [(dialogue.messages[-1]["content"], text) for (dialogue, wanted), text in pairs if text != wanted]
    print(f"{label}: {len(cases) - len(wrong)}/{len(cases)}", flush=True)
    for question, text in wrong if verbose else []:
        print(f"    {question!r} -> {text!r}")
    return len(cases) - len(wrong)


def report_tools(cases: list[Case], model: Model) -> None:
    calls = [parse_call(text) for text in model.answer([dialogue for dialogue, _ in cases])]
    right = [call == json.loads(wanted) for call, (_, wanted) in zip(calls, cases, strict=True)]
    print(f"tool calls that parse: {sum(call is not None for call in calls)}/{len(cases)}")
    print(f"tool calls that are right: {sum(right)}/{len(cases)}")
    for call, (dialogue, _), good in zip(calls, cases, right, strict=True):
        if not good:
            print(f"    {dialogue.messages[-1]['content']!r} -> {call}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ARTEFACT)
    arguments = parser.parse_args()
    corpus, held_out, model = load_corpus(), load_held_out(), Model(arguments.model)
    for name, form in QUESTION_FORMS.items():
        report(f"questions {name}", questions(held_out, corpus, form, []), model, verbose=name == "as written")
    report(
        "questions with a system message",
        questions(held_out, corpus, str, [{"role": "system", "content": SYSTEM}]),
        model,
    )
    first = next(iter(corpus.topics.values()))
    before = [{"role": "user", "content": first.questions[0]}, {"role": "assistant", "content": first.answer}]
    report("questions in a second turn", questions(held_out, corpus, str, before), model)
    report("unknown questions declined", unknown(held_out, corpus), model)
    report_tools(tool_requests(held_out, corpus), model)


if __name__ == "__main__":
    main()
