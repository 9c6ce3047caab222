"""`model_api_parameters` and `extra_body` of a model entry, held to the rules of requests when they are read."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from llamafarm.config.context import Loading
from llamafarm.config.problems import KeyPath, did_you_mean, nearest
from llamafarm.config.words import shown_value
from llamafarm.errors import PluginError
from llamafarm.plugins.blame import blaming
from llamafarm.providers.entry import ModelEntry, chain
from llamafarm.providers.parameters import FORWARD_EVERYTHING, Parameters
from llamafarm.records import ProviderSpec
from llamafarm.wire.operations import ALL_FIELDS, OPERATIONS, OWN_FIELDS, TEXT_FIELDS, Operation
from llamafarm.wire.validate import expectation

SPELT_WRONG = 0.88
"""How alike two names are where one is taken for the other, misspelt: `temprature`, but not `reasoning_format`."""


def check(
    fields: dict[str, Any], path: KeyPath, spec: ProviderSpec, entry: ModelEntry | None, loading: Loading
) -> None:
    """Note each parameter that every request would be refused for. entry: None where other things are wrong with it.

    Raises PluginError where the provider cannot say what it takes.
    """
    if not fields.get("model_api_parameters") and not fields.get("extra_body"):
        return
    parameters = spec.parameters or FORWARD_EVERYTHING
    if spec.foreseen is not None and entry is not None:
        with blaming(f"The provider {spec.name!r}", PluginError):
            parameters = spec.foreseen(entry)
    for key, wire in (("model_api_parameters", ALL_FIELDS), ("extra_body", TEXT_FIELDS)):
        given = fields.get(key)
        for name, value in given.items() if isinstance(given, dict) else ():
            place = (*path, key, name)
            if any(loading.missing(place)):
                continue
            if name in OWN_FIELDS:
                loading.problems.add(place, "can be set by a request only; leave it out")
            elif name in wire and (message := _wrong(name, value, parameters, spec)):
                loading.note_value(place, message)
            elif name not in ALL_FIELDS and (message := _unknown(name, fields, parameters, spec, loading)):
                loading.problems.add(place, message)


def _wrong(name: str, value: Any, parameters: Parameters, spec: ProviderSpec) -> str | None:
    """What is wrong with a value in each operation that has the field; in some it may mean something else."""
    operations = [operation for operation in OPERATIONS if name in operation.fields]
    wrong = [_wrong_in(operation, name, value, parameters, spec) for operation in operations]
    return wrong[0] if all(wrong) else None


def _wrong_in(operation: Operation, name: str, value: Any, parameters: Parameters, spec: ProviderSpec) -> str | None:
    """What is wrong with a value in requests of one operation, or None."""
    if value is None:
        return None
    if (expected := expectation(name, value, operation)) is not None:
        return f"must be {expected}, not {shown_value(value)}"
    if (smallest := parameters.too_small(name, value, operation)) is not None:
        return f"must be a whole number of at least {smallest:g}, not {value}"
    fate = parameters.of(name, operation)
    if fate.fate == "refused" and not fate.takes(value):
        return f"the provider {spec.name} cannot do this{f': {fate.note}' if fate.note else ''}"
    return None


def _unknown(
    name: str, fields: dict[str, Any], parameters: Parameters, spec: ProviderSpec, loading: Loading
) -> str | None:
    """What is wrong with a name that the wire does not define; None where it may be the runtime's or a handler's."""
    native = frozenset[str]().union(*parameters.native.values())
    known = sorted((ALL_FIELDS | native) - OWN_FIELDS)
    if name in native or any(row.rpartition(".")[2] == name for row in parameters.fields):
        return None
    if name in _fields_of_handlers(fields, loading):
        return None
    if not parameters.forward_unknown:
        return f"the provider {spec.name} knows no such parameter{did_you_mean(name, known)}"
    near = nearest(name, known, SPELT_WRONG)
    return f"unknown parameter; did you mean {near!r}?" if near else None


def _fields_of_handlers(fields: dict[str, Any], loading: Loading) -> set[str]:
    """The request fields of the agent handlers that the entry goes through."""
    found: set[str] = set()
    for name in chain(fields.get("handler") or loading.values.data.get("handler")):
        with suppress(PluginError):  # told where the handler is named
            found.update(loading.plugins.agent_handler(name).fields)
    return found
