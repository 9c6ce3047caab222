"""What came out for one text, and the answer that says it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import llamafarm

from llamafarm_agents.classifier.question import Question
from llamafarm_agents.usage import wants_usage

Scores = Mapping[str, float | None]
"""Of each class how likely it is, from 0 to 1; None where nobody has said it."""


@dataclass(frozen=True)
class OneLabel:
    """The likeliest class."""

    label: str
    scores: Scores

    @property
    def content(self) -> str:
        """The text of the answer."""
        return self.label

    @property
    def facts(self) -> dict[str, Any]:
        """What stands beside it."""
        return {"label": self.label, "score": self.scores[self.label], "scores": dict(self.scores)}


@dataclass(frozen=True)
class ManyLabels:
    """The classes that fit, in the order of the file."""

    labels: list[str]
    scores: Scores

    @property
    def content(self) -> str:
        """The text of the answer: a list in JSON."""
        return json.dumps(self.labels, ensure_ascii=False)

    @property
    def facts(self) -> dict[str, Any]:
        """What stands beside it."""
        return {"labels": self.labels, "scores": dict(self.scores)}


Result = OneLabel | ManyLabels


def reply_of(result: Result, question: Question) -> llamafarm.Reply:
    """The answer to the turn; the classification stands in its field `llamafarm`, or in that of the last chunk."""
    turn = question.turn
    answer = {
        "id": f"chatcmpl-{turn.call.request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": question.entry.model,
        **question.head,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": result.content},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
    }
    if question.usage:
        answer["usage"] = {"completion_tokens": 0, **question.usage}
    reply = llamafarm.JsonReply(answer, usage=wants_usage(turn))
    reply.headers.update(question.headers)
    return reply.after({"llamafarm": {"classification": result.facts}})
