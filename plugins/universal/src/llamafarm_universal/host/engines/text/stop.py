"""What ends an answer before the model does: stop texts, and the first call where only one is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm_universal.host.engines.text.parse.part import Held, Part, first_of, held_back


class StopStage:
    """The last stage of a parser: finds stop texts in what is said, across pieces; they are no part of the answer.

    What is thought, and the arguments of calls, may have them. one_call: whether the answer ends with its first call.
    found: whether the answer has ended.
    """

    def __init__(self, stops: Sequence[str] = (), *, one_call: bool = False) -> None:
        self._stops = tuple(stops)
        self._one_call = one_call
        self._held = Held()
        self.found = False

    def feed(self, part: Part) -> list[Part]:
        if self.found:
            return []
        if part.channel != "text":
            self.found = self._one_call and part.channel == "tool_call"
            return [*self._held.take(len(self._held.text)), part]
        self._held.add(part)
        text = self._held.text
        if place := first_of(text, self._stops):
            self.found = True
            return self._held.take(place[0])
        return self._held.take(len(text) - held_back(text, self._stops))

    def finish(self) -> list[Part]:
        """What was held back and turned out to be no stop text."""
        return [] if self.found else self._held.take(len(self._held.text))
