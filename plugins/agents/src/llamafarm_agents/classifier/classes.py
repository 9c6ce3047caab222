"""Classes by a model that was trained to sort texts, or to say what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.errors import ConfigError
from llamafarm.wire import CLASSIFY

from llamafarm_agents.classifier.options import ClassifierOptions
from llamafarm_agents.classifier.question import Question
from llamafarm_agents.classifier.result import ManyLabels, OneLabel, Result


class ModelClasses:
    """Asks `/v1/classify`. Scores are the model's own, also where only some of its classes are wanted."""

    def __init__(self, options: ClassifierOptions) -> None:
        self._options = options
        self._classes = options.classes

    async def classify(self, question: Question) -> Result:
        """Raises ConfigError for labels that the model does not have."""
        scores = await self._scores(question)
        if self._options.multi_label:
            return ManyLabels([label for label, score in scores.items() if score >= self._options.threshold], scores)
        return OneLabel(max(scores, key=scores.__getitem__), scores)

    async def _scores(self, question: Question) -> dict[str, float]:
        told = await self._told(question, {"input": [question.text]})
        wanted = {label: options.model_label or label for label, options in self._classes.items()}
        if not wanted:
            return told
        if wanted.keys() - told.keys() and _infers(told):
            return await self._inferred(question)
        if unknown := [name for name in wanted.values() if name not in told]:
            raise ConfigError(
                f"The model entry {question.entry.name!r} has no class {unknown[0]!r}. It has: {', '.join(told)}.",
                hint="`labels` of the agent handler `classifier` are the model's, or name them: "
                "`LABEL: {from: MODEL_LABEL}`; without `labels` they are all of the model's.",
            )
        return {label: told[name] for label, name in wanted.items()}

    async def _inferred(self, question: Question) -> dict[str, float]:
        """Of a model that says whether a sentence follows: how much each description does, else each label."""
        sentences = {label: options.description or label for label, options in self._classes.items()}
        asked = {"input": [question.text], "candidate_labels": list(sentences.values())}
        told = await self._told(question, {**asked, "multi_label": self._options.multi_label})
        return {label: told[sentence] for label, sentence in sentences.items()}

    async def _told(self, question: Question, request: Mapping[str, Any]) -> dict[str, float]:
        """The score of each class of the model for the text."""
        [row] = (await question.ask(CLASSIFY, request))["data"]
        labels = row.get("labels") or [str(number) for number in range(len(row["probs"]))]
        return dict(zip(labels, map(float, row["probs"]), strict=True))


def _infers(labels: Mapping[str, float]) -> bool:
    """Whether they are those of a model for natural language inference, which judges any sentence."""
    return any(label.casefold().startswith("entail") for label in labels)
