"""What ends an answer before the model does: stop texts, and the first call where only one is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm_universal.host.engines.text.parse.part import Held, Part, held_back


class StopStage:
    """The last stage of a parser: finds stop texts in what is said, across pieces; they are no part of the answer.

    What is thought, and the arguments of calls, may have them. one_call: whether the answer ends with its first call.
    found: whether the answer has ended. spared: how many characters of what the model writes end no answer, which is
    why no stop text ends within them; the text of `min_tokens`.
    """

    def __init__(self, stops: Sequence[str] = (), *, one_call: bool = False) -> None:
        self._stops = tuple(stops)
        self._one_call = one_call
        self._held = Held()
        self.found = False
        self.spared = 0

    def feed(self, part: Part) -> list[Part]:
        if self.found:
            return []
        if part.channel != "text":
            self.found = self._one_call and part.channel == "tool_call"
            return [*self._held.take(len(self._held.text)), part]
        self._held.add(part)
        text = self._held.text
        if (place := self._first_in(text)) is not None:
            self.found = True
            return self._held.take(place)
        return self._held.take(len(text) - held_back(text, self._stops))

    def _first_in(self, text: str) -> int | None:
        """Where in what is held the first stop text begins that counts."""
        spared = max(0, self.spared - self._held.end) if self.spared else 0
        starts = (text.find(stop, max(0, spared - len(stop) + 1)) for stop in self._stops)
        return min((start for start in starts if start >= 0), default=None)

    def finish(self) -> list[Part]:
        """What was held back and turned out to be no stop text."""
        return [] if self.found else self._held.take(len(self._held.text))
