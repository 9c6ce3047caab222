"""Asking a chat model for one of some keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llamafarm.errors import LlamaFarmError, UpstreamError
from llamafarm.wire import Message

from llamafarm_agents.classifier.keys import key_in, response_format
from llamafarm_agents.classifier.probabilities import key_probabilities
from llamafarm_agents.classifier.prompts import again, listing
from llamafarm_agents.classifier.question import Question
from llamafarm_agents.model_info import model_info

OURS = (
    "messages",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "logprobs",
    "top_logprobs",
    "n",
    "stop",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
)
"""Fields of a request that the handler sets itself, that say how the answer travels, or that have no effect."""
DISPENSABLE = ("response_format", "top_logprobs", "logprobs", "temperature")
"""What a runtime may refuse; it is asked without it then."""
MOST_ALTERNATIVES = 20
FEW_ALTERNATIVES = 5
"""As many as those tell that refuse to tell more."""
_UNABLE = "A larger model follows such instructions better; `method: embeddings` needs none that chats."
_CUT = (
    "The answer was cut after {tokens} tokens. A model that thinks first needs more (`max_tokens` of the handler "
    "`classifier`), or is told not to think."
)


@dataclass(frozen=True)
class KeyedAnswer:
    """What a model has answered. key: as it was said. scores: of the keys whose probability it has told."""

    key: str
    scores: Mapping[str, float]

    @property
    def likeliest(self) -> str:
        """The key with the highest score, which a model that draws its answer need not have said."""
        return max(self.scores, key=self.scores.__getitem__) if self.scores else self.key


class Keyed:
    """Asks for keys. It remembers what the runtime has refused, so that it is asked in vain once."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._instead: dict[str, Any] = {}

    async def ask(self, question: Question, messages: Sequence[Message], names: Mapping[str, str]) -> KeyedAnswer:
        """The key that the model chooses. names: what each key stands for.

        Raises UpstreamError for an answer that names none, also when it has been asked for again.
        """
        request = await self._request(question, list(names))
        for asked in range(2):
            choice = await self._choice(question, {**request, "messages": list(messages)})
            text = (choice.get("message") or {}).get("content") or ""
            if (key := key_in(text, names)) is not None:
                told = key_probabilities(choice.get("logprobs"), text, key, list(names))
                return KeyedAnswer(key, _noted(question, told, names))
            if choice.get("finish_reason") == "length":
                break
            if asked == 0:
                question.turn.note("classifier", attempt=1, said=text)
                messages = again(messages, text, list(names))
        raise self._failure(question, choice, text, list(names))

    async def _request(self, question: Question, keys: Sequence[str]) -> dict[str, Any]:
        """The request but for its messages: what the client has said is kept, where the handler does not decide it."""
        given: Mapping[str, Any] = {} if question.model else question.turn.request
        passed = {name: value for name, value in given.items() if name not in OURS}
        ours: dict[str, Any] = {"max_tokens": self._max_tokens, "logprobs": True, "top_logprobs": MOST_ALTERNATIVES}
        if await _holds_formats(question):
            ours["response_format"] = response_format(keys)
        return {"temperature": 0, **passed, **ours}

    async def _choice(self, question: Question, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request, without what the runtime refuses."""
        while True:
            asked = {**request, **{name: value for name, value in self._instead.items() if name in request}}
            asked = {name: value for name, value in asked.items() if value is not None}
            try:
                return await question.chat(asked)
            except LlamaFarmError as error:
                if not (instead := _instead(error, asked)):
                    raise
                self._instead |= instead
                question.turn.note("classifier", instead=instead, because=error.message)

    def _failure(self, question: Question, choice: Mapping[str, Any], text: str, keys: Sequence[str]) -> UpstreamError:
        entry = question.entry
        cut = choice.get("finish_reason") == "length"
        return UpstreamError(
            f"The model {entry.name!r} was to answer with one of {listing(keys)}, and said: {text!r}",
            provider=entry.provider,
            hint=_CUT.format(tokens=self._max_tokens) if cut else _UNABLE,
            code="classification_invalid",
        )


def _instead(error: LlamaFarmError, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked in the place of the field that this error is about; None leaves it out. Empty where it is needed.

    Not every runtime says which field it refuses but in its words.
    """
    if error.status not in (400, 422):
        return {}
    told = (error.param or "").partition(".")[0]
    field = next(
        (name for name in DISPENSABLE if name in asked and (told == name if told else name in error.message)), ""
    )
    if field == "top_logprobs" and asked[field] > FEW_ALTERNATIVES:
        return {field: FEW_ALTERNATIVES}
    if field == "logprobs":
        return {"logprobs": None, "top_logprobs": None}
    return {field: None} if field else {}


def _noted(question: Question, told: dict[str, float] | None, names: Mapping[str, str]) -> dict[str, float]:
    """The scores; where some are missing, the trace says so."""
    missing = [name for key, name in names.items() if key not in (told or {})]
    if missing:
        question.turn.note("classifier", without_score=missing, because="the runtime has not told how likely they are")
    return told or {}


async def _holds_formats(question: Question) -> bool:
    """Whether the runtime can be asked to hold answers to a schema.

    Of another entry nothing is known but what the file says; it is tried there, and left out where it is refused.
    """
    told = question.entry.instructor_mode
    if told is None and question.model is None:
        told = (await model_info(question.turn)).structured or "md_json"
    return told in (None, "json_schema")
