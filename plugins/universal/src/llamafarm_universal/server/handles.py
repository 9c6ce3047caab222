"""Handles: the names by which requests call a model together with its settings."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict

from llamafarm.errors import LlamaFarmError, RequestError
from llamafarm.wire import dump

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.server.errors import failure
from llamafarm_universal.server.operator import CONFIG_VARIABLE, Operator, checked_id, is_folder

MAX_HANDLES = 1000
_WITH_SETTINGS = re.compile(r".+@[0-9a-f]{8}")


def handle_of(ref: ModelRef) -> str:
    """Return the model's id, with `@` and eight digits of its settings' hash where they are not the defaults."""
    if ref.settings == LoadSettings():
        return ref.id
    return f"{ref.id}@{hashlib.sha256(dump(asdict(ref.settings))).hexdigest()[:8]}"


class Handles:
    """The handles that this server has given out; after a restart it knows only those of its own file."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._known: OrderedDict[str, ModelRef] = OrderedDict()

    def __iter__(self) -> Iterator[tuple[str, ModelRef]]:
        """All handles that a request may name, those of the operator's file first."""
        yield from self._operator.models.items()
        yield from ((name, ref) for name, ref in self._known.items() if name not in self._operator.models)

    def name(self, ref: ModelRef) -> str:
        """Return the shortest name of a model: its id where the operator's file gives it just these settings."""
        return ref.id if self._operator.models.get(ref.id) == ref else handle_of(ref)

    def admit(self, model_id: str, settings: LoadSettings, *, trusted: bool) -> ModelRef:
        """Return the model to load and remember its handle; without settings, those of the operator's file.

        trusted: the request shows the service token. Raises RequestError (403) for privileged settings without it.
        """
        ref = self.allow(model_id, settings, trusted=trusted)
        self._remember(self.name(ref), ref)
        return ref

    def allow(self, model_id: str, settings: LoadSettings, *, trusted: bool) -> ModelRef:
        """Return the model as `admit` does, without giving it a handle."""
        ref = ModelRef(_checked(model_id), settings)
        if settings == LoadSettings():
            ref = self._operator.models.get(ref.id, ref)
        if not trusted and not self._operator.admits(ref):
            raise _forbidden(ref)
        return ref

    def resolve(self, name: str, *, trusted: bool = False) -> ModelRef:
        """Return the model that a request names: a handle, or an id, which gets the safe defaults.

        Raises RequestError: 404 `model_not_loaded` for handles and folders that are not known here, 400 for what can
        be no model's name.
        """
        known = self._operator.models.get(name) or self._known.get(name)
        if known is not None:
            return known
        if _WITH_SETTINGS.fullmatch(name):
            raise _not_loaded(f"No model {name[:200]!r} is loaded here; the server may have been started again.")
        ref = ModelRef(_checked(name))
        ref = self._operator.models.get(ref.id) or self._known.get(ref.id) or ref
        if not trusted and not self._operator.admits(ref) and ref.id not in self._known:
            raise _not_loaded(f"{name[:200]!r} is a local folder, and this server was not told to read it.", ref.id)
        return ref

    def forget(self, model_id: str) -> None:
        """Drop the handles of a model whose files were deleted; who loads it again is given them again."""
        for name in [name for name, ref in self._known.items() if ref.id == model_id]:
            del self._known[name]

    def drop(self, ref: ModelRef) -> None:
        """Drop the handle of a model that turned out not to exist."""
        self._known.pop(self.name(ref), None)

    def _remember(self, name: str, ref: ModelRef) -> None:
        self._known[name] = ref
        self._known.move_to_end(name)
        if len(self._known) > MAX_HANDLES:
            self._known.popitem(last=False)


def _checked(model_id: str) -> str:
    try:
        return checked_id(model_id)
    except RequestFailed as error:
        raise failure(error.event("")) from None


def _not_loaded(message: str, folder: str | None = None) -> LlamaFarmError:
    hint = "Load it with POST /v1/models/load" + (f", or name it in the file of {CONFIG_VARIABLE}." if folder else ".")
    return RequestError(message, hint=hint, status=404, code="model_not_loaded", param="model")


def _forbidden(ref: ModelRef) -> LlamaFarmError:
    what, param = ("A local folder", "id") if is_folder(ref.id) else ("trust_remote_code", "settings.trust_remote_code")
    return RequestError(
        f"{what} is accepted only from LlamaFarm, when it has started this server, or from the server's own file.",
        hint=f"Write the model into a file, `models: [{{id: {ref.id}, …}}]`, and start the server with "
        f"{CONFIG_VARIABLE} set to its path.",
        status=403,
        code="privileged_setting",
        param=param,
    )
