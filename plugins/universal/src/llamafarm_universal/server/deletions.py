"""Models whose files are being deleted: nothing is loaded from them meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from llamafarm.errors import RequestError

from llamafarm_universal.server.resident import Resident


class Deletions:
    """residents: the models that are in memory or on their way there."""

    def __init__(self, residents: Callable[[], Sequence[Resident]]) -> None:
        self._residents = residents
        self._models: set[str] = set()

    @contextmanager
    def of(self, model: str) -> Iterator[None]:
        """Nothing is loaded from the files of a model meanwhile.

        Raises RequestError where something is on its way from them, or somebody else deletes them.
        """
        self.refuse(model)
        if any(resident.model is None and resident.reads(model) for resident in self._residents()):
            raise _in_use(f"`{model}` is being loaded.")
        self._models.add(model)
        try:
            yield
        finally:
            self._models.discard(model)

    def refuse(self, *models: str) -> None:
        """Raises RequestError where the files of one of these are being deleted."""
        for model in models:
            if model in self._models:
                raise _in_use(f"`{model}` is being deleted.")


def _in_use(message: str) -> RequestError:
    return RequestError(message, hint="Ask again when that has ended.", status=409, code="model_in_use")
