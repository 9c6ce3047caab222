"""One answer of a model, read: whether it fits the schema, and what the client gets of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llamafarm.errors import UpstreamError

from llamafarm_agents.structured.modes import Mode
from llamafarm_agents.structured.schema import Checked, Schema

Choice = Mapping[str, Any]
_CUT = "length"


@dataclass(frozen=True)
class Wish:
    """What is asked for, and how. model: the name of the model entry. provider: its provider."""

    schema: Schema
    mode: Mode
    model: str
    provider: str

    def read(self, choice: Choice) -> Checked | None:
        """What an answer holds; None where it is another answer: a refusal, or a call of the client's own tools."""
        message = choice.get("message") or {}
        if message.get("refusal") or (message.get("tool_calls") and not self.mode.by_tools):
            return None
        return self.schema.check(self.mode.text(message, self.schema))

    def written(self, choice: Choice, checked: Checked) -> dict[str, Any]:
        """The choice as the client gets it: its content is the JSON, whatever way it came."""
        message = {name: value for name, value in choice["message"].items() if name != "tool_calls"}
        reason = "stop" if self.mode.by_tools else choice.get("finish_reason")
        return {**choice, "message": {**message, "content": checked.text}, "finish_reason": reason}

    def failure(self, attempts: list[tuple[str, ...]], choice: Choice) -> UpstreamError:
        """The error that tells what was wrong with each answer."""
        times = "after one attempt" if len(attempts) == 1 else f"in {len(attempts)} attempts"
        told = [f"Attempt {number}: {'; '.join(problems)}" for number, problems in enumerate(attempts, start=1)]
        message = f"The model {self.model!r} has not given what the schema {self.schema.name!r} wants, {times}."
        return UpstreamError(
            "\n".join([message, *told]),
            provider=self.provider,
            hint=_CUT_HINT if is_cut(choice) else self._hint(),
            code="structured_output_invalid",
        )

    def _hint(self) -> str:
        return (
            f"It was asked in the mode {self.mode.name!r}. `instructor_mode` of the model entry chooses another one, "
            "and `max_retries` of the handler `structured` how often it is asked."
        )


_CUT_HINT = "The answer was cut at its limit: give it more tokens (`max_tokens`), or ask for less."


def is_cut(choice: Choice) -> bool:
    """Whether the answer has ended at its limit of tokens: asking again would end there too."""
    return choice.get("finish_reason") == _CUT
