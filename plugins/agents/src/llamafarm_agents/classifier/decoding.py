"""Classes by the answer of a chat model, and their scores by its log probabilities."""

from __future__ import annotations

from llamafarm_agents.classifier.keyed import Keyed, KeyedAnswer
from llamafarm_agents.classifier.keys import keyed
from llamafarm_agents.classifier.options import ClassifierOptions
from llamafarm_agents.classifier.prompts import YES_OR_NO, fitting, sorting
from llamafarm_agents.classifier.question import Question, side_by_side
from llamafarm_agents.classifier.result import ManyLabels, OneLabel, Result


class Decoding:
    """Asks for the key of a class; of several classes, for a yes or a no to each, side by side."""

    def __init__(self, options: ClassifierOptions) -> None:
        self._options = options
        self._classes = options.classes
        self._keyed = Keyed(options.max_tokens)

    async def classify(self, question: Question) -> Result:
        """Raises UpstreamError for an answer that names no class, also when it has been asked for again."""
        return await (self._each(question) if self._options.multi_label else self._one(question))

    async def _one(self, question: Question) -> OneLabel:
        labels = keyed(list(self._classes))
        messages = sorting(question.text, labels, self._classes, self._options.instructions)
        answer = await self._keyed.ask(question, messages, labels)
        scores = {label: answer.scores.get(key) for key, label in labels.items()}
        return OneLabel(labels[answer.likeliest], scores)

    async def _each(self, question: Question) -> ManyLabels:
        answers = dict(
            zip(
                self._classes,
                await side_by_side(self._fits(question, label) for label in self._classes),
                strict=True,
            )
        )
        labels = [label for label, answer in answers.items() if self._is_yes(answer)]
        return ManyLabels(labels, {label: answer.scores.get("yes") for label, answer in answers.items()})

    async def _fits(self, question: Question, label: str) -> KeyedAnswer:
        messages = fitting(question.text, label, self._classes[label], self._options.instructions)
        return await self._keyed.ask(question, messages, YES_OR_NO)

    def _is_yes(self, answer: KeyedAnswer) -> bool:
        """Whether the score is high enough; what the model said, where it has told no scores."""
        score = answer.scores.get("yes")
        return answer.key == "yes" if score is None else score >= self._options.threshold
