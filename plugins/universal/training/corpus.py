"""The corpus: what the demonstration model is taught, read from `corpus/*.yaml` and checked.

Five kinds of file, told apart by name; each explains its format at its head:
`product-*.yaml` and `glossary-*.yaml` (topics), `conversations.yaml`, `unknown.yaml`, `tools.yaml`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import slots

FOLDER = Path(__file__).parent / "corpus"
HELD_OUT = Path(__file__).parent / "held_out.yaml"
SYSTEM_PROMPTS = Path(__file__).parent / "system_prompts.yaml"

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same YAML, read ten times faster where PyYAML was built with libyaml."""

Message = dict[str, Any]
"""One chat message in the OpenAI form; the arguments of a tool call are an object, not a JSON text."""


class CorpusError(ValueError):
    """The corpus says something that cannot be trained on. The message names the file or topic and what is wrong."""


@dataclass(frozen=True)
class Topic:
    """One thing the model knows: the same answer to every one of its questions."""

    id: str
    answer: str
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Unknown:
    """One field of questions that the model declines."""

    id: str
    questions: tuple[str, ...]
    slots: slots.Values


@dataclass(frozen=True)
class Tool:
    """One tool: its definition as a request carries it, how people ask for it, the call and what follows it."""

    definition: Mapping[str, Any]
    requests: tuple[str, ...]
    call: Mapping[str, Any]
    result: str
    answer: str
    slots: slots.Values

    @property
    def name(self) -> str:
        return str(self.call["name"])


@dataclass(frozen=True)
class Conversation:
    """An exchange in which later turns depend on earlier ones; the turns as the file says them, phrases resolved."""

    id: str
    turns: tuple[Mapping[str, Any], ...]
    slots: slots.Values


@dataclass(frozen=True)
class Corpus:
    """Everything that is trained on. `no_tool` holds references: `{topic}`, `{decline}` or `{question, answer}`."""

    topics: Mapping[str, Topic]
    conversations: tuple[Conversation, ...]
    decline: str
    unknown: Mapping[str, Unknown]
    tools: tuple[Tool, ...]
    no_tool: tuple[Mapping[str, str], ...]
    system_prompts: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class HeldOut:
    """What is never trained on, and measured."""

    questions: tuple[tuple[str, str], ...]
    """Pairs of topic id and question."""
    tool_requests: tuple[Mapping[str, Any], ...]
    """Each `{tools: [NAME, ...], request: TEXT, call: {name, arguments}}`."""
    unknown: tuple[str, ...]


def normalise(text: str) -> str:
    """The text as questions are compared: lower case, letters, digits and single spaces only."""
    return " ".join(re.findall(r"\w+", text.casefold().replace("'", "").replace("’", "")))


def load_corpus(folder: Path = FOLDER) -> Corpus:
    """The whole corpus. Raises `CorpusError` where a file contradicts itself or another."""
    tools, unknown = _read(folder / "tools.yaml"), _read(folder / "unknown.yaml")
    corpus = Corpus(
        topics=_topics(sorted([*folder.glob("product-*.yaml"), *folder.glob("glossary-*.yaml")])),
        conversations=_conversations(_read(folder / "conversations.yaml")),
        decline=unknown["decline"],
        unknown={item["id"]: _unknown(item, unknown.get("slots", {})) for item in unknown["categories"]},
        tools=tuple(_tool(item, tools.get("slots", {})) for item in tools["tools"]),
        no_tool=tuple(tools["no_tool"]),
        system_prompts={key: tuple(value) for key, value in _read(SYSTEM_PROMPTS).items()},
    )
    _check(corpus)
    return corpus


def load_held_out(path: Path = HELD_OUT) -> HeldOut:
    """The questions that the model is measured on."""
    data = _read(path)
    return HeldOut(
        questions=tuple((item["topic"], item["question"]) for item in data["questions"]),
        tool_requests=tuple(data["tool_requests"]),
        unknown=tuple(data["unknown"]),
    )


