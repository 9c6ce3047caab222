"""The handler: takes the user's last text, has it classified, and answers with its class."""

from __future__ import annotations

from typing import Protocol

import llamafarm
from llamafarm.errors import ConfigError, RequestError

from llamafarm_agents.classifier.classes import ModelClasses
from llamafarm_agents.classifier.decoding import Decoding
from llamafarm_agents.classifier.method import method_of
from llamafarm_agents.classifier.nearest import Nearest
from llamafarm_agents.classifier.options import ClassifierOptions, Method
from llamafarm_agents.classifier.question import Question, text_of
from llamafarm_agents.classifier.result import Result, reply_of


class Classifier(Protocol):
    """One way to classify."""

    async def classify(self, question: Question) -> Result:
        """The class of a text, or its classes. Raises what asking raises."""


CLASSIFIERS: dict[Method, type[Decoding | ModelClasses | Nearest]] = {
    "decoding": Decoding,
    "classify": ModelClasses,
    "embeddings": Nearest,
}

WITHOUT_EFFECT = (
    "tools",
    "tool_choice",
    "response_format",
    "logprobs",
    "stop",
    "max_tokens",
    "max_completion_tokens",
)
"""Fields of a request that shape an answer of which nothing is left but its class."""


class ClassifierHandler:
    """Middleware that answers with a class. Nothing but the text of the user's last message is looked at."""

    def __init__(self, options: ClassifierOptions) -> None:
        self._options = options
        self._classifiers: dict[Method, Classifier] = {}

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        """Raises RequestError for a message without a text, and ConfigError for options that the method cannot use."""
        if (turn.request.get("n") or 1) > 1:
            raise RequestError("A text has one classification: leave `n` away.", code="invalid_value", param="n")
        if ignored := [name for name in WITHOUT_EFFECT if turn.request.get(name)]:
            turn.note("classifier", ignored=ignored)
        question = Question(text_of(turn.request), turn, ask, self._options.model)
        method = self._options.method or method_of(question.entry)
        result = await self._classifier(method, question).classify(question)
        turn.note("classifier", method=method, asked=question.entry.name, **result.facts)
        return reply_of(result, question)

    def _classifier(self, method: Method, question: Question) -> Classifier:
        """The one of that method, made once: it may keep what it has learnt."""
        if method not in self._classifiers:
            if problem := self._options.problem(method):
                raise _misfit(problem, method, question)
            self._classifiers[method] = CLASSIFIERS[method](self._options)
        return self._classifiers[method]


def _misfit(problem: str, method: Method, question: Question) -> ConfigError:
    """The error that these options cannot be used with a method that nobody has chosen."""
    return ConfigError(
        f"The agent handler `classifier` of the model entry {question.turn.entry.name!r}: {problem}.",
        hint=f"`method: {method}` is what the model entry {question.entry.name!r} is for; `method` chooses another.",
    )
