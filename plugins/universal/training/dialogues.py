"""Draws training dialogues from the corpus: one question or many, with and without system message and tools."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import augment, slots
from .corpus import Conversation, Corpus, Message, Tool, Topic, Unknown, normalise
from .paraphrase import DECLINED

NEEDS_NO_TOOL_TO_ANSWER = {"list_models", "load_model"}
"""Without such a tool their requests are questions about the product: not declined, and not asked beside the tool."""

TURNS = [2] * 10 + [3] * 5 + [4] * 2 + [6, 10]
FURTHER = 0.3
"""How often a question is one of those that the corpus does not hold."""
ONLY_BEGINNING = 0.6
"""How often one question is learned with the beginning of its answer only."""
TOOL_COUNTS = [1] * 12 + [2] * 6 + [3] * 2 + [4]

KINDS = {
    "one_question": 90,
    "one_unknown": 12,
    "several_questions": 5,
    "conversation": 4,
    "tool_call": 10,
    "no_tool": 3,
    "missing_tool": 2,
}
"""Kinds of dialogue, methods of `Dialogues`, and how often each is drawn."""


@dataclass(frozen=True)
class Dialogue:
    """What is rendered with the chat template and trained on."""

    messages: list[Message]
    tools: list[dict[str, Any]] = field(default_factory=list)
    only_beginning: bool = False
    """Whether only the first tokens of the answer are learned: those that decide which answer it is."""


class Dialogues:
    """An endless source of dialogues, the same for the same seed.

    further: more questions by topic, and under `DECLINED` more that are declined; now and then one of them is asked.
    never: normalised questions that are not asked, also where a variation comes upon one by chance.
    """

    def __init__(
        self,
        corpus: Corpus,
        seed: int,
        further: Mapping[str, Sequence[str]] | None = None,
        never: Collection[str] = (),
    ) -> None:
        self.corpus = corpus
        self.further = further or {}
        self.never = never
        self.rng = random.Random(seed)
        self.topics = list(corpus.topics.values())
        self.fields = list(corpus.unknown.values())
        self.kinds: list[Callable[[], Dialogue]] = [getattr(self, kind) for kind in KINDS]
        self.weights = list(KINDS.values())

    def draw(self) -> Dialogue:
        """One dialogue of a random kind."""
        kind = self.rng.choices(self.kinds, weights=self.weights)[0]
        return kind()

    def one_question(self) -> Dialogue:
        """One topic; mostly only the beginning of its answer, since questions are many and answers soon known."""
        dialogue = self._with_system(self._topic_turn(self._any_topic()))
        return replace(dialogue, only_beginning=self.rng.random() < ONLY_BEGINNING)

    def one_unknown(self) -> Dialogue:
        return self._with_system(self._unknown_turn())

    def several_questions(self) -> Dialogue:
        turns = [self._plain_turn() for _ in range(self.rng.choice(TURNS))]
        return self._with_system([message for turn in turns for message in turn])

    def conversation(self) -> Dialogue:
        """A conversation of the corpus, now and then after or before something else."""
        messages = self._exchange(self.rng.choice(self.corpus.conversations))
        if self.rng.random() < 0.3:
            messages = [*self._plain_turn(), *messages]
        if self.rng.random() < 0.3:
            messages = [*messages, *self._plain_turn()]
        return self._with_system(messages)

    def tool_call(self) -> Dialogue:
        """A request that needs a tool, among others; half of the time with the result and what is said then."""
        tool = self.rng.choice(self.corpus.tools)
        before = self._plain_turn() if self.rng.random() < 0.15 else []
        messages = [*before, *self._tool_turn(tool, answered=self.rng.random() < 0.5)]
        if messages[-1].get("content") and self.rng.random() < 0.2:
            messages += self._plain_turn()
        return self._with_system(messages, [tool, *self._distractors({tool.name})])

    def no_tool(self) -> Dialogue:
        """A question that needs no tool although some are given."""
        if self.rng.random() < 0.5:
            turn = self._referred_turn(self.rng.choice(self.corpus.no_tool))
        else:
            turn = self._plain_turn()
        first = self.rng.choice([tool for tool in self.corpus.tools if tool.name not in NEEDS_NO_TOOL_TO_ANSWER])
        return self._with_system(turn, [first, *self._distractors({first.name} | NEEDS_NO_TOOL_TO_ANSWER)])

    def missing_tool(self) -> Dialogue:
        """A request for a tool that is not there is declined."""
        tool = self.rng.choice([tool for tool in self.corpus.tools if tool.name not in NEEDS_NO_TOOL_TO_ANSWER])
        request, _ = self._request(tool)
        return self._with_system([_user(request), _assistant(self.corpus.decline)])

    def _any_topic(self) -> Topic:
        return self.rng.choice(self.topics)

    def _topic_turn(self, topic: Topic) -> list[Message]:
        question = self._further(topic.id) or self.rng.choice(topic.questions)
        return [_user(self._vary(question)), _assistant(topic.answer)]

    def _vary(self, question: str) -> str:
        varied = augment.vary(question, self.rng)
        return self._vary(question) if normalise(varied) in self.never else varied

    def _further(self, topic: str) -> str | None:
        questions = self.further.get(topic)
        return self.rng.choice(questions) if questions and self.rng.random() < FURTHER else None

    def _unknown_turn(self, category: str = "any") -> list[Message]:
        further = self._further(DECLINED) if category == "any" else None
        question = further or self._unknown_question(self.corpus.unknown.get(category) or self.rng.choice(self.fields))
        return [_user(self._vary(question)), _assistant(self.corpus.decline)]

    def _unknown_question(self, unknown: Unknown) -> str:
        template = self.rng.choice(unknown.questions)
        return str(slots.fill(template, slots.draw(unknown.slots, slots.names(template), self.rng)))

    def _plain_turn(self) -> list[Message]:
        return self._unknown_turn() if self.rng.random() < 0.12 else self._topic_turn(self._any_topic())

    def _referred_turn(self, reference: Any) -> list[Message]:
        if "topic" in reference:
            named = self.corpus.topics.get(reference["topic"])
            return self._topic_turn(named or self._any_topic())
        if "decline" in reference:
            return self._unknown_turn(reference["decline"])
        return [_user(augment.vary(reference["question"], self.rng)), _assistant(reference["answer"])]

    def _exchange(self, conversation: Conversation) -> list[Message]:
        wanted = slots.names([dict(turn) for turn in conversation.turns]) - {"previous"}
        chosen = slots.draw(conversation.slots, wanted, self.rng)
        messages: list[Message] = []
        for turn in conversation.turns:
            if "user" in turn:
                previous = messages[-1]["content"] if messages else ""
                messages += self._dependent_turn(turn, {**chosen, "previous": previous})
            else:
                messages += self._referred_turn(turn)
        return messages

    def _dependent_turn(self, turn: Mapping[str, Any], chosen: Mapping[str, str]) -> list[Message]:
        user = augment.vary_lightly(slots.fill(self.rng.choice(turn["user"]), chosen), self.rng)
        if "answer_of" in turn:
            return [_user(user), _assistant(self.corpus.topics[turn["answer_of"]].answer)]
        return [_user(user), _assistant(slots.fill(turn["assistant"], chosen))]

    def _request(self, tool: Tool) -> tuple[str, dict[str, str]]:
        """The text of a request and its slot values; some people type everything in lower case."""
        template = self.rng.choice(tool.requests)
        wanted = slots.names([template, tool.call, tool.result, tool.answer])
        chosen = slots.draw(tool.slots, wanted, self.rng)
        if self.rng.random() < 0.15:
            template, chosen = template.lower(), {name: value.lower() for name, value in chosen.items()}
        return augment.vary_lightly(slots.fill(template, chosen), self.rng), chosen

    def _tool_turn(self, tool: Tool, *, answered: bool) -> list[Message]:
        request, chosen = self._request(tool)
        call = {"type": "function", "function": slots.fill(tool.call, chosen)}
        turn = [_user(request), {"role": "assistant", "content": None, "tool_calls": [call]}]
        if answered:
            turn.append({"role": "tool", "content": slots.fill(tool.result, chosen)})
            turn.append(_assistant(slots.fill(tool.answer, chosen)))
        return turn

    def _distractors(self, but: set[str]) -> list[Tool]:
        others = [tool for tool in self.corpus.tools if tool.name not in but]
        return self.rng.sample(others, self.rng.choice(TOOL_COUNTS) - 1)

    def _with_system(self, messages: list[Message], tools: Sequence[Tool] = ()) -> Dialogue:
        shuffled = self.rng.sample(list(tools), len(tools))
        system = self._system_text()
        if system:
            messages = [{"role": "system", "content": system}, *messages]
        return Dialogue(messages, [self._definition(tool) for tool in shuffled])

    def _system_text(self) -> str:
        """Mostly nothing; else a persona, a manner, or answers about something else as context."""
        chance = self.rng.random()
        if chance < 0.75:
            return ""
        prompts = self.corpus.system_prompts
        parts = [self.rng.choice(prompts["persona"]), self.rng.choice(prompts["manner"])]
        if chance > 0.96:
            answers = [self._any_topic().answer for _ in range(self.rng.randint(1, 2))]
            return self.rng.choice([" ", "\n", "\n\n"]).join([*parts[: self.rng.randint(0, 2)], *answers])
        self.rng.shuffle(parts)
        return " ".join(parts[: self.rng.choice([1, 1, 2])])

    def _definition(self, tool: Tool) -> dict[str, Any]:
        """The tool's definition, now and then with less, or with more, than the corpus gives it."""
        definition: dict[str, Any] = copy.deepcopy(dict(tool.definition))
        function, chance = definition["function"], self.rng.random()
        if chance < 0.1:
            function.pop("description", None)
        elif chance < 0.2:
            function["parameters"]["additionalProperties"] = False
        elif chance < 0.3:
            for schema in function["parameters"].get("properties", {}).values():
                schema.pop("description", None)
        elif chance < 0.35:
            function["strict"] = True
        return definition


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}
