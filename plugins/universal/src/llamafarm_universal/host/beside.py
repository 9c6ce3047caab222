"""Works that no model runs for: they are answered while the models work, and wait for no step of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from llamafarm_universal.engine import Engine
from llamafarm_universal.failure import explained
from llamafarm_universal.host.refusals import refusal_of
from llamafarm_universal.host.resident import Resident
from llamafarm_universal.messages import Answer, Command, CountTexts, Finished, ModelRef, Run, Usage

WORKERS = 2


class Beside:
    """Counts tokens in threads of its own.

    residents: the models that are loaded. send: sends an event at once. leave: takes all other commands.
    """

    def __init__(
        self, residents: Mapping[ModelRef, Resident], send: Callable[[Answer], None], leave: Callable[[Command], None]
    ) -> None:
        self._residents = residents
        self._send = send
        self._leave = leave
        self._threads = ThreadPoolExecutor(WORKERS, "beside")

    def take(self, command: Command) -> None:
        """Have a command done; called by the thread that reads commands. What is refused, others refuse."""
        if not isinstance(command, Run) or not isinstance(command.work, CountTexts):
            self._leave(command)
            return
        resident = self._residents.get(command.ref)
        if resident is None or refusal_of(command.work, resident.engine.model):
            self._leave(command)
            return
        self._threads.submit(partial(self._answer, command.request_id, command.work, resident.engine))

    def _answer(self, request_id: str, work: CountTexts, engine: Engine) -> None:
        """In a thread. A request that was cancelled meanwhile has nobody who hears it."""
        try:
            counts: tuple[int, ...] = engine.prepare(work)
        except BaseException as error:  # noqa: BLE001 - it is told
            self._send(explained(error, "counting tokens").event(request_id))
        else:
            self._send(Finished(request_id, usage=Usage(prompt_tokens=sum(counts)), value=counts))
