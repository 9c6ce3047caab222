"""Handles: the names by which requests call a model together with its settings, `org/model@dtype=bf16,revision=main`.

A handle says all there is to know, so that every server can answer, whichever gave it out. Where a model may be loaded
only for those who show the service token, its handle is signed with that token: `/srv/model@signed=…`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from urllib.parse import quote, unquote

from llamafarm.errors import LlamaFarmError, RequestError

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.server.errors import failure
from llamafarm_universal.server.fields import record
from llamafarm_universal.server.operator import CONFIG_VARIABLE, Operator, checked_ref, folders_beside, is_folder
from llamafarm_universal.server.tables.models import SETTINGS

DEFAULT = LoadSettings()
OPTIONS = "options"
SIGNATURE = "signed"
_PAIRS = re.compile(r"[a-z][\w.]*=[^@=,]*(,[a-z][\w.]*=[^@=,]*)*")
_settings = record(**SETTINGS)


class Handles:
    """What this server's operator makes of the names of models."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    def name(self, ref: ModelRef) -> str:
        """Return the shortest name of a model: its id where it is loaded with no settings but the operator's."""
        if self._operator.models.get(ref.id) == ref:
            return ref.id
        handle = handle_of(ref)
        signature = None if self._operator.admits(ref) else self._operator.sign(handle)
        if signature is None:
            return handle
        return f"{handle}{'@' if ref.settings == DEFAULT else ','}{SIGNATURE}={signature}"

    def label(self, ref: ModelRef) -> str:
        """Return the name of a model for those who only read of it: without a signature."""
        return ref.id if self._operator.models.get(ref.id) == ref else handle_of(ref)

    def allow(self, model_id: str, settings: LoadSettings, *, trusted: bool) -> ModelRef:
        """Return the model to load; without settings it has those of the operator's file.

        trusted: the request shows the service token. Raises RequestError (403) for privileged settings without it.
        """
        ref = self._ref(model_id, settings)
        if not trusted and not self._operator.admits(ref):
            raise _forbidden(ref)
        return ref

    def resolve(self, name: str, *, trusted: bool = False) -> ModelRef:
        """Return the model that a request names: a handle, or an id, which gets the safe defaults.

        Raises RequestError: 404 `model_not_loaded` for a model that needs the token and whose handle is not signed with
        it, 400 for what can be no model's name.
        """
        if name in self._operator.models:
            return self._operator.models[name]
        model_id, settings, signature = _parse(name)
        ref = self._ref(model_id, settings)
        if trusted or self._operator.admits(ref) or self._operator.signed(handle_of(ref), signature):
            return ref
        raise _not_loaded(name, ref)

    def _ref(self, model_id: str, settings: LoadSettings) -> ModelRef:
        ref = _checked(model_id, settings)
        return self._operator.models.get(ref.id, ref) if settings == DEFAULT else ref


def handle_of(ref: ModelRef) -> str:
    """Return the model's id, with what its settings differ in from the defaults; nothing is signed."""
    pairs = ",".join(f"{name}={quote(_written(value), safe='/:')}" for name, value in _changed(ref.settings))
    return f"{ref.id}@{pairs}" if pairs else ref.id


def _changed(settings: LoadSettings) -> Iterator[tuple[str, Any]]:
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == OPTIONS:
            yield from ((f"{OPTIONS}.{name}", option) for name, option in value)
        elif value != field.default:
            yield field.name, value


def _parse(name: str) -> tuple[str, LoadSettings, str | None]:
    """The id, the settings and the signature of a handle. Raises RequestError for settings that make no sense."""
    model_id, at, pairs = name.rpartition("@")
    if not at or not _PAIRS.fullmatch(pairs):
        return name, DEFAULT, None
    told: dict[str, Any] = {}
    signature = None
    for pair in pairs.split(","):
        key, _, text = pair.partition("=")
        family, dot, option = key.partition(".")
        if key == SIGNATURE:
            signature = text
        elif dot:
            told.setdefault(family, {})[option] = _read(unquote(text))
        else:
            told[key] = _read(unquote(text))
    return model_id, LoadSettings(**_settings(told, "model")), signature


def _written(value: str | float) -> str:
    """A text as it is, unless it reads as something else; all else as JSON."""
    return value if isinstance(value, str) and _read(value) == value else json.dumps(value)


def _read(text: str) -> str | float:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | int | float) else text


def _checked(model_id: str, settings: LoadSettings) -> ModelRef:
    try:
        return checked_ref(model_id, settings)
    except RequestFailed as error:
        raise failure(error.event("")) from None


def _not_loaded(name: str, ref: ModelRef) -> LlamaFarmError:
    if is_folder(ref.id):
        cause = "is a local folder"
    elif ref.settings.trust_remote_code:
        cause = "needs trust_remote_code"
    else:
        cause = f"has {_beside(ref)[1]} in a local folder"
    return RequestError(
        f"{name[:200]!r} {cause}, and this server was not told to load it.",
        hint=f"Load it with POST /v1/models/load, or name it in the file of {CONFIG_VARIABLE}.",
        status=404,
        code="model_not_loaded",
        param="model",
    )


def _beside(ref: ModelRef) -> tuple[str, str]:
    """The first setting that names a local folder, and what that is."""
    setting = folders_beside(ref)[0][0]
    return setting, {"draft_model": "a draft model", "vocoder": "a vocoder", "adapter": "an adapter"}[setting]


def _forbidden(ref: ModelRef) -> LlamaFarmError:
    if is_folder(ref.id):
        what, param = "A local folder", "id"
    elif ref.settings.trust_remote_code:
        what, param = "trust_remote_code", "settings.trust_remote_code"
    else:
        setting, named = _beside(ref)
        what, param = f"{named.capitalize()} in a local folder", f"settings.{setting}"
    return RequestError(
        f"{what} is accepted only from LlamaFarm, when it has started this server, or from the server's own file.",
        hint=f"Write the model into a file, `models: [{{id: {ref.id}, …}}]`, and start the server with "
        f"{CONFIG_VARIABLE} set to its path.",
        status=403,
        code="privileged_setting",
        param=param,
    )