def duplicates(texts: Iterable[str]) -> list[str]:
    """The texts that occur more than once, in sorted order."""
    return sorted(text for text, count in Counter(texts).items() if count > 1)


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    return data


def _topics(paths: list[Path]) -> dict[str, Topic]:
    items = [item for path in paths for item in _read(path)["topics"]]
    if repeated := duplicates(item["id"] for item in items):
        raise CorpusError(f"Topic ids occur twice: {', '.join(repeated)}.")
    return {item["id"]: Topic(item["id"], item["answer"].strip(), tuple(item["questions"])) for item in items}


def _conversations(data: Mapping[str, Any]) -> tuple[Conversation, ...]:
    shared, phrases = data.get("slots", {}), data.get("phrases", {})
    return tuple(
        Conversation(
            item["id"], tuple(_turn(turn, phrases) for turn in item["turns"]), {**shared, **item.get("slots", {})}
        )
        for item in data["conversations"]
    )


def _turn(turn: Mapping[str, Any], phrases: Mapping[str, list[str]]) -> Mapping[str, Any]:
    user = turn.get("user")
    return {**turn, "user": phrases[user]} if isinstance(user, str) else turn


def _unknown(item: Mapping[str, Any], shared: slots.Values) -> Unknown:
    return Unknown(item["id"], tuple(item["questions"]), {**shared, **item.get("slots", {})})


def _tool(item: Mapping[str, Any], shared: slots.Values) -> Tool:
    return Tool(
        item["tool"],
        tuple(item["requests"]),
        item["call"],
        item["result"],
        item["answer"],
        {**shared, **item.get("slots", {})},
    )


def _check(corpus: Corpus) -> None:
    _check_questions(corpus)
    for field in corpus.unknown.values():
        _check_slots(f"unknown {field.id}", set().union(*map(slots.names, field.questions)), field.slots)
    for tool in corpus.tools:
        used = slots.names([*tool.requests, tool.call, tool.result, tool.answer])
        _check_slots(f"tool {tool.name}", used, tool.slots)
    for conversation in corpus.conversations:
        _check_conversation(conversation, corpus)
    for reference in corpus.no_tool:
        _check_reference(f"no_tool {reference}", reference, corpus)


def _check_questions(corpus: Corpus) -> None:
    asked = [(normalise(question), topic.id) for topic in corpus.topics.values() for question in topic.questions]
    repeated = set(duplicates(question for question, _ in asked))
    if repeated:
        places = sorted(f"{question!r} ({topic})" for question, topic in asked if question in repeated)
        raise CorpusError(f"Questions occur twice, after normalisation: {', '.join(places)}.")
    declined = {normalise(question) for field in corpus.unknown.values() for question in field.questions}
    if both := sorted(f"{question!r} ({topic})" for question, topic in asked if question in declined):
        raise CorpusError(f"Questions are both answered and declined: {', '.join(both)}.")
    if empty := [topic.id for topic in corpus.topics.values() if not (topic.answer and topic.questions)]:
        raise CorpusError(f"Topics without an answer or without questions: {', '.join(empty)}.")


def _check_slots(where: str, used: set[str], defined: slots.Values) -> None:
    if missing := sorted(used - set(defined)):
        raise CorpusError(f"In {where}: slots without values: {', '.join(missing)}.")


def _check_conversation(conversation: Conversation, corpus: Corpus) -> None:
    where = f"conversation {conversation.id}"
    used = slots.names([dict(turn) for turn in conversation.turns]) - {"previous"}
    _check_slots(where, used, conversation.slots)
    for turn in conversation.turns:
        _check_reference(where, turn, corpus)


def _check_reference(where: str, reference: Mapping[str, Any], corpus: Corpus) -> None:
    for key, known in (("topic", corpus.topics), ("answer_of", corpus.topics), ("decline", corpus.unknown)):
        if reference.get(key, "any") not in {*known, "any"}:
            raise CorpusError(f"In {where}: there is no {key} {reference[key]!r}.")
