"""An answer under way: one or more prompts, `n` sequences of each, from acceptance to the last token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from llamafarm.errors import RequestError
from llamafarm.wire import Usage

from llamafarm_universal.messages import (
    Accepted,
    Answer,
    ChatPrompt,
    Finished,
    Generate,
    ModelRef,
    Piece,
    Sampling,
    Structure,
    TextPrompt,
)
from llamafarm_universal.server.caller import Caller
from llamafarm_universal.server.runtime import Runtime, Ticket

MAX_SEQUENCES = 128
"""Of one HTTP request: prompts times `n`."""


class Generation:
    """It exists once the host has accepted every prompt. Whoever holds it closes it.

    Choices are counted over all prompts: those of prompt `i` are `i * n` to `i * n + n - 1`, as on the wire.
    """

    def __init__(self, ticket: Ticket, n: int) -> None:
        self._ticket = ticket
        self._first_choice = {request.request_id: i * n for i, request in enumerate(ticket.events.requests)}
        self._early: list[Piece | Finished] = []
        self.choices = n * len(ticket.events.requests)
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0

    @property
    def usage(self) -> Usage:
        """The tokens counted so far: whole when `events` has ended."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }

    async def events(self) -> AsyncIterator[tuple[int, Piece | Finished]]:
        """Each piece and each end, with the number of its choice. Raises LlamaFarmError where the answer breaks off."""
        for event in self._early:
            yield self._numbered(event)
        while not self._ticket.events.ended:
            answer = _answer(await self._ticket.events.next())
            if answer is not None:
                yield self._numbered(answer)

    async def accept(self) -> None:
        """Wait until the host has accepted every prompt."""
        waiting = len(self._first_choice)
        while waiting:
            event = await self._ticket.events.next()
            if isinstance(event, Accepted):
                self.prompt_tokens += event.prompt_tokens
                waiting -= 1
            elif (early := _answer(event)) is not None:
                self._early.append(early)

    def close(self) -> None:
        self._ticket.close()

    def _numbered(self, event: Piece | Finished) -> tuple[int, Piece | Finished]:
        if isinstance(event, Finished):
            self.completion_tokens += event.usage.completion_tokens
            if event.index == 0:  # the other answers find what this one has read
                self.cached_tokens += event.usage.cached_tokens
        return self._first_choice[event.request_id] + event.index, event


async def generate(
    runtime: Runtime,
    caller: Caller,
    ref: ModelRef,
    prompts: tuple[ChatPrompt | TextPrompt, ...],
    sampling: Sampling,
    n: int,
    *,
    parallel_tool_calls: bool = True,
    structure: Structure | None = None,
) -> Generation:
    """Send the prompts and return when all are accepted. Raises LlamaFarmError where one is refused."""
    if n * len(prompts) > MAX_SEQUENCES:
        raise RequestError(
            f"{len(prompts)} prompts with n={n} are more than {MAX_SEQUENCES} answers.", param="n", code="invalid_value"
        )
    works = tuple(
        Generate(prompt, _seeded(sampling, i * n), n, parallel_tool_calls, structure, cache_salt=caller.tenant)
        for i, prompt in enumerate(prompts)
    )
    ticket = await runtime.submit(ref, works, caller)
    generation = Generation(ticket, n)
    try:
        await generation.accept()
    except BaseException:
        generation.close()
        raise
    return generation


def _seeded(sampling: Sampling, offset: int) -> Sampling:
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + offset)


def _answer(event: Answer) -> Piece | Finished | None:
    return event if isinstance(event, Piece | Finished) else None
