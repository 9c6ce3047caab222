"""From the text of an answer to its parts."""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm_universal.host.engines.text.parse.calls import CallStage, Parameters
from llamafarm_universal.host.engines.text.parse.formats import Format
from llamafarm_universal.host.engines.text.parse.harmony import HarmonyStage
from llamafarm_universal.host.engines.text.parse.part import Part, Stage
from llamafarm_universal.host.engines.text.parse.response_template import ResponseTemplateStage
from llamafarm_universal.host.engines.text.parse.stream import CallStreamStage
from llamafarm_universal.host.engines.text.parse.thinking import ThinkingStage
from llamafarm_universal.host.engines.text.stop import StopStage


class Parser:
    """The stages that look through an answer one after the other; the last one says where it ends."""

    def __init__(self, stages: Sequence[Stage], stops: StopStage) -> None:
        self._stages = (*stages, stops)
        self._stops = stops
        self._written = 0

    @classmethod
    def of_chat(
        cls, model_format: Format, prompt_end: str, stops: StopStage, tools: Parameters, *, streams: bool = False
    ) -> Parser:
        """For an answer in a conversation. prompt_end: the text that its prompt ends with, special tokens included.

        tools: their parameters, by their names; calls are looked for where there are any. streams: whether calls are
        told while they are written: a grammar holds the answer to their form.
        """
        calls = model_format.calls
        if model_format.response:
            return cls([ResponseTemplateStage(model_format.response, prompt_end, tools)], stops)
        if calls is None:
            return cls([HarmonyStage(prompt_end, with_tools=bool(tools), streams=streams)], stops)
        thinking = ThinkingStage(model_format.thinking, opened=model_format.thinking.opened_by(prompt_end))
        if not tools:
            return cls([thinking], stops)
        stage = CallStreamStage if streams else CallStage
        return cls([thinking, stage(calls, tools)], stops)

    @property
    def stopped(self) -> bool:
        """Whether the answer has ended, although the model would go on."""
        return self._stops.found

    def spare(self, characters: int) -> None:
        """No stop text ends the answer within its first characters."""
        self._stops.spared = characters

    def feed(self, text: str) -> list[Part]:
        """What has become certain with more text."""
        self._written += len(text)
        return self._through([Part("text", text, self._written)] if text else [], 0)

    def finish(self) -> list[Part]:
        """What was held back, at the end of the answer."""
        parts: list[Part] = []
        for index, stage in enumerate(self._stages):
            parts += self._through(stage.finish(), index + 1)
        return parts

    def _through(self, parts: list[Part], first: int) -> list[Part]:
        """The parts as they come out of the stages from that one on."""
        for stage in self._stages[first:]:
            parts = [out for part in parts for out in stage.feed(part)]
        return parts
